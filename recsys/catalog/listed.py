"""A track as an answer lists it, and what an answer must leave out."""

from collections.abc import Sequence
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Excluded:
    """Songs, and artists in any role, that must not appear, by id."""

    songs: Sequence[int] = ()
    artists: Sequence[int] = ()


NOTHING = Excluded()


@dataclass
class ListedTrack:
    """A track with its place in a list, best first from rank 1. `uri` is None where no list named a release."""

    rank: int
    track_id: int | None
    song_id: int
    title: str
    version: str | None
    artist: str
    uri: str | None
    duration_ms: int | None
    score: float

    @property
    def full_title(self) -> str:
        """The title with its version, "Title (D Remix)"."""
        return f"{self.title} ({self.version})" if self.version else self.title

    @property
    def reasons(self) -> dict[str, object]:
        """What one kind of answer tells of its tracks beyond what every list does, as far as it is known."""
        common = {field.name for field in fields(ListedTrack)}
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in common}
        return {name: value for name, value in own.items() if value is not None and value != []}
