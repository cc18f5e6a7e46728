"""What a snapshot of graphs was kept from seeing, written beside it: the truth that recommenders are measured against.

Evaluation alone reads it; no training does.
"""

import datetime
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from recsys.folders import Layout
from recsys.tracklists.graph_snapshot import Ids
from recsys.tracklists.past import Newcomers
from recsys.tracklists.stored_arrays import Matrix, arrays_of, hash_of, matrix_of, read_arrays, write_arrays

LATER_FILE = "later.npz"
LAYOUT = Layout("held-out plays", "recsys tracklists prepare --before DATE", "later.json", 2)

COLD_LISTS = 5
"""Tracklists that a DJ must have to be drawn as one who comes later."""


@dataclass(frozen=True)
class HoldOut:
    """What is kept from a snapshot beside tracklists from a date on."""

    until: datetime.date | None = None
    """Tracklists from this date on are no truth either."""
    pairs: float = 0.0
    """Share of the DJs' clicks, songs that a DJ played more than once: his tracklists no longer hold them."""
    cold_djs: float = 0.0
    """Share of the DJs with tracklists before and after the date who are left out with all their tracklists."""
    seed: int = 0


NOTHING = HoldOut()


@dataclass(frozen=True)
class Later:
    """What is held out; columns are the snapshot's songs."""

    song_plays: Ids
    """Plays of each song in all tracklists of the database."""
    plays: Matrix
    """How often the snapshot's DJs play a song later."""
    pairs: Matrix
    """1 where a song was taken out of a DJ's tracklists."""
    cold_djs: Ids
    """DJs who were left out altogether, by their ids."""
    cold_days: Ids
    """Days of their tracklists before, `NO_DATE` where there is none: what is told of them when they come."""
    cold_owned: Matrix
    """1 where one of these is theirs, (DJs who come later, tracklists)."""
    cold_lists: Matrix
    """1 where one of these holds a song, (tracklists, songs)."""
    cold_plays: Matrix
    """How often they play a song later."""

    @property
    def newcomers(self) -> Newcomers:
        """Those DJs, with what is told of them."""
        return Newcomers(self.cold_lists, self.cold_days, self.cold_owned)


_IDS = ("song_plays", "cold_djs", "cold_days")
_MATRICES = tuple(part.name for part in fields(Later) if part.name not in _IDS)


@dataclass(frozen=True)
class LaterFacts:
    """Which snapshot it was held out from, and how."""

    graph_hash: str
    before: str | None
    until: str | None
    pairs: float
    cold_djs: float
    seed: int
    tracklists: int
    """Later ones."""
    content_hash: str

    @property
    def part(self) -> str:
        """A name for what is foretold."""
        names = []
        if self.before is not None:
            names.append(f"{self.before} on" if self.until is None else f"{self.before} to {self.until}")
        if self.pairs:
            names.append(f"{self.pairs:g} of pairs, seed {self.seed}")
        if self.cold_djs:
            names.append(f"{self.cold_djs:g} of DJs, seed {self.seed}")
        return "; ".join(names)


def draw_pairs(clicks: Matrix, share: float, seed: int) -> Matrix:
    """A share of a matrix's entries, drawn at random; the same shape, with ones."""
    entries = clicks.tocoo()
    drawn = np.random.default_rng(seed).choice(entries.nnz, round(share * entries.nnz), replace=False)
    ones = np.ones(len(drawn))
    return sparse.csr_matrix((ones, (entries.row[drawn], entries.col[drawn])), shape=clicks.shape)


def draw_djs(lists_before: Ids, lists_later: Ids, share: float, seed: int) -> Ids:
    """Rows of DJs drawn from those with `COLD_LISTS` tracklists before and some later; ascending."""
    rows = np.flatnonzero((lists_before >= COLD_LISTS) & (lists_later > 0))
    drawn = np.random.default_rng(seed).choice(rows, round(share * len(rows)), replace=False)
    return np.sort(drawn).astype(np.int64)


def write_later(
    later: Later, folder: Path, graph_hash: str, hold_out: HoldOut, before: datetime.date | None, tracklists: int
) -> None:
    """Write what is held out into a snapshot's folder, beside the graph of this hash."""
    arrays = arrays_of(later, _IDS, _MATRICES)
    facts = LaterFacts(
        graph_hash,
        None if before is None else before.isoformat(),
        None if hold_out.until is None else hold_out.until.isoformat(),
        hold_out.pairs,
        hold_out.cold_djs,
        hold_out.seed,
        tracklists,
        hash_of(arrays),
    )
    write_arrays(folder / LATER_FILE, arrays)
    manifest = {"layout": LAYOUT.number} | asdict(facts)
    (folder / LAYOUT.manifest_file).write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def load_later(folder: Path, graph_hash: str) -> tuple[Later, LaterFacts]:
    """What was held out from the snapshot in a folder, whose content has this hash.

    Raises:
        SourceError: nothing was, it is damaged, or belongs to another snapshot.
    """
    manifest: dict[str, Any] = LAYOUT.read_manifest(folder)
    del manifest["layout"]
    try:
        facts = LaterFacts(**manifest)
        arrays = read_arrays(folder / LATER_FILE)
        matrices = {name: matrix_of(arrays, name) for name in _MATRICES}
        later = Later(**{name: arrays[name] for name in _IDS}, **matrices)
    except Exception as error:
        # As in `load_graph_snapshot`: each library has its own errors for a damaged archive.
        raise LAYOUT.damaged(folder, error) from None
    if hash_of(arrays) != facts.content_hash:
        raise LAYOUT.damaged(folder, "its content is not what its manifest says")
    if facts.graph_hash != graph_hash:
        raise LAYOUT.damaged(folder, "it belongs to another snapshot")
    return later, facts
