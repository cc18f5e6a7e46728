"""Tracklists in the order in which they were played, with their artists, DJs, programmes and days; pure arrays."""

import json
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.folders import Layout
from recsys.names import normal_title
from recsys.tracklists.graph_snapshot import Ids
from recsys.tracklists.stored_arrays import Arrays, Integers, hash_of, read_arrays, write_arrays

ORDER_FILE = "order.npz"
LAYOUT = Layout("running order", "recsys tracklists prepare", "order.json", 1)

UNKNOWN = -1
"""The row of what has none: a song that is rarely played, an artist, DJ or programme that nobody knows."""


@dataclass(frozen=True)
class Sets:
    """What was played one after the other, in some tracklists or in the beginnings of some."""

    starts: Integers
    """Where each tracklist's plays begin, and where the last one's end, shape (tracklists + 1,)."""
    songs: Integers
    """Rows of the songs in the order in which they were played, `UNKNOWN` where a song has none; shape (plays,)."""
    artists: Integers
    """Rows of the songs' main artists, likewise."""
    djs: Integers
    """Rows of the tracklists' first DJs, shape (tracklists,)."""
    programmes: Integers
    """Rows of what the tracklists' titles have in common with those of their series."""
    days: Integers
    """Days from 1970-01-01; `NO_DATE` where there is none."""

    def __len__(self) -> int:
        """How many tracklists."""
        return len(self.days)

    @property
    def lengths(self) -> Integers:
        """Plays of each tracklist."""
        return np.diff(self.starts)

    @property
    def list_of(self) -> Integers:
        """The tracklist of each play."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def at(self, lists: Integers) -> "Sets":
        """Some of the tracklists."""
        return self.upto(lists, self.lengths[lists])

    def last(self, n: int) -> "Sets":
        """The last n plays of each tracklist."""
        return self.upto(np.arange(len(self)), self.lengths, n)

    def upto(self, lists: Integers, lengths: Integers, most: int | None = None) -> "Sets":
        """The first `lengths` plays of some of the tracklists, a tracklist as often as it is named; of these, the last
        `most`."""
        kept = lengths if most is None else np.minimum(lengths, most)
        starts = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        first = self.starts[lists] + lengths - kept
        places = np.arange(starts[-1]) + np.repeat(first - starts[:-1], kept)
        return Sets(
            starts,
            self.songs[places],
            self.artists[places],
            self.djs[lists],
            self.programmes[lists],
            self.days[lists],
        )


@dataclass(frozen=True)
class RunningOrder:
    """The tracklists of a graph snapshot, in its order, and those that it was kept from seeing."""

    songs: Ids
    """Ids of the songs that are played twice or more in the snapshot's tracklists, ascending."""
    song_artists: Integers
    """Rows of the songs' main artists."""
    artists: Ids
    """Ids of the main artists of the songs of all tracklists."""
    programmes: tuple[str, ...]
    """What titles of a series share, see `programme_of`."""
    past: Sets
    later: Sets
    """Tracklists that are held out, for evaluation alone; rows are of the past's songs, artists and so on."""
    names_hash: str = ""
    """Of the songs and the snapshot's DJs in the database, "" for an order that was never in one."""


def programme_of(title: str) -> str:
    """What the titles of a series have in common: the words without those that hold a digit, normalised."""
    return " ".join(word for word in re.split(r"\s+", normal_title(title)) if word and not re.search(r"\d", word))


_SETS = tuple(part.name for part in fields(Sets))


def order_arrays(order: RunningOrder) -> dict[str, npt.NDArray[Any]]:
    """An order as arrays by name, for a file."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "songs": order.songs.astype(np.int64),
        "song_artists": order.song_artists.astype(np.int32),
        "artists": order.artists.astype(np.int64),
        "programmes": np.frombuffer("\n".join(order.programmes).encode(), dtype=np.uint8),
        "names_hash": np.frombuffer(order.names_hash.encode(), dtype=np.uint8),
    }
    for part in ("past", "later"):
        held: Sets = getattr(order, part)
        arrays |= {f"{part}.{name}": getattr(held, name).astype(np.int32) for name in _SETS}
    return arrays


def order_of(arrays: Arrays) -> RunningOrder:
    """The order that `order_arrays` took apart.

    Raises:
        KeyError: an array is missing.
    """
    text = arrays["programmes"].tobytes().decode()
    past, later = (
        Sets(**{name: arrays[f"{part}.{name}"].astype(np.int64) for name in _SETS}) for part in ("past", "later")
    )
    return RunningOrder(
        songs=arrays["songs"],
        song_artists=arrays["song_artists"].astype(np.int64),
        artists=arrays["artists"],
        programmes=tuple(text.split("\n")) if text else (),
        past=past,
        later=later,
        names_hash=arrays["names_hash"].tobytes().decode(),
    )


def write_running_order(order: RunningOrder, folder: Path, graph_hash: str) -> None:
    """Write the order into a snapshot's folder, beside the graph of this hash."""
    arrays = order_arrays(order)
    write_arrays(folder / ORDER_FILE, arrays)
    manifest = {"layout": LAYOUT.number, "graph_hash": graph_hash, "content_hash": hash_of(arrays)}
    (folder / LAYOUT.manifest_file).write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def load_running_order(folder: Path, graph_hash: str) -> RunningOrder:
    """The order of the tracklists of the snapshot in a folder, whose content has this hash.

    Raises:
        SourceError: there is none, it is damaged, or belongs to another snapshot.
    """
    manifest = LAYOUT.read_manifest(folder)
    try:
        arrays = read_arrays(folder / ORDER_FILE)
        order = order_of(arrays)
    except Exception as error:
        # As in `load_graph_snapshot`: each library has its own errors for a damaged archive.
        raise LAYOUT.damaged(folder, error) from None
    if hash_of(arrays) != manifest["content_hash"]:
        raise LAYOUT.damaged(folder, "its content is not what its manifest says")
    if manifest.get("graph_hash") != graph_hash:
        raise LAYOUT.damaged(folder, "it belongs to another snapshot")
    return order
