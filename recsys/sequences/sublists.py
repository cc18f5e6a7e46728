"""Sub-lists of tracklists, what a sequence network learns from (MODELS C1): 15 songs and the one that follows."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recsys.tracklists.graph_snapshot import Ids
from recsys.tracklists.running_order import UNKNOWN, Sets
from recsys.tracklists.stored_arrays import Floats, Integers

LENGTH = 15
STRIDE = 7
STEPS = LENGTH + 1
SHORTEST = 5
"""Plays that a tracklist has at least."""
KNOWN_SONGS = 7
"""A sub-list is kept if it has more known songs than this .."""
KNOWN_PAIRS = 4
""".. or more pairs of known songs one after the other than this."""

NOTHING = -2
"""Stands where a sub-list has ended."""

FILLED_WEIGHT = 0.1
"""Of a song outside the vocabulary in the loss, where a song of its DJ stands for it."""
PADDED_WEIGHT = 0.001
"""Of what stands where a sub-list has ended, or for a song of a DJ who is not known."""


@dataclass(frozen=True)
class Sublists:
    """Windows of tracklists, n of them."""

    songs: Integers
    """Rows of the vocabulary, `UNKNOWN` outside it, `NOTHING` after the end, (n, 16). A window has 15 songs; the last
    place is for the song with which the tracklist goes on (published: a filler)."""
    djs: Integers
    """Rows of the tracklists' DJs or `UNKNOWN`, (n,)."""
    days: Integers
    """Of the tracklists, (n,)."""
    lists: Integers
    """The tracklist that each is of, (n,)."""

    def __len__(self) -> int:
        """How many."""
        return len(self.djs)

    def at(self, chosen: npt.NDArray[np.bool_]) -> "Sublists":
        """Some of them."""
        return Sublists(self.songs[chosen], self.djs[chosen], self.days[chosen], self.lists[chosen])


class Steps(NamedTuple):
    """What a network reads and foretells, each (n, 16)."""

    inputs: Integers
    targets: Integers
    weights: Floats
    is_known: npt.NDArray[np.bool_]
    """Whether the target is a song that was really played."""


def vocabulary_rows(order_songs: Ids, songs: Ids) -> Integers:
    """The row in `songs` of each song of a running order, `UNKNOWN` for none; and that last, so that -1 finds it."""
    by_id = np.argsort(songs, kind="stable")
    place = np.searchsorted(songs, order_songs, sorter=by_id)
    row = by_id[np.minimum(place, len(songs) - 1)] if len(songs) else np.zeros(len(order_songs), dtype=np.int64)
    is_there = songs[row] == order_songs if len(songs) else np.zeros(len(order_songs), dtype=bool)
    return np.append(np.where(is_there, row, UNKNOWN), UNKNOWN)


def sublists_of(sets: Sets, rows: Integers) -> Sublists:
    """The sub-lists of tracklists: at most 15 songs, each window 7 further than the last, and what C1 keeps of them.

    Args:
        sets: tracklists in the order in which they were played.
        rows: of their songs in the network's vocabulary, as `vocabulary_rows` has them.
    """
    lengths = sets.lengths
    windows = np.where(lengths < SHORTEST, 0, 1 + np.ceil(np.maximum(lengths - LENGTH, 0) / STRIDE).astype(np.int64))
    lists = np.repeat(np.arange(len(sets)), windows)
    number = np.arange(len(lists)) - np.repeat(np.cumsum(windows) - windows, windows)
    place = STRIDE * number[:, None] + np.arange(STEPS)  # (n, 16)
    is_there = place < lengths[lists][:, None]
    played = rows[sets.songs]
    found = np.minimum(sets.starts[lists][:, None] + place, max(0, len(played) - 1))
    songs = np.where(is_there, played[found] if len(played) else UNKNOWN, NOTHING)
    is_known = songs[:, :LENGTH] >= 0
    pairs = (is_known[:, 1:] & is_known[:, :-1]).sum(axis=1)
    is_kept = (is_known.sum(axis=1) > KNOWN_SONGS) | (pairs > KNOWN_PAIRS)
    return Sublists(songs, sets.djs[lists], sets.days[lists], lists).at(is_kept)


def split_by_tracklist(sublists: Sublists, share: float, seed: int) -> tuple[Sublists, Sublists]:
    """Sub-lists to train with and to validate with: those of a share of the tracklists, drawn from the seed."""
    lists = np.unique(sublists.lists)
    drawn = np.random.default_rng(seed).permutation(lists)[: round(share * len(lists))]
    is_validation = np.isin(sublists.lists, drawn)
    return sublists.at(~is_validation), sublists.at(is_validation)


def steps_of(sublists: Sublists, fillers: Integers, vocabulary: int) -> Steps:
    """Inputs, which begin with the filler, targets and their weights.

    Args:
        sublists: n of them.
        fillers: what stands for a song outside the vocabulary by DJ, and last for a DJ who is not known: the song
            nearest to the DJ, or `vocabulary`, a token that is never foretold.
        vocabulary: how many songs there are.
    """
    filler = fillers[sublists.djs][:, None]
    is_known = sublists.songs >= 0
    filled = np.where(is_known, sublists.songs, filler)
    is_song = filled < vocabulary
    is_of_dj = (sublists.songs == UNKNOWN) & (sublists.djs >= 0)[:, None]
    weights = np.where(is_known, 1.0, np.where(is_of_dj, FILLED_WEIGHT, PADDED_WEIGHT)) * is_song
    inputs = np.concatenate([filler, filled[:, :LENGTH]], axis=1)
    return Steps(inputs, np.where(is_song, filled, 0), weights.astype(np.float32), is_known)
