"""Answering a title in a warm session: p50 and p95 over 500 titles, beside the bare search and a scan in process.

    python benchmarks/answer.py --made-up 100000        # loads, embeds, then measures
    DATABASE_URL=... python benchmarks/answer.py        # measures a database that is there

The in-process peer is what the paper's demo does: all vectors in memory, a numpy scan, a count over playlists' tracks.
"""

import argparse
import os
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psycopg
from made_up_mpd import write_made_up_mpd
from stage import fresh_settings, print_machine, quantiles, timings

from recsys.catalog import ingest
from recsys.config import Settings, load_settings
from recsys.database import connect
from recsys.titles import embed_titles, recommend

TITLES = 500
N = 50


class InProcess:
    """The peer: vectors and the tracks of every title's playlists in arrays."""

    def __init__(self, connection: psycopg.Connection) -> None:
        rows = connection.execute(
            "SELECT e.title_id, e.embedding::real[], p.track_ids, p.weights FROM title_embedding AS e"
            " JOIN model AS m ON m.is_current AND e.model_id = vectors_of(m.id)"
            " JOIN title_profile AS p ON p.model_id = m.id AND p.title_id = e.title_id"
        ).fetchall()
        self.vectors = np.array([row[1] for row in rows], dtype=np.float32)
        self.tracks = [np.array(row[2]) for row in rows]
        self.weights = [np.array(row[3]) for row in rows]
        self.largest = max(int(tracks.max()) for tracks in self.tracks) + 1

    def recommend(self, vector: np.ndarray, titles: int = 20) -> np.ndarray:
        """The N best tracks for a vector."""
        similarity = self.vectors @ vector
        nearest = np.argpartition(-similarity, titles)[:titles]
        voice = np.exp((similarity[nearest] - similarity[nearest].max()) / 0.2)
        tracks = np.concatenate([self.tracks[title] for title in nearest])
        weights = np.concatenate([self.weights[t] * w for t, w in zip(nearest, voice, strict=True)])
        found, place = np.unique(tracks, return_inverse=True)
        scores = np.bincount(place, weights)
        best = np.argpartition(-scores, min(N, len(scores) - 1))[:N]
        return found[best[np.argsort(-scores[best])]]


def measure(settings: Settings) -> None:
    """Print the table for a database that has embedded titles."""
    with connect(settings, autocommit=True) as connection:
        names = [name for (name,) in connection.execute("SELECT title FROM title_stats ORDER BY title_id")]
        chosen = random.Random(0).choices(names, k=TITLES)
        vectors = dict(
            connection.execute(
                "SELECT t.name, title_vector(t.name)::text FROM title AS t JOIN title_stats AS s ON s.title_id = t.id"
            ).fetchall()
        )
        given = [_shaken(vectors[name]) for name in chosen]
        peer = InProcess(connection)
        print(f"{len(names):,} titles, {TITLES} asked, {N} tracks each")

        def ask(query: str, parameters: Sequence[object]) -> None:
            connection.execute(query, parameters, prepare=True).fetchall()

        nearest = "SELECT * FROM nearest_titles(%s::vector, 100)"
        vote = "SELECT * FROM vote(%s::vector, %s)"
        rows = {
            "known title, recommend()": [lambda name=name: recommend(connection, name, N) for name in chosen],
            "known title, SQL": [
                lambda name=name: ask("SELECT * FROM recommend_for_title(%s, %s)", (name, N)) for name in chosen
            ],
            "given vector, vote()": [lambda vector=vector: ask(vote, (vector, N)) for vector in given],
            "given vector, the paper's vote": [
                lambda vector=vector: ask("SELECT * FROM vote(%s::vector, %s, 'seed')", (vector, N)) for vector in given
            ],
            "bare neighbour search": [lambda vector=vector: ask(nearest, (vector,)) for vector in given],
            "numpy scan and vote in process": [
                lambda vector=vector: peer.recommend(np.fromstring(vector[1:-1], np.float32, sep=","))
                for vector in given
            ],
        }
        medians = {}
        for name, calls in rows.items():
            seconds = timings(calls)
            medians[name] = seconds[len(seconds) // 2]
            print(f"{name:32s} {quantiles(seconds)}")
    ours = medians["given vector, vote()"]
    print(
        f"ratios of medians: vote() is {ours / medians['bare neighbour search']:.1f} x the bare search, "
        f"{ours / medians['numpy scan and vote in process']:.1f} x the scan in process"
    )


def _shaken(vector: str) -> str:
    """A unit vector near a stored one, so that the query is an unseen title's."""
    values = np.fromstring(vector[1:-1], np.float32, sep=",")
    values += np.random.default_rng(0).normal(0, 0.01, len(values)).astype(np.float32)
    values /= np.linalg.norm(values)
    return "[" + ",".join(map(repr, values.tolist())) + "]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--made-up", type=int, metavar="N", help="make up, load and embed N playlists first")
    arguments = parser.parse_args()
    print_machine()
    if not arguments.made_up:
        measure(load_settings())
        return
    os.environ.pop("DATABASE_URL", None)
    with tempfile.TemporaryDirectory() as scratch, fresh_settings() as settings:
        write_made_up_mpd(Path(scratch), arguments.made_up)
        ingest(settings, "mpd", [Path(scratch)])
        embed_titles(settings)
        measure(settings)


if __name__ == "__main__":
    main()
