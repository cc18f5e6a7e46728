"""Which of the lists that were read are to be written: the rules of identity, repetition and dated states."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from hashlib import blake2b

from recsys.catalog.resolve import entry_key
from recsys.sources import Playlist, Rejected, Tracklist


@dataclass
class Counts:
    """What became of the lists that were read: read = stored + replaced + already there + rejected."""

    read: int = 0
    stored: int = 0
    replaced: int = 0
    already_there: int = 0
    rejected: int = 0
    entries_stored: int = 0
    entries_unidentified: int = 0
    entries_rejected: int = 0

    def add(self, other: "Counts") -> None:
        """Add another batch's counts to these."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass(frozen=True)
class Stored:
    """A list as the database has it."""

    id: int
    content_hash: int
    snapshot: date | None


@dataclass(frozen=True)
class Accepted:
    """A list to be written; `id` is None for a new one."""

    id: int | None
    record: Playlist | Tracklist
    keys: list[str]
    content_hash: int


@dataclass
class Choice:
    """What is to be done with a batch's lists."""

    accepted: dict[str, Accepted] = field(default_factory=dict)
    newer_days: dict[int, date] = field(default_factory=dict)
    """Day of the latest state of lists whose content stayed the same, by id."""
    rejected: list[Rejected] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)


Met = dict[int, tuple[int, date | None]]
"""Content and day of the latest state of each list that a run has brought so far, by the hash of its external id."""


def content_hash(record: Playlist | Tracklist, keys: Sequence[str]) -> int:
    """A signed 64-bit hash of what is stored of a list, its dated state apart."""
    if isinstance(record, Playlist):
        head = [record.name, record.description or "", str(record.followers)]
    else:
        cues = ",".join([str(entry.cue_seconds) if entry else "" for entry in record.entries])
        head = [record.title, *record.djs, str(record.played_on), *record.tags, cues]
    digest = blake2b("\x1e".join([*head, "", *keys]).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def choose(records: Sequence[Playlist | Tracklist], stored: Mapping[str, Stored], met: Met) -> Choice:
    """Sort lists into those to be written and the rest.

    A list is known by its id within its source. Equal content is left alone; a later snapshot replaces an earlier
    one, never the other way round; without dates, what a new run brings replaces what an earlier run stored, but
    within one run the first one stays and a second one of other content is rejected. What is rejected depends on the
    run's own records alone, so that a run that is repeated rejects the same ones.

    Args:
        records: the lists of a batch, of one kind, in order.
        stored: the database's state of them by external id.
        met: what this run has brought so far; the records of this batch are added.
    """
    choice = Choice(counts=Counts(read=len(records)))
    states: dict[str, tuple[int | None, int, date | None]] = {
        key: (state.id, state.content_hash, state.snapshot) for key, state in stored.items()
    }
    for record in records:
        external_id = record.external_id
        keys = [entry.uri if entry and entry.uri else entry_key(entry) for entry in record.entries]
        content = content_hash(record, keys)
        day = record.snapshot if isinstance(record, Playlist) else None
        own = hash(external_id)
        met_content, met_day = met.get(own, (content, day))
        if content != met_content and day == met_day:
            choice.counts.rejected += 1
            reason = "the id came before with other content"
            choice.rejected.append(Rejected(record.file, record.place, reason, external_id))
            continue
        if own not in met or _is_later(day, met_day):
            met[own] = content, day
        if external_id not in states:
            choice.counts.stored += 1
            list_id = None
        else:
            list_id, old_content, old_day = states[external_id]
            if _is_later(old_day, day) or content == old_content:
                choice.counts.already_there += 1
                if day is not None and _is_later(day, old_day):
                    states[external_id] = (list_id, old_content, day)
                    _move_day(choice, external_id, list_id, day)
                continue
            choice.counts.replaced += 1
        states[external_id] = (list_id, content, day)
        choice.accepted[external_id] = Accepted(list_id, record, keys, content)
    return choice


def _is_later(day: date | None, other: date | None) -> bool:
    return day is not None and (other is None or day > other)


def _move_day(choice: Choice, external_id: str, list_id: int | None, day: date) -> None:
    waiting = choice.accepted.get(external_id)
    if waiting is not None and isinstance(waiting.record, Playlist):
        waiting.record.snapshot = day
    elif list_id is not None:
        choice.newer_days[list_id] = day
