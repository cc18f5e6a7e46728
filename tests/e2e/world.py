"""A world small enough to count by hand.

"summer mix"  playlists 0 and 1: Alpha, Beta, Gamma and Alpha, Beta
"sleep"       playlist 2: Delta, Epsilon, Zeta
"road trip"   playlist 3: Alpha, Delta
"eve only"    playlist "e": Eta
set "s"       Alpha, Delta, and something that nobody identified
"""

from dataclasses import dataclass
from pathlib import Path

from tests.worlds import entry, playlist, write_lines, write_slice

ALPHA = entry("Ann", "Alpha", "spotify:track:a", duration_ms=61_000)
BETA = entry("Ann", "Beta", "spotify:track:b")
GAMMA = entry("Bob", "Gamma", "spotify:track:c")
DELTA = entry("Cid", "Delta", "spotify:track:d")
EPSILON = entry("Dot feat. Ann", "Epsilon", "spotify:track:e")
ZETA = entry("Eve", "Zeta (Zed Remix)", "spotify:track:z")
ETA = entry("Eve", "Eta")

SLICES = (
    [playlist(0, "Summer Mix", [ALPHA, BETA, GAMMA]), playlist(1, "summer mix!", [ALPHA, BETA])],
    [playlist(2, "Sleep", [DELTA, EPSILON, ZETA]), playlist(3, "Road Trip", [ALPHA, DELTA])],
)
PLAYLISTS = [playlist("e", "Eve only", [ETA])]
TRACKLISTS = [
    {
        "id": "s",
        "dj": "DJ Max",
        "date": "2010-01-02",
        "tracks": [
            {"artist": "Ann", "title": "Alpha", "cue": "01:00"},
            {"artist": "Cid", "title": "Delta"},
            {"artist": "ID", "title": "ID"},
        ],
    }
]


@dataclass(frozen=True)
class Files:
    """Where the world was written."""

    slices: Path
    playlists: Path
    tracklists: Path


def write_world(folder: Path) -> Files:
    """Write the world in three formats."""
    for number, playlists in enumerate(SLICES):
        write_slice(folder / "slices", number, playlists)
    return Files(
        folder / "slices",
        write_lines(folder / "playlists.jsonl", PLAYLISTS),
        write_lines(folder / "tracklists.jsonl", TRACKLISTS),
    )
