"""Examples for fine-tuning, drawn from a snapshot, and batches of them: each distinct title tokenised once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.sampler import DefaultBatchSampler

from recsys.errors import NotReadyError
from recsys.titles.finetune import Loss
from recsys.titles.smoothing import unit_rows
from recsys.titles.snapshot import NO_CLUSTER, TitleSnapshot

Integers = npt.NDArray[np.int64]
Matrix = Any
"""A scipy.sparse.csr_matrix, float32."""

LIKE_TITLES = 20
"""Titles with the most alike song sets, of which pairs are drawn."""

LEAST_COSINE = 0.05
"""Of song sets, below which two titles are no pair."""

PAIRS_PER_DOUBLING = 4
"""Pairs drawn for a title of one playlist; as many again for each doubling of its playlists."""

FACTORS = 64
MOST_SONGS = 50_000
"""Songs that a head over songs has, the most held ones."""

_BLOCK = 512


@dataclass(frozen=True)
class Examples:
    """What one epoch shows: titles by their place in the snapshot, (examples, 1) or pairs (examples, 2), and a label.

    A label is a class (cross-entropy, triplet), a title's place (tower), a playlist's place (tracks) or 0 (pairs).
    """

    titles: Integers
    labels: Integers
    classes: npt.NDArray[np.int64] | None = None
    """The cluster numbers that classes stand for."""
    factors: npt.NDArray[np.float32] | None = None
    """What a title's vector shall tell: unit factors (titles, factors)."""
    songs: Matrix | None = None
    """What a playlist's title shall tell: (playlists, classes)."""

    @property
    def head_size(self) -> int | None:
        """Outputs of the head that a loss puts on the encoder; None for a loss without one."""
        if self.factors is not None:
            return int(self.factors.shape[1])
        if self.songs is not None:
            return int(self.songs.shape[1])
        return None if self.classes is None else len(self.classes)


def make_examples(snapshot: TitleSnapshot, loss: Loss, seed: int) -> Examples:
    """The examples of a snapshot's train part.

    Raises:
        NotReadyError: the snapshot lacks what the loss learns from.
    """
    train = snapshot.of_part("train")
    if loss in ("cross-entropy", "triplet", "contrastive"):
        return _by_cluster(snapshot, train[snapshot.cluster[train] != NO_CLUSTER], loss, seed)
    if not len(train):
        raise NotReadyError("the snapshot has no playlists to train on")
    titles = snapshot.title[train].astype(np.int64)
    if loss == "co-occurrence":
        pairs = _like_pairs(snapshot, train, seed)
        return Examples(pairs, np.zeros(len(pairs), dtype=np.int64))
    if loss == "tower":
        return Examples(titles[:, None], titles, factors=_title_factors(snapshot, train, seed))
    songs = playlist_songs(snapshot)
    held = np.asarray((songs[train] > 0).sum(axis=0)).ravel()
    most_held = np.lexsort((np.arange(len(held)), -held))[: min(MOST_SONGS, int((held > 0).sum()))]
    songs = songs[:, np.sort(most_held)].tocsr()
    return Examples(titles[:, None], train, songs=songs)


def _by_cluster(snapshot: TitleSnapshot, clustered: Integers, loss: Loss, seed: int) -> Examples:
    classes, labels = np.unique(snapshot.cluster[clustered], return_inverse=True)
    if len(classes) < 2:
        named = f" --split {snapshot.split}" if snapshot.split else ""
        raise NotReadyError(
            f"the snapshot has no cluster labels to train on: run `recsys titles cluster{named}`, `recsys titles clean`"
            f" and `recsys titles snapshot DIR{named}`"
        )
    titles = snapshot.title[clustered].astype(np.int64)
    if loss != "contrastive":
        return Examples(titles[:, None], labels.astype(np.int64), classes=classes.astype(np.int64))
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(len(classes) + 1))
    sizes = np.diff(starts)[labels]
    drawn = (np.random.default_rng(seed).random(len(labels)) * sizes).astype(np.int64)
    pairs = np.stack([titles, titles[order[starts[labels] + drawn]]], axis=1)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    if not len(pairs):
        raise NotReadyError("no cluster of the snapshot has two titles: use --loss co-occurrence")
    return Examples(pairs, np.zeros(len(pairs), dtype=np.int64))


def playlist_songs(snapshot: TitleSnapshot) -> Matrix:
    """Which playlist holds which song: ones (playlists, songs)."""
    shape = (len(snapshot.title), snapshot.songs)
    entries = (np.ones(len(snapshot.tracks), dtype=np.float32), snapshot.song[snapshot.tracks], snapshot.starts)
    songs = sparse.csr_matrix(entries, shape=shape)
    songs.sum_duplicates()
    songs.data[:] = 1
    return songs


def title_songs(snapshot: TitleSnapshot, playlists: Integers) -> Matrix:
    """In how many of these playlists of a title a song is held: (titles, songs)."""
    shape = (len(snapshot.titles), len(playlists))
    titles = snapshot.title[playlists]
    ones = np.ones(len(playlists), dtype=np.float32)
    of_title = sparse.csr_matrix((ones, (titles, np.arange(len(playlists)))), shape=shape)
    return (of_title @ playlist_songs(snapshot)[playlists]).tocsr()


def _like_pairs(snapshot: TitleSnapshot, train: Integers, seed: int) -> Integers:
    """Pairs of titles with like song sets (Faggioli et al. 2018): (pairs, 2), drawn by the cosine of the sets."""
    counts = title_songs(snapshot, train)
    sets = unit_rows(counts.sign())
    draws = PAIRS_PER_DOUBLING * (1 + np.log2(np.maximum(np.bincount(snapshot.title[train]), 1)).astype(np.int64))
    rng = np.random.default_rng(seed)
    transposed = sets.T.tocsc()
    pairs = []
    for start in range(0, counts.shape[0], _BLOCK):
        kernel = (sets[start : start + _BLOCK] @ transposed).tocsr()
        for row in range(kernel.shape[0]):
            own = slice(kernel.indptr[row], kernel.indptr[row + 1])
            others, cosines = kernel.indices[own], kernel.data[own]
            is_like = (others != start + row) & (cosines >= LEAST_COSINE)
            others, cosines = others[is_like], cosines[is_like]
            best = np.lexsort((others, -cosines))[:LIKE_TITLES]
            if len(best):
                chances = cosines[best].astype(np.float64)
                partners = rng.choice(others[best], draws[start + row], p=chances / chances.sum())
                pairs.append(np.stack([np.full(len(partners), start + row), partners], axis=1))
    if not pairs:
        raise NotReadyError("no two titles of the snapshot share songs: load more playlists with `recsys ingest`")
    return np.concatenate(pairs).astype(np.int64)


def _title_factors(snapshot: TitleSnapshot, train: Integers, seed: int) -> npt.NDArray[np.float32]:
    """Mean unit factor of a title's playlists by truncated SVD, popular songs damped; unit rows (titles, factors)."""
    from scipy.sparse.linalg import svds

    songs = playlist_songs(snapshot)[train]
    held = np.asarray(songs.sum(axis=0)).ravel()
    songs = (songs @ sparse.diags(1 / np.sqrt(np.maximum(held, 1)))).astype(np.float32)
    factors = min(FACTORS, min(songs.shape) - 1)
    if factors < 1:
        raise NotReadyError("the snapshot has too few playlists for factors: load more with `recsys ingest`")
    left, values, _ = svds(songs, k=factors, random_state=np.random.default_rng(seed))
    playlists = _unit(left * values)
    titles = np.zeros((len(snapshot.titles), factors), dtype=np.float32)
    np.add.at(titles, snapshot.title[train], playlists)
    return _unit(titles)


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norms == 0, 1, norms)).astype(np.float32)


# --- batches -----------------------------------------------------------------------------------------------------


class Tokens:
    """Titles as token ids, one after the other; a batch is padded to the longest of its titles and no further."""

    def __init__(self, model: SentenceTransformer, titles: Sequence[str]) -> None:
        prompt = model.prompts.get(model.default_prompt_name or "") or ""
        rows = model.tokenizer(
            [prompt + title for title in titles],
            truncation=True,
            max_length=model.max_seq_length,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
        self.lengths: Integers = np.array([len(row) for row in rows], dtype=np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self._ids: Integers = np.array([token for row in rows for token in row], dtype=np.int64)
        self._padding = model.tokenizer.pad_token_id or 0

    def batch(self, titles: Integers) -> dict[str, torch.Tensor]:
        """The ids and the mask (titles, longest) of titles named by their place."""
        lengths = self.lengths[titles]
        is_token = np.arange(lengths.max(initial=1)) < lengths[:, None]
        ids = np.full(is_token.shape, self._padding, dtype=np.int64)
        before = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        ids[is_token] = self._ids[np.arange(lengths.sum()) + np.repeat(self._starts[titles] - before, lengths)]
        return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(is_token.astype(np.int64))}


class TitleCollator:
    """Rows of a dataset into what a loss takes.

    Titles that a batch holds more than once are encoded once; the loss then counts their vector as often as they
    occur. Its gradient is that of encoding each occurrence, but that occurrences share one draw of dropout.
    """

    valid_label_columns = ("label",)

    def __init__(self, tokens: Tokens, titles: Sequence[str], examples: Examples, *, deduplicate: bool = True) -> None:
        self._tokens = tokens
        self._places = {title: place for place, title in enumerate(titles)}
        self._songs = examples.songs
        self._deduplicate = deduplicate

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Ids and mask of the batch's titles, and by example the rows of its titles among them, then its label."""
        columns = [name for name in rows[0] if name != "label"]
        titles = np.array([self._places[row[name]] for name in columns for row in rows], dtype=np.int64)
        if self._deduplicate:
            distinct, members = np.unique(titles, return_inverse=True)
        else:
            distinct, members = titles, np.arange(len(titles))
        members = members.reshape(len(columns), -1).T
        labels = np.array([row["label"] for row in rows], dtype=np.int64)
        if self._songs is not None:
            held = self._songs[labels]
            members, labels = np.repeat(members, np.diff(held.indptr), axis=0), held.indices.astype(np.int64)
        batch = {f"title_{name}": values for name, values in self._tokens.batch(distinct).items()}
        return batch | {"label": torch.from_numpy(np.column_stack([members, labels]))}


class LengthGroupedSampler(DefaultBatchSampler):
    """Random batches of titles of like length: shuffled, sorted within windows of batches, and the batches shuffled."""

    def __init__(self, dataset: Any, *, lengths: Integers, window: int, **options: Any) -> None:
        super().__init__(dataset, **options)
        self._lengths = lengths
        self._window = window * self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        """Lists of places in the dataset; the same seed and epoch give the same ones."""
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self._lengths))
        for start in range(0, len(order), self._window):
            window = order[start : start + self._window]
            order[start : start + self._window] = window[np.argsort(self._lengths[window], kind="stable")]
        batches = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        if self.drop_last and len(batches[-1]) < self.batch_size:
            batches.pop()
        for number in rng.permutation(len(batches)):
            yield batches[number].tolist()

    def __len__(self) -> int:
        """Batches an epoch."""
        whole, rest = divmod(len(self._lengths), self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)
