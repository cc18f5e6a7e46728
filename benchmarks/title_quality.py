"""Do the votes find what playlists of a title hold? Ours beside the paper's, exact titles and popularity.

    python benchmarks/title_quality.py FOLDER_OF_MPD_SLICES [--part test]

Playlists are split 70/15/15 by a seeded shuffle; the first part is all that is loaded, embedded and searched. Each
playlist of the part that is asked for (validation unless told otherwise) is recommended from its title alone and
compared with its distinct songs. R-precision is the share of its |G| songs among the first |G| answers, NDCG@500 is
over the ideal of min(|G|, 500); songs that no searched playlist holds count as missed. The last rows vary one
parameter of the vote each: they are what the defaults were chosen from, so look at them on validation only.
"""

import argparse
import json
import os
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psycopg
from stage import fresh_settings, print_machine

from recsys.catalog import ingest
from recsys.database import connect
from recsys.names import normal_title, song_name
from recsys.sources import FORMATS, Entry, Playlist
from recsys.titles import embed_titles
from recsys.titles.encoder import prepare_encoder

N = 500
DISCOUNTS = 1 / np.log2(np.arange(N) + 2)

Target = tuple[str, set[str]]
"""A held-out playlist: its normalised title and the keys of its songs."""


def split(folder: Path, train: Path, part: str, seed: int) -> list[Target]:
    """Write the searched playlists as JSON lines; return the held-out ones."""
    playlists = [r for batch in FORMATS["mpd"].read(folder) for r in batch.records if isinstance(r, Playlist)]
    random.Random(seed).shuffle(playlists)
    first, second = int(0.7 * len(playlists)), int(0.85 * len(playlists))
    with train.open("w", encoding="utf-8") as lines:
        for record in playlists[:first]:
            tracks = [_line(entry) for entry in record.entries if entry is not None]
            lines.write(json.dumps({"pid": record.external_id, "name": record.name, "tracks": tracks}) + "\n")
    held_out = playlists[first:second] if part == "validation" else playlists[second:]
    targets = [
        (normal_title(r.name), {song_name(e.title, e.artist, e.artists).key for e in r.entries if e is not None})
        for r in held_out
    ]
    return [target for target in targets if all(target)]


def _line(entry: Entry) -> dict[str, object]:
    return {"track_uri": entry.uri, "track_name": entry.title, "artist_name": entry.artist}


class Arrays:
    """What the database searches, in arrays, so that a vote's parameters can be varied quickly."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.key_of = dict(
            connection.execute("SELECT t.id, s.key FROM track AS t JOIN song AS s ON s.id = t.song_id").fetchall()
        )
        rows = connection.execute(
            "SELECT t.name, e.embedding::real[], p.playlists, p.track_ids, p.weights FROM title_profile AS p"
            " JOIN title_embedding AS e USING (model_id, title_id) JOIN title AS t ON t.id = p.title_id ORDER BY t.id"
        ).fetchall()
        self.vector_of = {row[0]: np.array(row[1], dtype=np.float32) for row in rows}
        self.vectors = np.array(list(self.vector_of.values()))  # (titles, dimension)
        self.playlists = np.array([row[2] for row in rows])
        self.profiles = {row[0]: (np.array(row[3]), np.array(row[4], dtype=np.float32)) for row in rows}
        self.tracks, self.weights = (list(column) for column in zip(*self.profiles.values(), strict=True))
        most_held = connection.execute(
            "SELECT track_id FROM song_stats WHERE track_id IS NOT NULL ORDER BY playlists DESC, track_id LIMIT %s",
            (2 * N,),
        )
        self.popular = [track for (track,) in most_held]

    def soft(
        self, vector: np.ndarray, *, titles: int = 100, temperature: float = 0.2, smoothing: float = 0.3,
        heard: float = 200.0,
    ) -> list[int]:  # fmt: skip
        """The soft vote of `soft_ballot`; `heard` is how many tracks the nearest title is heard with."""
        similarity = self.vectors @ vector
        nearest = np.argsort(-similarity, kind="stable")[:titles]
        nearness = np.exp((similarity[nearest] - similarity[nearest[0]]) / temperature)
        voice = nearness / self.playlists[nearest] ** smoothing
        kept = [min(len(self.tracks[t]), int(np.ceil(heard * near))) for t, near in zip(nearest, nearness, strict=True)]
        tracks = np.concatenate([self.tracks[t][:k] for t, k in zip(nearest, kept, strict=True)])
        weights = np.concatenate([self.weights[t][:k] * v for t, k, v in zip(nearest, kept, voice, strict=True)])
        found, place = np.unique(tracks, return_inverse=True)
        scores = np.bincount(place, weights).astype(np.float32)
        return [int(track) for track in found[np.lexsort((found, -scores))][:N]]

    def exact(self, title: str) -> list[int]:
        """The most held tracks of the very title, then the most popular ones."""
        own = [int(track) for track in self.profiles[title][0]] if title in self.profiles else []
        return list(dict.fromkeys([*own, *self.popular]))[:N]


def score(songs: Sequence[str], target: set[str]) -> tuple[float, float]:
    """R-precision and NDCG@500 of songs, best first, each once."""
    hits = np.fromiter((song in target for song in songs[:N]), dtype=bool)
    ideal = DISCOUNTS[: min(len(target), N)].sum()
    return hits[: len(target)].sum() / len(target), DISCOUNTS[: len(hits)][hits].sum() / ideal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of MPD slices")
    parser.add_argument("--part", choices=("validation", "test"), default="validation")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    os.environ.pop("DATABASE_URL", None)
    print_machine()
    with tempfile.TemporaryDirectory() as scratch, fresh_settings() as settings:
        lines = Path(scratch) / "train.jsonl"
        targets = split(arguments.folder, lines, arguments.part, arguments.seed)
        ingest(settings, "playlists", [lines])
        embed_titles(settings)
        encoder = prepare_encoder(settings.encoder, settings.models_folder)
        with connect(settings, autocommit=True) as connection:
            arrays = Arrays(connection)
            unseen = sorted({title for title, _ in targets} - set(arrays.vector_of))
            vectors = arrays.vector_of | dict(zip(unseen, encoder.encode(unseen), strict=True))
            print(
                f"{arguments.part}: {len(targets):,} playlists, {len(unseen):,} distinct titles are not searched ones"
            )

            def in_sql(title: str, method: str) -> list[int]:
                vector = "[" + ",".join(map(repr, vectors[title].tolist())) + "]"
                query = "SELECT track_id FROM vote(%s::vector, %s, %s) ORDER BY rank"
                rows = connection.execute(query, (vector, 2 * N if method == "seed" else N, method), prepare=True)
                return [track for (track,) in rows]

            ways: dict[str, Callable[[str], list[int]]] = {
                "popularity": lambda _title: arrays.popular,
                "exact title, then popularity": arrays.exact,
                "the paper's vote (SQL, seed)": lambda title: in_sql(title, "seed"),
                "ours (SQL, soft)": lambda title: in_sql(title, "soft"),
            }
            if arguments.part == "validation":
                ways["ours, the same in numpy"] = lambda title: arrays.soft(vectors[title])
                varied: dict[str, tuple[float, ...]] = {
                    "heard": (50, 100, 400, 1e9), "temperature": (0.05, 0.1, 0.15, 0.3), "smoothing": (0.0, 0.15, 0.5),
                    "titles": (50, 200, 500),
                }  # fmt: skip
                for name, values in varied.items():
                    for value in values:
                        option = {name: int(value) if name == "titles" else value}
                        ways[f"  {name} {value:g}"] = lambda title, o=option: arrays.soft(vectors[title], **o)  # type: ignore[misc]
            report(ways, targets, arrays.key_of)


def report(
    ways: dict[str, Callable[[str], list[int]]], targets: Sequence[Target], key_of: dict[int, str]
) -> None:  # fmt: skip
    """Print a line for each way; a title is answered once."""
    of_title: dict[str, list[set[str]]] = defaultdict(list)
    for title, songs in targets:
        of_title[title].append(songs)
    print(f"{'':32s} R-precision  NDCG@{N}")
    for name, answer in ways.items():
        sums: Counter[str] = Counter()
        for title, playlists in of_title.items():
            songs = list(dict.fromkeys(key_of[track] for track in answer(title)))
            for target in playlists:
                precision, gain = score(songs, target)
                sums["precision"] += precision
                sums["gain"] += gain
        print(f"{name:32s} {sums['precision'] / len(targets):11.4f} {sums['gain'] / len(targets):8.4f}")


if __name__ == "__main__":
    main()
