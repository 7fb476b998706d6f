"""The `dser` command: one function a subcommand, each importing what it needs when it runs."""

from __future__ import annotations

import argparse
import itertools
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from dser_jax import __version__
from dser_jax.errors import BadInput, DserError
from dser_jax.settings import SEEDS, add_arguments, add_search_arguments, positive
from dser_jax.signals import EXIT_INTERRUPTED, Interrupted

CORPORA = ("iemocap", "table", "demo")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; ends with `SystemExit` where something went wrong."""
    parser = make_parser()
    arguments = sys.argv[1:] if arguments is None else arguments
    args = parser.parse_args(arguments)
    args.command = shlex.join(["dser", *arguments])
    if args.run is None:
        parser.print_help()
        return
    guarded(lambda: args.run(args), debug=args.debug)


def guarded(function: Callable[[], object], *, debug: bool = False) -> None:
    """Calls a function; says in one paragraph what a user can mend, without a traceback.

    Raises:
      SystemExit: With code 2 for a `DserError` or a file that cannot be used, 75 for a sweep that
        a signal ended with all runs saved, 130 for Ctrl-C elsewhere.
    """
    try:
        function()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output, as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (DserError, OSError) as error:
        if debug:
            raise
        _say(str(error))
        sys.exit(2)
    except Interrupted as interrupt:
        _say(str(interrupt))
        sys.exit(EXIT_INTERRUPTED)
    except KeyboardInterrupt as interrupt:
        if debug:
            raise
        _say(str(interrupt) or "stopped")
        sys.exit(130)


def _say(text: str) -> None:
    print("dser:", " ".join(text.split()), file=sys.stderr)


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line; `run` is the function of the subcommand."""
    parser = argparse.ArgumentParser(
        prog="dser",
        description="Dimensional speech emotion recognition: many training runs as one program.",
    )
    parser.add_argument("--version", action="version", version=f"dser_jax {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_prepare(commands)
    _add_inspect(commands)
    _add_sweep(commands)
    _add_report(commands)
    _add_merge(commands)
    return parser


def add_command(
    commands, name: str, run: Callable[[argparse.Namespace], None], help: str, **options
) -> argparse.ArgumentParser:
    """Adds a subcommand that `run` carries out; its first line of help is `help`."""
    parser = commands.add_parser(
        name, help=help, formatter_class=argparse.RawDescriptionHelpFormatter, **options
    )
    parser.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks"
    )
    parser.set_defaults(run=run)
    return parser


_PREPARE = """\
Reads a corpus, extracts its features and writes everything into one folder,
from which training starts. Run it again to add features; what was extracted
is kept, and an interrupted extraction goes on.

examples:
  dser prepare --corpus demo data/demo --features gemaps_hsf --out runs/demo
  dser prepare --corpus iemocap IEMOCAP_full_release \\
      --features gemaps_hsf,paa_hsf --glove glove.840B.300d.txt --out runs/iemocap
  dser prepare --corpus table labels.csv --scale 1 7 --column valence=EmoVal \\
      arousal=EmoAct dominance=EmoDom file=FileName --audio-root wavs --out runs/mine
  dser prepare --acoustic wav2vec=embeddings.npy --out runs/demo
"""


def _add_prepare(commands) -> None:
    parser = add_command(
        commands,
        "prepare",
        _prepare,
        "read a corpus, extract features, write a folder to train from",
        description=_PREPARE,
        usage="dser prepare [--corpus {iemocap,table,demo} ROOT] [options] --out DIR",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder")
    what = parser.add_argument_group("corpus (without one, --out names a folder to add to)")
    what.add_argument("--corpus", choices=CORPORA, help="what kind of corpus ROOT is")
    what.add_argument("root", nargs="?", type=Path, metavar="ROOT", help="its folder, or its CSV")
    what.add_argument("--skip-bad", action="store_true", help="leave out what is bad, and list it")
    table = parser.add_argument_group("corpus table")
    table.add_argument("--scale", nargs=2, type=float, metavar=("LO", "HI"), help="of the labels")
    table.add_argument(
        "--column",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=COLUMN",
        help="name of a column that is not called as its field",
    )
    table.add_argument("--audio-root", type=Path, metavar="DIR", help="where its recordings are")
    demo = parser.add_argument_group("corpus demo (made in ROOT if it is not there)")
    demo.add_argument("--utterances", type=int, metavar="N", help="how many")
    demo.add_argument("--seed", type=int, metavar="N", help="another one, another corpus")
    features = parser.add_argument_group("features")
    features.add_argument(
        "--features",
        type=lambda text: [name for name in text.split(",") if name],
        default=[],
        metavar="NAME,...",
        help="gemaps_hsf, gemaps_lld (eGeMAPS by openSMILE), paa_hsf, paa_lld (pyAudioAnalysis); "
        "hsf: mean and deviation over the frames lld; paa_package_hsf, paa_package_lld: by "
        "pyAudioAnalysis itself, slowly, and equal",
    )
    features.add_argument(
        "--acoustic",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FILE",
        help="features of your own, row by row: .npy or openSMILE's CSV",
    )
    features.add_argument("--glove", type=Path, metavar="FILE", help="word vectors (.txt, .gz)")
    features.add_argument("--fasttext", type=Path, metavar="FILE", help="word vectors (.vec, .gz)")
    features.add_argument("--jobs", type=positive, metavar="N", help="processes; one a core")


def _prepare(args: argparse.Namespace) -> None:
    """Carries out `dser prepare`."""
    from dser_jax.prepare import prepare
    from dser_jax.prepared import MANIFEST

    acoustic, columns = _pairs("--acoustic", args.acoustic), _pairs("--column", args.column)
    vectors = {name: path for name in ("glove", "fasttext") if (path := getattr(args, name))}
    if args.corpus is None and not (args.features or acoustic or vectors):
        raise DserError("nothing to do: give --corpus, or features to add to the folder --out")
    bad = BadInput(skip=args.skip_bad)
    corpus = None if args.corpus is None else _load_corpus(args, columns, bad)
    if corpus is None and not (args.out / MANIFEST).exists():
        raise DserError(f"{args.out}: not a prepared folder yet; --corpus says what to prepare")
    if corpus is not None:
        print(f"{corpus.name} in {args.root}: {len(corpus.utterances)} utterances")
        for line in corpus.found:
            print(f"  {line}")
        sys.stdout.flush()
    prepared = prepare(
        corpus,
        args.out,
        features=args.features,
        acoustic=acoustic,
        vectors=vectors,
        jobs=args.jobs,
        bad=bad,
        command=args.command,
    )
    from dser_jax.inspect import summary

    for line in summary(prepared, [*dict.fromkeys(args.features), *acoustic, *vectors]):
        print(line)


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Parts `NAME=VALUE` arguments."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not (name and mark and value):
            raise DserError(f"{option} {text}: expected NAME=VALUE, without spaces")
        if name in pairs:
            raise DserError(f"{option} {text}: {name} is given twice")
        pairs[name] = value
    return pairs


def _load_corpus(args: argparse.Namespace, columns: dict[str, str], bad: BadInput):
    """Reads the corpus that the arguments name."""
    if args.root is None:
        raise DserError(f"--corpus {args.corpus}: its folder is missing, as in --corpus demo ROOT")
    theirs = {
        "table": {"--scale": args.scale, "--column": columns, "--audio-root": args.audio_root},
        "demo": {"--utterances": args.utterances, "--seed": args.seed},
    }
    for corpus, options in theirs.items():
        for option, value in options.items():
            if corpus != args.corpus and value not in (None, {}):
                raise DserError(f"{option} belongs to --corpus {corpus}, not to {args.corpus}")
    if args.corpus == "iemocap":
        from dser_jax.corpora.iemocap import load_iemocap

        return load_iemocap(args.root, bad)
    if args.corpus == "table":
        from dser_jax.corpora.table import load_table

        if args.scale is None:
            raise DserError("--corpus table: which scale are the labels on? as in --scale 1 7")
        low, high = args.scale
        return load_table(
            args.root, scale=(low, high), columns=columns, audio_root=args.audio_root, bad=bad
        )
    from dser_jax.corpora.demo import load_demo
    from dser_jax.progress import Progress

    with ExitStack() as stack:
        progress: Progress | None = None

        def spoken(done: int, total: int) -> None:
            nonlocal progress
            if progress is None:
                progress = stack.enter_context(Progress("speaking", total))
            progress.advance()

        given = {"utterances": args.utterances, "seed": args.seed}
        return load_demo(args.root, **given, bad=bad, progress=spoken)


def _add_inspect(commands) -> None:
    parser = add_command(
        commands,
        "inspect",
        _inspect,
        "show what a prepared folder holds",
        description="Shows a prepared folder: speakers, labels, words, features, splits.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of `dser prepare --out`")


def _inspect(args: argparse.Namespace) -> None:
    """Carries out `dser inspect`."""
    from dser_jax.inspect import inspect
    from dser_jax.prepared import load_prepared

    inspect(load_prepared(args.folder))


_SWEEP = """\
Trains many runs at once, as lanes of one compiled program: each setting of the
loss weights or of a grid with each seed. Finished runs are kept; the same
command goes on after an interruption. --features and --vectors take several
names with commas: each is a program of its own, all are in one table.

examples:
  dser sweep --data runs/demo --out runs/weights --weights none 0.7,0.2 0.9,0.9,0.2
  dser sweep --data runs/demo --out runs/text --acoustic none --weights valence none
  dser sweep --data runs/demo --out runs/grid --seeds 5 \\
      --grid alpha=0:1:0.1 --grid beta=0:1:0.1
  dser sweep --data runs/demo --out runs/features --text none \\
      --features gemaps_hsf,paa_hsf
  dser sweep --data runs/demo --out runs/search --random 200 --halving \\
      --range alpha=0:1 --range beta=0:1 --range learning_rate=1e-4:1e-2:log
  dser sweep --data runs/demo --out runs/search-best --best-of runs/search
"""


def _add_sweep(commands) -> None:
    parser = add_command(commands, "sweep", _sweep, "train many runs at once", description=_SWEEP)
    add_arguments(parser)
    for half, of in (("acoustic", "acoustic features"), ("text", "words")):
        parser.add_argument(
            f"--{half}",
            default="lstm",
            metavar="NAME",
            help=f"network of the {of}: lstm, cnn, dense, or none (lstm)",
        )
    parser.add_argument(
        "--weights",
        nargs="+",
        metavar="[NAME=]WEIGHTS",
        help="none; alpha,beta; alpha,beta,gamma; or one attribute (none)",
    )
    parser.add_argument(
        "--grid", action="append", default=[], metavar="FIELD=LOW:HIGH:STEP", help="an axis"
    )
    add_search_arguments(parser)
    parser.set_defaults(seeds=None)  # So that a search can tell whether they were asked for.


def _sweep(args: argparse.Namespace) -> None:
    """Carries out `dser sweep`."""
    from dser_jax.grid import grid_points, parse_grid, parse_weightings, point_weights
    from dser_jax.settings import make_config, make_hparams, make_search

    if args.best_of is not None:
        return _sweep_best(args)
    if args.best is not None:
        raise DserError("--best belongs to --best-of")
    weightings = parse_weightings(args.weights or ["none"])
    points = grid_points([parse_grid(text) for text in args.grid])
    if args.weights and any(map(point_weights, points.values())):
        raise DserError("--weights and a --grid over alpha and beta both set the loss weights")
    halves = {
        half: None if (name := getattr(args, half)) == "none" else name
        for half in ("acoustic", "text")
    }
    search = make_search(args, list(weightings.values()))
    seeds = SEEDS if args.seeds is None else args.seeds
    named = {}
    for point_name, point in points.items():
        rates = {field: v for field, v in point.items() if field not in ("alpha", "beta", "gamma")}
        given = point_weights(point)
        for name, weights in ({"": given} if given else weightings).items():
            whole = " ".join(part for part in (name, point_name) if part)
            named[whole] = make_hparams(args, weights, **rates)

    from dser_jax.conduct import conduct
    from dser_jax.plan import Group, paired_runs

    groups = []
    for inputs in _inputs(args):
        fixed = {field: name for field, name in inputs.items() if name is not None}
        mark = ", ".join(name for field, name in fixed.items() if "," in getattr(args, field))
        settings = {", ".join(filter(None, (mark, name))): h for name, h in named.items()}
        config = make_config(args, **halves, **inputs)
        runs = paired_runs(settings, range(seeds)) if search is None else ()
        groups.append(Group(config, runs, search))
    conduct(args, groups)


def _sweep_best(args: argparse.Namespace) -> None:
    """Trains the best trials of a search with several seeds each."""
    for flag, value in {
        "--weights": args.weights,
        "--grid": args.grid,
        "--random": args.random,
        "--optuna": args.optuna,
        "--range": args.ranges,
    }.items():
        if value:
            raise DserError(f"--best-of has its settings from {args.best_of}; leave out {flag}")
    from dser_jax.conduct import conduct
    from dser_jax.config import Config
    from dser_jax.journal import read_journal
    from dser_jax.plan import Group, paired_runs
    from dser_jax.search import best_settings

    named = best_settings(args.best_of, args.best or 3)
    config = Config.from_json(read_journal(args.best_of).manifest["configs"][0])
    seeds = SEEDS if args.seeds is None else args.seeds
    conduct(args, [Group(config, paired_runs(named, range(seeds)))])


def _inputs(args: argparse.Namespace) -> list[dict[str, str | None]]:
    """Crosses the features and the word vectors that the arguments name, with commas or alone."""
    choices = []
    for field, half in (("features", "acoustic"), ("vectors", "text")):
        given = getattr(args, field)
        names = [None] if given is None else given.split(",")
        if "" in names or len(set(names)) != len(names):
            raise DserError(f"--{field} {given}: expected names with commas, each once")
        if len(names) > 1 and getattr(args, half) == "none":
            raise DserError(f"--{field} {given}: --{half} none has no use for several")
        choices.append(names)
    return [{"features": f, "vectors": v} for f, v in itertools.product(*choices)]


def _add_report(commands) -> None:
    parser = add_command(
        commands,
        "report",
        _report,
        "print and write the tables of a sweep",
        description="Prints the tables of a sweep, and writes them with figures to a folder.",
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="the --out of a sweep")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where to write (DIR/report; several need one)"
    )
    parser.add_argument("--no-figures", action="store_true", help="write the tables alone")
    parser.add_argument(
        "--validation",
        action="store_true",
        help="scores of the validation rows, to choose settings by (DIR/report-validation)",
    )


def _report(args: argparse.Namespace) -> None:
    """Carries out `dser report`."""
    if len(args.folders) > 1:
        from dser_jax.collection import write_collection

        if args.out is None or args.validation:
            raise DserError("a report of several sweeps needs --out, and has no --validation")
        page = write_collection(args.folders, args.out, draw=not args.no_figures)
        print(f"All together: {page}")
        return
    from dser_jax.report import write_report

    part = "validation" if args.validation else None
    write_report(args.folders[0], args.out, draw=not args.no_figures, part=part)


_MERGE = """\
Joins the parts of a sweep that `dser sweep --part I/N` trained, e.g. each on
another machine, into one. It can be done again when more parts have finished.

examples:
  dser merge runs/weights                       # all of runs/weights/part-*-of-*
  dser merge here/part-1-of-2 there/part-2-of-2 --out runs/weights
"""


def _add_merge(commands) -> None:
    parser = add_command(commands, "merge", _merge, "join the parts of a sweep", description=_MERGE)
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="the --out of a sweep, or its parts"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to (the --out of the sweep)")


def _merge(args: argparse.Namespace) -> None:
    """Carries out `dser merge`."""
    from dser_jax.bootstrap import update_intervals
    from dser_jax.merge import merge
    from dser_jax.report import write_report

    if len(args.folders) == 1:
        out = args.out or args.folders[0]
        parts = sorted(args.folders[0].glob("part-*-of-*"))
        if not parts:
            raise DserError(f"{args.folders[0]}: no part-I-of-N in it; `--part I/N` makes them")
    else:
        out, parts = args.out, args.folders
        if out is None:
            raise DserError("parts from several places need --out")
    view = merge(parts, out)
    for notice in [*view.notices, *update_intervals(view)]:
        print(notice)
    write_report(out)


if __name__ == "__main__":
    main()
