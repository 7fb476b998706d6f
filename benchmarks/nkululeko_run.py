"""Trains by nkululeko, in an environment of its own, and saves what it predicts on the test rows.

Called by `versus_nkululeko.py` with the Python of that environment; imports nothing of ours. The
steps are those of its command of the same name; that one does not keep predictions of a regression.

    PYTHON nkululeko_run.py EXPERIMENT.ini PREDICTIONS.csv
"""

import configparser
import csv
import json
import sys
import time
from importlib import metadata

STARTED = time.perf_counter()


def main(ini: str, out: str) -> None:
    """Trains the runs of an experiment; writes a line a run and test row: run, file, value."""
    from nkululeko.experiment import Experiment

    config = configparser.ConfigParser()
    config.read(ini)
    experiment = Experiment(config)
    experiment.set_module("nkululeko")
    experiment.load_datasets()
    experiment.fill_train_and_tests()
    experiment.extract_feats()
    experiment.init_runmanager()
    ready = time.perf_counter()
    experiment.run()
    ended = time.perf_counter()
    index = experiment.df_test.index
    files = index.get_level_values("file") if "file" in index.names else index
    with open(out, "w", newline="") as file:
        writer = csv.writer(file)
        for run, report in enumerate(experiment.runmgr.best_results):
            report.run = run
            model = experiment.runmgr.load_model(report)
            # What the report has are predictions of the validation rows: in the version that this
            # was tried with (1.14.1), the model keeps the rows that it was made with.
            model.set_testdata(experiment.df_test, experiment.feats_test)
            values, _ = model.get_predictions()
            for name, value in zip(files, values, strict=True):
                writer.writerow((run, name, repr(float(value))))
    about = {
        "ready_seconds": ready - STARTED,
        "runs_seconds": ended - ready,
        "version": metadata.version("nkululeko"),
        "torch": metadata.version("torch"),
    }
    print(json.dumps(about), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
