"""Training of the blend: earlier tracklists foretell later ones, in several spans of the past."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recsys.errors import NotReadyError
from recsys.progress import Progress, silent
from recsys.tracklists.blend import PARTS, Blend, BlendOptions
from recsys.tracklists.forests import grown_forest
from recsys.tracklists.graph_snapshot import NO_DATE, GraphSnapshot
from recsys.tracklists.past import past_before
from recsys.tracklists.sparse_rows import entries, scaled
from recsys.tracklists.stored_arrays import Floats, Matrix

Mask = npt.NDArray[np.bool_]

SHORT_TRUTH = 100
"""A DJ who later plays more songs than that counts once, one of fewer songs less."""


class Span(NamedTuple):
    """Tracklists that are known, and those that are foretold from them."""

    is_known: Mask
    is_later: Mask


class _Rows(NamedTuple):
    features: Floats
    is_played: Mask
    weights: Floats


def spans(snapshot: GraphSnapshot, options: BlendOptions) -> Iterator[Span]:
    """The spans that training foretells: the last ones in time, and each DJ's own last tracklists."""
    days = snapshot.days
    dated = days != NO_DATE
    ordered = np.sort(days[dated])
    if len(ordered):
        places = [
            round((len(ordered) - 1) * max(1 - options.window_share * back, 0)) for back in range(1 + options.windows)
        ]
        edges = ordered[places]
        edges[0] += 1
        for later, earlier in pairwise(edges):
            yield Span(dated & (days < earlier), dated & (days >= earlier) & (days < later))
    yield _own_last(snapshot, options.last_share)


def _own_last(snapshot: GraphSnapshot, share: float) -> Span:
    """Each DJ's last tracklists by date, where he has none by the order in which they were read."""
    is_later = np.zeros(len(snapshot.days), dtype=bool)
    matrix = snapshot.dj_lists
    for row in range(matrix.shape[0]):
        own = np.sort(entries(matrix, row)[0])
        own = own[np.argsort(snapshot.days[own], kind="stable")]
        is_later[own[int(np.ceil(len(own) * (1 - share))) :]] = True
    return Span(~is_later, is_later)


def train_blend(snapshot: GraphSnapshot, options: BlendOptions | None = None, *, progress: Progress = silent) -> Blend:
    """Learn how to weigh what tells of a song from what DJs played later.

    Raises:
        NotReadyError: no DJ has tracklists enough to learn from.
    """
    options = options or BlendOptions()
    random = np.random.default_rng(options.seed)
    gathered: dict[str, list[_Rows]] = {part: [] for part in PARTS}
    for number, span in enumerate(spans(snapshot, options)):
        progress("looking back", number, options.windows + 1)
        for part, rows in _gather(snapshot, span, options, random):
            gathered[part].append(rows)
    made = {
        part: _Rows(*(np.concatenate(columns) for columns in zip(*rows, strict=True)))
        for part, rows in gathered.items()
        if rows
    }
    if len(made) < len(PARTS) or not all(rows.is_played.any() for rows in made.values()):
        raise NotReadyError(
            f"no DJ has {options.least_lists} tracklists, {options.least_songs} songs and later ones to learn from:"
            " load more tracklists with `recsys ingest`"
        )
    forests, metrics = {}, {}
    for number, part in enumerate(PARTS):
        progress(f"weighing {part} songs", number, len(PARTS))
        forests[part], metrics[f"{part}_loss"] = grown_forest(*made.pop(part), options)
    return Blend(options, forests, metrics)


def _gather(
    snapshot: GraphSnapshot, span: Span, options: BlendOptions, random: np.random.Generator
) -> Iterator[tuple[str, _Rows]]:
    """For each DJ who can be learned from: rows of songs that he knows, and of new ones."""
    past = past_before(snapshot, span.is_known)
    later: Matrix = (scaled(snapshot.dj_lists, columns=span.is_later) @ snapshot.lists).tocsr()
    later.eliminate_zeros()
    lists = np.asarray(past.dj_lists @ past.is_known.astype(np.float32)).ravel()
    is_fit = (lists >= options.least_lists) & (np.diff(past.plays.indptr) >= options.least_songs)
    djs = np.flatnonzero(is_fit & (np.diff(later.indptr) > 0))
    if len(djs) > options.most_djs:
        djs = np.sort(random.choice(djs, options.most_djs, replace=False))
    if not len(djs):
        return
    found = past.candidates(past.histories(djs), options.candidates, options.others, random)
    for dj, candidates in zip(djs.tolist(), found, strict=True):
        played, _ = entries(later, dj)
        played = played[past.popularity[played] > 0]
        is_played = np.isin(candidates.songs, played)
        weight = 1 / max(len(played), SHORT_TRUTH)
        for part in PARTS:
            rows = candidates.is_known == (part == "known")
            if rows.any():
                weights = np.full(int(rows.sum()), weight, dtype=np.float32)
                yield part, _Rows(candidates.features[rows], is_played[rows], weights)
