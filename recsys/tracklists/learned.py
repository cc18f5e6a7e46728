"""When and from what a model of tracklists learned, which stays so when it answers from newer tracklists."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from recsys.tracklists.graph_snapshot import GraphFacts


@dataclass(frozen=True)
class Learned:
    """What a manifest says of its model's training."""

    day: str
    """As 2026-11-26; "" where nobody wrote it down."""
    snapshot_hash: str
    tracklists: int
    graph: dict[str, Any] = field(default_factory=dict)
    """The options of the snapshot, by which it is to be read again; empty where nobody wrote them down."""


UNTOLD = Learned("", "", 0)


def learned_today(facts: GraphFacts) -> Learned:
    """Of a model that is trained on a snapshot now."""
    return Learned(datetime.now(UTC).date().isoformat(), facts.content_hash, facts.tracklists, facts.options)


def learned_of(manifest: Mapping[str, Any]) -> Learned:
    """As a manifest has it; those of earlier versions have nothing."""
    return Learned(**manifest["learned"]) if "learned" in manifest else UNTOLD
