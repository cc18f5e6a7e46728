"""Training of a title adapter: from titles and the songs of their playlists, on a CPU or a GPU, without a database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, cos, pi
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor, nn

from recsys.errors import NotReadyError
from recsys.titles.adapter import BUCKETS, INPUT_SCALE, TitleAdapter, features
from recsys.titles.finetune import Device, chosen_device

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AdapterOptions:
    """How an adapter is trained. The defaults were chosen on the validation part of a split of the MPD."""

    hidden: int = 256
    dimension: int = 256
    dropout: float = 0.5
    learning_rate: float = 0.01
    weight_decay: float = 0.01
    batch_size: int = 512
    epochs: int = 25
    least_steps: int = 150
    """Steps that few titles take, in however many epochs."""
    most_steps: int = 1000
    """Steps that many titles take, in however few epochs: it bounds the time."""
    warmup_steps: int = 20
    most_songs: int = 20_000
    """Songs that are told apart, the most held ones; 10,000 to 50,000 are equally good."""
    share: float = 0.4
    """The learned part of an adapted cosine."""
    seed: int = 0
    device: Device = "auto"


class _Network(nn.Module):
    """Logits (titles, songs) from encoder's vectors and features."""

    def __init__(self, dimension: int, buckets: int, options: AdapterOptions, bias: Tensor) -> None:
        super().__init__()
        hidden = options.hidden
        self.encoder = nn.Linear(dimension, hidden)
        # What was never met says nothing.
        self.features = nn.EmbeddingBag.from_pretrained(torch.zeros(buckets, hidden), freeze=False, mode="sum")
        self.hidden = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, options.dimension)
        self.dropout = nn.Dropout(options.dropout)
        self.activation = nn.GELU(approximate="tanh")
        self.songs = nn.Parameter(torch.randn(len(bias), options.dimension) * 0.02)
        self.bias = nn.Parameter(bias.clone())

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.bias.device

    def forward(self, vectors: Tensor, rows: Tensor, starts: Tensor, counts: Tensor) -> Tensor:
        inputs = vectors * (INPUT_SCALE * vectors.shape[1] ** 0.5)
        summed = self.encoder(inputs) + self.features(rows, starts) / counts.sqrt()[:, None]
        inner = self.activation(self.hidden(self.dropout(summed)))
        outputs: Tensor = self.output(self.dropout(inner)) @ self.songs.T + self.bias
        return outputs


def train_adapter(
    titles: Sequence[str],
    vectors: Vectors,
    counts: Any,
    playlists: npt.NDArray[np.int64],
    options: AdapterOptions = AdapterOptions(),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> TitleAdapter:
    """Train an adapter: its softmax over songs shall tell what playlists of a title hold (multinomial likelihood).

    A title counts log2(1 + playlists) times. The same input and options give the same weights on one device.

    Args:
        titles: distinct titles.
        vectors: their unit vectors by the encoder, (titles, dimension).
        counts: playlists of a title that hold a song, a csr_matrix (titles, songs).
        playlists: of each title.
        options: how.
        progress: called with steps done and all steps.

    Raises:
        SettingsError: there is no such device.
        NotReadyError: no song is in two playlists, or what was learned is no better than how often songs are held.
    """
    holders = np.asarray(counts.sum(axis=0)).ravel()
    several = np.flatnonzero(holders > 1)
    songs = np.sort(several[np.argsort(-holders[several], kind="stable")[: options.most_songs]])
    rows = counts[:, songs].tocsr()
    with_songs = np.flatnonzero(np.diff(rows.indptr))
    if not len(with_songs):
        raise NotReadyError("no song is in two playlists: there is nothing to learn of titles")
    rows, weights = rows[with_songs], np.log2(1 + playlists[with_songs])
    rows = (sparse.diags(1 / np.asarray(rows.sum(axis=1)).ravel()) @ rows).tocsr().astype(np.float32)

    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    device = torch.device(chosen_device(options.device))
    bias = np.log(holders[songs] + 0.1)
    buckets, bags = _bags(titles)
    network = _Network(
        vectors.shape[1], len(buckets), options, torch.from_numpy(bias - bias.mean()).to(torch.float32)
    ).to(device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
    )
    epoch_steps = ceil(len(with_songs) / options.batch_size)
    steps = min(max(options.epochs * epoch_steps, options.least_steps), options.most_steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / options.warmup_steps) * (1 + cos(pi * step / steps)) / 2
    )
    network.train()
    order = np.empty(0, dtype=np.int64)
    for step in range(steps):
        progress(step, steps)
        if not len(order):
            order = random.permutation(len(with_songs))
        chosen, order = order[: options.batch_size], order[options.batch_size :]
        loss = _loss(network, vectors, bags, with_songs[chosen], rows[chosen], weights[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    progress(steps, steps)
    network.eval()
    some = slice(options.batch_size)
    with torch.no_grad():
        loss = _loss(network, vectors, bags, with_songs[some], rows[some], weights[some])
    _require_better(loss.item(), bias, rows[some], weights[some])
    return TitleAdapter(_weights_of(network.cpu(), buckets), options.share)


Bags = list[npt.NDArray[np.int64]]


def _bags(titles: Sequence[str]) -> tuple[npt.NDArray[np.int32], Bags]:
    """The buckets that titles meet, and by title the rows of its features among them."""
    found = [np.array(features(title), dtype=np.int64) for title in titles]
    is_met = np.zeros(BUCKETS, dtype=bool)
    is_met[np.concatenate(found)] = True
    row_of = np.cumsum(is_met) - 1
    return np.flatnonzero(is_met).astype(np.int32), [row_of[bag] for bag in found]


def _loss(
    network: _Network,
    vectors: Vectors,
    bags: Bags,
    titles: npt.NDArray[np.int64],
    rows: Any,
    weights: npt.NDArray[np.float64],
) -> Tensor:
    """Mean cross-entropy, weighted, between titles' songs, each row of mass 1, and the softmax of their titles."""
    device = network.device
    counts = np.array([len(bags[title]) for title in titles])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    logits = network(
        torch.from_numpy(vectors[titles]).to(device),
        torch.from_numpy(np.concatenate([bags[title] for title in titles])).to(device),
        torch.from_numpy(starts).to(device),
        torch.from_numpy(counts).to(device, torch.float32),
    )
    parts = torch.from_numpy((weights / weights.sum()).astype(np.float32)).to(device)
    row = torch.from_numpy(np.repeat(np.arange(len(titles)), np.diff(rows.indptr))).to(device)
    song = torch.from_numpy(rows.indices.astype(np.int64)).to(device)
    share = torch.from_numpy(rows.data).to(device)
    loss: Tensor = parts @ logits.logsumexp(dim=1) - (parts[row] * share * logits[row, song]).sum()
    return loss


def _require_better(loss: float, bias: npt.NDArray[Any], rows: Any, weights: npt.NDArray[np.float64]) -> None:
    """Refuse what is no better than the songs' popularity, such as a training that diverged."""
    popularity = bias - np.logaddexp.reduce(bias)
    if not loss < -float(weights @ (rows @ popularity)) / weights.sum():
        raise NotReadyError("nothing could be learned of titles from their playlists: use --no-adapt")


def _weights_of(network: nn.Module, buckets: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[Any]]:
    weights: dict[str, npt.NDArray[Any]] = {"buckets": buckets}
    for name, values in network.state_dict().items():
        layer, _, kind = name.partition(".")
        if layer not in ("songs", "bias"):
            weights[layer if kind == "weight" else f"{layer}_bias"] = values.numpy()
    weights["features"] = weights["features"].astype(np.float16)
    return weights
