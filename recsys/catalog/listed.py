"""A track as an answer lists it."""

from dataclasses import dataclass


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
