"""The other side of `versus_torch.py`: the same training as a PyTorch user writes and tunes it.

`nn.LSTM` (oneDNN on a processor, cuDNN on a GPU; it has the two biases of the paper's parameter
counts), RMSprop with Keras' constants over all tensors at once (`foreach`), the data on the device,
one run after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import FUNCTIONALS, WORDS, MadeUp
from torch import nn
from torch_process import Way


class Network(nn.Module):
    """LSTM layers on functionals, others on words, two dense layers on top, three heads."""

    def __init__(self, config, padding: str) -> None:
        super().__init__()
        units, layers, (first, second) = config.units, config.layers, config.fusion
        self.padding = padding
        self.norm = nn.BatchNorm1d(FUNCTIONALS, eps=1e-3, momentum=0.01)
        self.acoustic = nn.LSTM(FUNCTIONALS, units, layers, batch_first=True)
        self.embedding = nn.Embedding(WORDS, config.embedding_dim)
        self.text = nn.LSTM(config.embedding_dim, units, layers, batch_first=True)
        self.text_dense = nn.Linear(units, config.text_dense)
        self.acoustic_dropout, self.text_dropout = nn.Dropout(0.1), nn.Dropout(0.4)
        self.fusion = nn.Sequential(
            nn.Linear(units + config.text_dense, first),
            nn.ReLU(),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Dropout(0.4),
            nn.Linear(second, 3),
        )

    def forward(self, speech, tokens, lengths):
        """Maps speech [utt, feat] and padded tokens [utt, token] to predictions [utt, 3]."""
        speech = self.acoustic(self.norm(speech)[:, None])[0].flatten(1)
        text = self.text_dense(self.last_state(tokens, lengths))
        return self.fusion(torch.cat([self.acoustic_dropout(speech), self.text_dropout(text)], 1))

    def last_state(self, tokens, lengths):
        """Returns the last layer's last state; to be packed, `lengths` lie in the host's memory."""
        if self.padding == "keras":  # in front
            return self.text(self.embedding(tokens))[0][:, -1]
        if self.padding == "masked":  # behind
            states, _ = self.text(self.embedding(tokens))
            here = torch.arange(len(tokens), device=tokens.device)
            return states[here, lengths - 1]
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        return self.text(packed)[1][0][-1]


def ccc_loss(gold, pred):
    """Returns the sum over attributes of 1 - CCC, as our loss without weights."""
    gold_mean, pred_mean = gold.mean(0), pred.mean(0)
    gold_off, pred_off = gold - gold_mean, pred - pred_mean
    covariance = (gold_off * pred_off).mean(0)
    apart = (gold_mean - pred_mean) ** 2
    spread = gold_off.pow(2).mean(0) + pred_off.pow(2).mean(0) + apart
    return (1 - 2 * covariance / spread.clamp_min(1e-12)).sum()


class TorchRun:
    """One run, trained epoch by epoch on shuffled batches.

    Args:
      config: `Config` of the run.
      data: What it trains on.
      way: What is done with padding, how a step is run, and with how many threads.
      device: "cpu" or "cuda".
    """

    def __init__(self, config, data, way: Way, device: str) -> None:
        torch.manual_seed(0)
        torch.set_num_threads(way.threads)
        self.device, self.size, self.way = device, config.batch_size, way
        tokens = data.tokens
        lengths = np.maximum((tokens != 0).sum(1), 1)
        if way.padding != "keras":
            tokens = np.stack([np.roll(row, n) for row, n in zip(tokens, lengths, strict=True)])
        self.speech = torch.tensor(data.acoustic[:, 0], device=device)
        self.tokens = torch.tensor(tokens, device=device)
        self.gold = torch.tensor(data.gold, device=device)
        self.lengths = torch.tensor(lengths)
        self.there = self.lengths.to(device)
        self.rows = torch.tensor(data.train)
        self.network = Network(config, way.padding).to(device).train()
        self.optimizer = torch.optim.RMSprop(
            self.network.parameters(),
            lr=1e-3,
            alpha=0.9,
            eps=1e-7,
            foreach=True,
            capturable=way.step == "graph",
        )
        self.total = torch.zeros((), device=device)
        self.loss = torch.compile(self._loss) if way.step == "compiled" else self._loss
        self.step = Graphs(self) if way.step == "graph" else self.one_step

    def epoch(self) -> float:
        """Trains on all rows once; returns the mean loss."""
        order = self.rows[torch.randperm(len(self.rows))]
        there = order.to(self.device)
        self.total.zero_()
        keras = self.way.padding == "keras"
        for start in range(0, len(order), self.size):
            rows = there[start : start + self.size]
            lengths = self.lengths[order[start : start + self.size]]
            width = self.tokens.shape[1] if keras else int(lengths.max())
            self.step(rows, lengths, width)
        return float(self.total) * self.size / len(order)  # waits for the device

    def one_step(self, rows, lengths, width: int) -> None:
        """Trains on some rows, whose tokens are cut to a width.

        `lengths`, in the host's memory, are for packing alone.
        """
        if self.way.padding != "masked, packed":
            lengths = self.there[rows]
        loss = self.loss(rows, lengths, width)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.total += loss.detach()

    def _loss(self, rows, lengths, width: int):
        pred = self.network(self.speech[rows], self.tokens[rows, :width], lengths)
        return ccc_loss(self.gold[rows], pred)


class Graphs:
    """Whole steps as CUDA graphs: one where padding is fed, or else one for each width.

    Widths are rounded up to a multiple of 8; what lies behind a row's end changes nothing. All are
    captured at once, into memory that they share, as never two of them run at a time.
    """

    def __init__(self, run: TorchRun) -> None:
        self.run = run
        self.rows = run.rows[: run.size].to(run.device)
        self.pool = torch.cuda.graph_pool_handle()
        longest = run.tokens.shape[1]
        widths = [longest] if run.way.padding == "keras" else [*range(8, longest, 8), longest]
        self.graphs = {width: self.capture(width) for width in reversed(widths)}

    def __call__(self, rows, lengths, width: int) -> None:
        """Trains on some rows, none of which is longer than `width`."""
        self.rows.copy_(rows)
        self.graphs[min(each for each in self.graphs if each >= width)].replay()

    def capture(self, width: int):
        """Captures a step; as PyTorch asks for it, after some on a stream beside."""
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(3):
                self.run.one_step(self.rows, None, width)
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            self.run.one_step(self.rows, None, width)
        return graph


def lacking(step: str, device: str) -> str | None:
    """Returns what a way to run a step needs and this machine lacks, or None."""
    if step == "graph" and device == "cpu":
        return "there is no GPU"
    if step == "compiled":
        compiler = os.environ.get("CXX", "g++") if device == "cpu" else os.environ.get("CC", "gcc")
        if shutil.which(compiler) is None:
            return f"there is no compiler ({compiler})"
    return None


def pick_device() -> str:
    """Returns "cuda" where PyTorch has one; lets it compute in TF32 there, as JAX does."""
    if not torch.cuda.is_available():
        return "cpu"
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    return "cuda"


def serve(job: dict[str, Any]) -> None:
    """Trains an epoch for each line of standard input, and answers by a line."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # What is printed does not mix with them.
    from dser_jax.config import Config

    way, device, run = Way(**job["way"]), pick_device(), None
    missing = lacking(way.step, device)
    if missing is None:
        config = Config.from_json(job["config"])
        run = TorchRun(config, MadeUp(*job["data"]).make(), way, device)
        run.epoch()  # compiles
    print(json.dumps({"missing": missing}), file=answers)
    for _ in sys.stdin:
        assert run is not None
        print(json.dumps({"loss": run.epoch()}), file=answers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", type=json.loads, help="what `TorchProcess` says")
    sys.path.insert(0, os.fspath(Path(__file__).parents[1]))
    serve(parser.parse_args().job)
