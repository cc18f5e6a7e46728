"""A made-up world of two scenes: DJs play songs of their own scene, favourites again and again."""

import datetime
from dataclasses import dataclass
from random import Random

import numpy as np
from scipy import sparse

from recsys.tracklists.graph_snapshot import GraphFacts, GraphSnapshot

SCENES = ("House", "Techno")
SONGS = 60
"""Of a scene; three each are by one artist."""
DJS = ("Ann Ray", "Bob Stone", "Cid Moss", "Dora Vale", "Elmo Frost", "Fay Night", "Gus Tide", "Hope Lake")
"""By turns of one scene and the other."""
FIRST = datetime.date(2019, 1, 1)


@dataclass(frozen=True)
class Set:
    """A tracklist: the songs' numbers, those of the second scene after those of the first."""

    number: int
    dj: int
    day: int
    """After `FIRST`."""
    songs: tuple[int, ...]


def scene_sets(sets: int = 64, djs: int = len(DJS), seed: int = 0) -> list[Set]:
    """Tracklists of ten songs, a week apart: four favourites of the DJ, six songs of anybody in his scene."""
    random = Random(seed)
    favourites = [random.sample(range(SONGS), 8) for _ in range(djs)]
    made = []
    for number in range(sets):
        dj = number % djs
        own = random.sample(favourites[dj], 4)
        others = random.sample([song for song in range(SONGS) if song not in own], 6)
        songs = [dj % 2 * SONGS + song for song in own + others]
        made.append(Set(number, dj, 7 * number, tuple(random.sample(songs, len(songs)))))
    return made


def song(number: int) -> dict[str, object]:
    """A song as JSON lines write it."""
    scene, place = divmod(number, SONGS)
    return {"title": f"{SCENES[scene]} Song {place}", "artists": [f"{SCENES[scene]} Act {place // 3}"]}


def scene_of(title: str) -> str:
    """The scene of a song or an artist."""
    return title.partition(" ")[0]


def records(sets: list[Set]) -> list[dict[str, object]]:
    """Tracklists as JSON lines."""
    return [
        {
            "id": str(made.number),
            "dj": DJS[made.dj],
            "title": f"show {made.number}",
            "date": (FIRST + datetime.timedelta(made.day)).isoformat(),
            "tracks": [song(number) for number in made.songs],
        }
        for made in sets
    ]


def snapshot(sets: list[Set]) -> GraphSnapshot:
    """The same without a database; graphs of songs and artists are empty."""
    songs, djs = len(SCENES) * SONGS, 1 + max(made.dj for made in sets)
    lists = np.zeros((len(sets), songs), dtype=np.float32)
    dj_lists = np.zeros((djs, len(sets)), dtype=np.float32)
    for row, made in enumerate(sets):
        lists[row, list(made.songs)] = 1
        dj_lists[made.dj, row] = 1
    credited = np.kron(np.eye(songs // 3), np.ones((3, 1))).astype(np.float32)
    none = sparse.csr_matrix((songs, songs), dtype=np.float32)
    return GraphSnapshot(
        songs=np.arange(songs) + 100,
        artists=np.arange(songs // 3) + 300,
        djs=np.arange(djs) + 500,
        days=np.array([17_000 + made.day for made in sets]),
        lists=sparse.csr_matrix(lists),
        dj_lists=sparse.csr_matrix(dj_lists),
        song_song=none,
        song_artist=none,
        artist_artist=none,
        credits=sparse.csr_matrix(credited),
        clicks=sparse.csr_matrix((djs, songs), dtype=np.float32),
        dj_dj=sparse.csr_matrix((djs, djs), dtype=np.float32),
    )


FACTS = GraphFacts(
    query_hash="q", names_hash="n", before="2021-01-01", options={}, tracklists=64, sizes={}, content_hash="c"
)
"""Of a snapshot that was never in a database."""
