"""The other side of `versus_torch.py`: the same training as a PyTorch user writes it.

`nn.LSTM` (oneDNN on a processor, cuDNN on a GPU; it has the two biases of the paper's parameter
counts), RMSprop with Keras' constants over all tensors at once (`foreach`), the data on the device,
one run after the other.
"""

from __future__ import annotations

import numpy as np
import torch
from common import FUNCTIONALS, WORDS
from torch import nn

PADDINGS = ("keras", "masked", "masked, packed")
"""What is done with padding: fed to the network; cut off to the batch's longest row, the last real
state picked; or packed (`pack_padded_sequence`). The last two compute the same."""


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
        """Returns the last layer's last state; `lengths` lie in the host's memory."""
        if self.padding == "keras":  # in front
            return self.text(self.embedding(tokens))[0][:, -1]
        if self.padding == "masked":  # behind
            states, _ = self.text(self.embedding(tokens[:, : int(lengths.max())]))
            here = torch.arange(len(tokens), device=tokens.device)
            return states[here, (lengths - 1).to(tokens.device, non_blocking=True)]
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(tokens[:, : int(lengths.max())]),
            lengths,
            batch_first=True,
            enforce_sorted=False,
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
    """One run, trained epoch by epoch on shuffled batches."""

    def __init__(self, config, data, padding: str, device: str, threads: int) -> None:
        torch.manual_seed(0)
        self.device, self.size, self.threads = device, config.batch_size, threads
        tokens = data.tokens
        lengths = np.maximum((tokens != 0).sum(1), 1)
        if padding != "keras":
            tokens = np.stack([np.roll(row, n) for row, n in zip(tokens, lengths, strict=True)])
        self.speech = torch.tensor(data.acoustic[:, 0], device=device)
        self.tokens = torch.tensor(tokens, device=device)
        self.gold = torch.tensor(data.gold, device=device)
        self.lengths = torch.tensor(lengths)
        self.rows = torch.tensor(data.train)
        self.network = Network(config, padding).to(device).train()
        self.optimizer = torch.optim.RMSprop(
            self.network.parameters(), lr=1e-3, alpha=0.9, eps=1e-7, foreach=True
        )

    def epoch(self) -> float:
        """Trains on all rows once; returns the mean loss."""
        torch.set_num_threads(self.threads)
        order = self.rows[torch.randperm(len(self.rows))]
        there = order.to(self.device)
        total = torch.zeros((), device=self.device)
        for start in range(0, len(order), self.size):
            rows = there[start : start + self.size]
            lengths = self.lengths[order[start : start + self.size]]
            pred = self.network(self.speech[rows], self.tokens[rows], lengths)
            loss = ccc_loss(self.gold[rows], pred)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += loss.detach()
        return float(total) * self.size / len(order)  # waits for the device


def pick_device() -> str:
    """Returns "cuda" where PyTorch has one; lets it compute in TF32 there, as JAX does."""
    if not torch.cuda.is_available():
        return "cpu"
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    return "cuda"


def thread_counts() -> list[int]:
    """Returns the numbers of threads to try: one, and all that PyTorch would take."""
    return sorted({1, torch.get_num_threads()}) if pick_device() == "cpu" else [1]
