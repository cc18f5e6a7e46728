"""Training of the next song: earlier tracklists foretell the songs of later ones, in several spans of the past."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recsys.errors import NotReadyError
from recsys.progress import Progress, silent
from recsys.sequences.next_channels import CONTEXT, Told, without_channels
from recsys.sequences.next_song import AT_ONCE, NextOptions, NextSong
from recsys.sequences.played import Counts, Played
from recsys.tracklists.forests import grown_forest
from recsys.tracklists.graph_snapshot import NO_DATE
from recsys.tracklists.running_order import Sets
from recsys.tracklists.stored_arrays import Floats, Integers


class Positions(NamedTuple):
    """Places in tracklists whose songs are foretold from what comes before them."""

    lists: Integers
    places: Integers
    songs: Integers


class _Rows(NamedTuple):
    features: Floats
    is_played: npt.NDArray[np.bool_]
    weights: Floats


def spans(days: Integers, options: NextOptions, random: np.random.Generator) -> Iterator[tuple[Integers, Integers]]:
    """Tracklists that are known, and those that are foretold from them: the last ones by date, and some of any time."""
    dated = np.flatnonzero(days != NO_DATE)
    ordered = dated[np.argsort(days[dated], kind="stable")]
    half = len(ordered) // max(2 * options.spans, 1)
    size = max(round(options.span_share * len(ordered)), min(options.span_lists, half), 1)
    for back in range(options.spans):
        last = len(ordered) - back * size
        if last - size < size:
            break
        later = ordered[last - size : last]
        is_earlier = days[ordered] < days[later[0]]
        if is_earlier.any():
            yield ordered[is_earlier], later
    drawn = random.permutation(len(days))[: min(options.scattered, len(days) // 5)]
    if len(drawn):
        yield np.setdiff1d(np.arange(len(days)), drawn), np.sort(drawn)


def drawn_positions(
    sets: Sets, of_list: int, at_most: int, is_counted: npt.NDArray[np.bool_], random: np.random.Generator
) -> Positions:
    """Places of songs that count, never the first of a tracklist or a repeat within it; drawn list by list.

    `of_list` of each at most, and no list more once there are `at_most`.
    """
    lists, places, songs = [], [], []
    count = 0
    for number in random.permutation(np.flatnonzero(sets.lengths > 1)).tolist():
        held = sets.songs[sets.starts[number] : sets.starts[number + 1]]
        for place in random.permutation(np.arange(1, len(held)))[:of_list].tolist():
            song = held[place]
            if song >= 0 and is_counted[song] and song not in held[:place]:
                lists.append(number)
                places.append(place)
                songs.append(song)
                count += 1
        if count >= at_most:
            break
    return Positions(*(np.array(part, dtype=np.int64) for part in (lists, places, songs)))


def train_next_song(
    sets: Sets,
    song_artists: Integers,
    counts: Counts,
    options: NextOptions | None = None,
    *,
    progress: Progress = silent,
) -> NextSong:
    """Learn how to weigh what tells of the next song.

    Args:
        sets: the known tracklists.
        song_artists: the row of each song's main artist.
        counts: how many songs, artists, DJs and programmes there are.
        options: how.
        progress: called as work goes on.

    Raises:
        NotReadyError: there are too few tracklists to learn from.
    """
    options = options or NextOptions()
    random = np.random.default_rng(options.seed)
    gathered: list[_Rows] = []
    for number, (known, later) in enumerate(spans(sets.days, options, random)):
        progress("looking back", number, options.spans + 1)
        played = Played(sets.at(known), song_artists, counts)
        gathered += _gather(played, sets.at(later), options, random)
    if not any(rows.is_played.any() for rows in gathered):
        raise NotReadyError("too few songs of tracklists come again to learn from: load more with `recsys ingest`")
    progress("weighing", 0, 0)
    rows = _Rows(*(np.concatenate(parts) for parts in zip(*gathered, strict=True)))
    forest, loss = grown_forest(*rows, options)
    return NextSong(options, forest, {"loss": loss, "songs_foretold": float(rows.is_played.sum())})


def _gather(played: Played, later: Sets, options: NextOptions, random: np.random.Generator) -> Iterator[_Rows]:
    """For each position whose song is a candidate: this one, and some of the others, which count for all of them."""
    positions = drawn_positions(later, options.positions_of_list, options.positions, played.popularity > 0, random)
    begun = later.upto(positions.lists, positions.places, CONTEXT)
    for first in range(0, len(begun), AT_ONCE):
        block = begun.at(np.arange(first, min(first + AT_ONCE, len(begun))))
        told = Told(played, block)
        for row in range(len(block)):
            found = told.candidates(row)
            is_played = found.songs == positions.songs[first + row]
            if not is_played.any():
                continue
            others = np.flatnonzero(~is_played)
            drawn = random.permutation(others)[: options.others]
            kept = np.concatenate([np.flatnonzero(is_played), drawn])
            weights = np.where(is_played[kept], 1, len(others) / max(len(drawn), 1)).astype(np.float32)
            yield _Rows(without_channels(found.features[kept], options.without), is_played[kept], weights)
