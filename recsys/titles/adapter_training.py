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

from recsys.device import Device, chosen_device
from recsys.errors import NotReadyError
from recsys.titles.adapter import BUCKETS, INPUT_SCALE, TitleAdapter, features
from recsys.titles.expectation import Expectation
from recsys.titles.smoothing import most_held

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AdapterOptions:
    """How an adapter is trained. The defaults were chosen on five of ten folds of the MPD's playlists."""

    hidden: int = 256
    dimension: int = 256
    dropout: float = 0.5
    learning_rate: float = 0.01
    weight_decay: float = 0.01
    batch_size: int = 512
    epochs: int = 16
    least_steps: int = 150
    """Steps that few playlists take, in however many epochs."""
    most_steps: int = 500
    """Steps that many playlists take, in however few epochs: it bounds the time."""
    warmup_steps: int = 20
    most_songs: int = 20_000
    """Songs that are told apart, the most held ones."""
    share: float = 0.35
    """The learned part of an adapted cosine."""
    seed: int = 0
    device: Device = "auto"


@dataclass(frozen=True)
class Learned:
    """What training brings: an adapter, and what it expects in playlists of a title."""

    adapter: TitleAdapter
    expectation: Expectation


@dataclass(frozen=True)
class _Credits:
    """The artists of each song one after the other, as rows of those who have several songs."""

    artists: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    count: int


class _Network(nn.Module):
    """Logits (titles, songs) from encoder's vectors and features. A song's vector is its own plus its artists'."""

    def __init__(self, dimension: int, buckets: int, options: AdapterOptions, bias: Tensor, credited: _Credits) -> None:
        super().__init__()
        hidden = options.hidden
        self.encoder = nn.Linear(dimension, hidden)
        # What was never met says nothing.
        self.features = nn.EmbeddingBag.from_pretrained(torch.zeros(buckets, hidden), freeze=False, mode="sum")
        self.hidden = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, options.dimension)
        self.dropout = nn.Dropout(options.dropout)
        self.activation = nn.GELU(approximate="tanh")
        # The last column of songs and artists is added to the logit whatever the title.
        own, shared = torch.randn(len(bias), options.dimension), torch.randn(credited.count, options.dimension)
        self.songs = nn.Parameter(torch.cat([own * 0.02, bias[:, None]], dim=1))
        self.artists = nn.EmbeddingBag.from_pretrained(
            torch.cat([shared * 0.02, torch.zeros(credited.count, 1)], dim=1), freeze=False, mode="sum"
        )
        self.register_buffer("credited", torch.from_numpy(credited.artists), persistent=False)
        self.register_buffer("credits_start", torch.from_numpy(credited.starts), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.songs.device

    def song_vectors(self) -> Tensor:
        """(songs, dimension + 1)."""
        vectors: Tensor = self.songs + self.artists(self.credited, self.credits_start)
        return vectors

    def forward(self, vectors: Tensor, rows: Tensor, starts: Tensor, counts: Tensor) -> Tensor:
        inputs = vectors * (INPUT_SCALE * vectors.shape[1] ** 0.5)
        summed = self.encoder(inputs) + self.features(rows, starts) / counts.sqrt()[:, None]
        inner = self.activation(self.hidden(self.dropout(summed)))
        songs = self.song_vectors()
        outputs: Tensor = self.output(self.dropout(inner)) @ songs[:, :-1].T + songs[:, -1]
        return outputs


def train_adapter(
    titles: Sequence[str],
    vectors: Vectors,
    held: Any,
    title_of: npt.NDArray[np.int64],
    credited: Any,
    options: AdapterOptions = AdapterOptions(),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Learned:
    """Train an adapter: its softmax over songs shall tell what playlists of a title hold (multinomial likelihood).

    The same input and options give the same weights on one device.

    Args:
        titles: distinct titles.
        vectors: their unit vectors by the encoder, (titles, dimension).
        held: which playlist holds which song, ones, a csr_matrix (playlists, songs).
        title_of: the title of each playlist, as a place in `titles`.
        credited: which song is by which artist, ones, a csr_matrix (songs, artists).
        options: how.
        progress: called with steps done and all steps.

    Raises:
        SettingsError: there is no such device.
        NotReadyError: no song is in two playlists, or what was learned is no better than how often songs are held.
    """
    holders = np.asarray(held.sum(axis=0)).ravel()
    songs = most_held(holders, options.most_songs)
    rows = held[:, songs].tocsr()
    with_songs = np.flatnonzero(np.diff(rows.indptr))
    if not len(with_songs):
        raise NotReadyError("no song is in two playlists: there is nothing to learn of titles")
    rows, row_titles = rows[with_songs], title_of[with_songs]
    rows = (sparse.diags(1 / np.asarray(rows.sum(axis=1)).ravel()) @ rows).tocsr().astype(np.float32)

    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    device = torch.device(chosen_device(options.device))
    bias = np.log(holders[songs] + 0.1)
    buckets, bags = _bags(titles)
    network = _Network(
        vectors.shape[1],
        len(buckets),
        options,
        torch.from_numpy(bias - bias.mean()).to(torch.float32),
        _credits(credited[songs].tocsr()),
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
        loss = _loss(network, vectors, bags, row_titles[chosen], rows[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    progress(steps, steps)
    network.eval()
    some = slice(options.batch_size)
    with torch.no_grad():
        loss = _loss(network, vectors, bags, row_titles[some], rows[some])
    _require_better(loss.item(), bias, rows[some])
    network.cpu()
    adapter = TitleAdapter(_weights_of(network, buckets), options.share)
    song_vectors = network.song_vectors().detach().numpy()
    return Learned(adapter, Expectation(songs, song_vectors))


def _credits(credited: Any) -> _Credits:
    """The credits of artists with several songs: another one says no more than his song does."""
    several = np.flatnonzero(np.asarray(credited.sum(axis=0)).ravel() > 1)
    kept = credited[:, several].tocsr()
    return _Credits(kept.indices.astype(np.int64), kept.indptr[:-1].astype(np.int64), len(several))


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
) -> Tensor:
    """Mean cross-entropy between playlists' songs, each row of mass 1, and the softmax of their titles."""
    device = network.device
    counts = np.array([len(bags[title]) for title in titles])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    logits = network(
        torch.from_numpy(vectors[titles]).to(device),
        torch.from_numpy(np.concatenate([bags[title] for title in titles])).to(device),
        torch.from_numpy(starts).to(device),
        torch.from_numpy(counts).to(device, torch.float32),
    )
    row = torch.from_numpy(np.repeat(np.arange(len(titles)), np.diff(rows.indptr))).to(device)
    song = torch.from_numpy(rows.indices.astype(np.int64)).to(device)
    share = torch.from_numpy(rows.data).to(device)
    loss: Tensor = logits.logsumexp(dim=1).mean() - (share * logits[row, song]).sum() / len(titles)
    return loss


def _require_better(loss: float, bias: npt.NDArray[Any], rows: Any) -> None:
    """Refuse what is no better than the songs' popularity, such as a training that diverged."""
    popularity = bias - np.logaddexp.reduce(bias)
    if not loss < -float((rows @ popularity).mean()):
        raise NotReadyError("nothing could be learned of titles from their playlists: use --no-adapt")


def _weights_of(network: nn.Module, buckets: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[Any]]:
    weights: dict[str, npt.NDArray[Any]] = {"buckets": buckets}
    for name, values in network.state_dict().items():
        layer, _, kind = name.partition(".")
        if layer not in ("songs", "artists"):
            weights[layer if kind == "weight" else f"{layer}_bias"] = values.numpy()
    weights["features"] = weights["features"].astype(np.float16)
    return weights
