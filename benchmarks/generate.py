"""How long does a list take? 15 songs by a seed song and a DJ, in a warm process, the database read included.

    python benchmarks/generate.py                 made-up songs, as many as published, and an untrained network
    python benchmarks/generate.py --model NAME    a model that was imported into the database of the settings

The made-up world has a server of its own in a folder that is removed again. Beside the whole, what the statement of the
candidates takes alone.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psycopg
import torch

from recsys.config import Settings, load_settings
from recsys.database import EmbeddedServer, connect, copy_rows, upgrade
from recsys.sequences.candidates import Liking, read_candidates
from recsys.sequences.foreteller import Foreteller
from recsys.sequences.generate import Wanted
from recsys.sequences.imported import import_sequence_model
from recsys.sequences.lists import CANDIDATES, generate_lists, loaded_model
from recsys.sequences.sequence_model import SequenceFacts, write_sequence_model
from recsys.sequences.sequence_module import Frozen, Predictor, Sizes
from recsys.sequences.sequence_options import PUBLISHED_LEVELS, PUBLISHED_SONGS, SequenceOptions
from recsys.tracklists.prepare import names_hash

DJS = 1000
ARTISTS = 10_000
SONGS_OF_A_LIST = 15


@contextmanager
def made_up(songs: int) -> Iterator[Settings]:
    """A database of songs that come in groups, played by DJs of a group each, and a network of the published size."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home))
        server = EmbeddedServer(settings.home)
        try:
            upgrade(settings)
            folder = Path(home) / "made-up"
            with connect(settings) as connection:
                _fill(connection, songs)
                _write_network(connection, songs, folder)
            import_sequence_model(settings, folder)
            with connect(settings, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
            yield settings
        finally:
            server.stop()


def _fill(connection: psycopg.Connection, songs: int) -> None:
    random = np.random.default_rng(0)
    text, number = "text", "int8"
    named = {"id": number, "name": text, "key": text}
    copy_rows(connection, "artist", named, ((row, f"Artist {row}", f"a{row}") for row in range(ARTISTS)))
    copy_rows(connection, "dj", named, ((row, f"DJ {row}", f"d{row}") for row in range(DJS)))
    columns = {"id": number, "title": text, "artist": text, "key": text}
    made = ((row, f"Song {row}", f"Artist {row % ARTISTS}", f"s{row}") for row in range(songs))
    copy_rows(connection, "song", columns, made)
    credited = {"song_id": number, "artist_id": number, "role": text, "weight": "float4"}
    copy_rows(connection, "song_artist", credited, ((row, row % ARTISTS, "main", 1.0) for row in range(songs)))
    columns = {"id": number, "source_id": number, "external_id": text, "title": text, "tags": "text[]"}
    columns |= {"entries": "int4", "content_hash": number}
    lists = ((row, 1, f"{row}", "made up", [], SONGS_OF_A_LIST, row) for row in range(DJS))
    copy_rows(connection, "tracklist", columns, lists)
    played = {"tracklist_id": number, "position": "int2", "dj_id": number}
    copy_rows(connection, "tracklist_dj", played, ((row, 0, row) for row in range(DJS)))
    entries = (
        (row, place, int(song))
        for row in range(DJS)
        for place, song in enumerate(random.integers(songs // 48, size=SONGS_OF_A_LIST) * 48 % songs + row % 48)
        if song < songs
    )
    copy_rows(connection, "tracklist_track", {"tracklist_id": number, "position": "int4", "song_id": number}, entries)
    connection.execute("REFRESH MATERIALIZED VIEW song_stats")
    connection.commit()


def _write_network(connection: psycopg.Connection, songs: int, folder: Path) -> None:
    """Song n is of the group n mod 48, whose songs are near each other and in the same clusters."""
    torch.manual_seed(0)
    options = SequenceOptions(djs=True)
    group = torch.arange(songs) % 48
    inputs = torch.randn(48, 48)[group] + torch.randn(songs, 48)
    below = torch.randint(25, (songs,)) + 25 * group
    lowest = torch.zeros(songs, PUBLISHED_LEVELS[0]).scatter_(1, below[:, None], 0.8)
    lowest.scatter_add_(1, torch.randint(PUBLISHED_LEVELS[0], (songs, 2)), torch.full((songs, 2), 0.1))
    upper = [torch.eye(384).repeat_interleave(3, dim=0)[:1200], torch.eye(48).repeat_interleave(8, dim=0)]
    upper[0] = torch.cat([upper[0], torch.eye(384)[torch.arange(1200 - len(upper[0])) % 384]])
    widths = (*options.pooled_features, options.pooled_features[-1])
    features = [torch.randn(count, width) for count, width in zip(PUBLISHED_LEVELS, widths, strict=True)]
    frozen = Frozen(inputs, torch.randn(songs, options.width) / 4, torch.zeros(songs), [lowest, *upper], features)
    sizes = Sizes(songs, DJS, 1)
    ids, djs = np.arange(songs), np.arange(DJS)
    facts = SequenceFacts(vars(options), {}, [], sizes._asdict(), "", names_hash(connection, ids, djs), "", before=None)
    foreteller = Foreteller(Predictor(sizes, inputs.shape[1], widths, options), frozen)
    write_sequence_model(folder, facts, foreteller, ids, djs, np.zeros(DJS + 1, dtype=np.int64))


def milliseconds(what: Callable[[int], object], times: int) -> np.ndarray:
    taken = []
    for number in range(times + 5):
        begin = time.perf_counter()
        what(number)
        taken.append(time.perf_counter() - begin)
    return np.array(taken[5:]) * 1000


def report(name: str, taken: np.ndarray) -> None:
    print(f"{name}: p50 {np.median(taken):.1f} ms, p95 {np.quantile(taken, 0.95):.1f} ms")


def measure(settings: Settings, model: str | None, times: int) -> None:
    random = np.random.default_rng(1)
    with connect(settings, autocommit=True) as connection:
        model_id, trained = loaded_model(connection, model)
        djs = [dj for (dj,) in connection.execute("SELECT dj_id FROM dj_embedding WHERE model_id = %s", (model_id,))]
        seeds = random.choice(trained.songs, times + 5)
        askers = random.choice(djs, times + 5)
        print(f"{len(trained.songs):,} songs, {trained.model.sizes} clusters")

        def liking(number: int) -> Liking:
            return Liking([int(seeds[number])], dj_id=int(askers[number]))

        def one(number: int) -> object:
            return generate_lists(connection, liking(number), Wanted(seed=number), model=model)

        def read(number: int) -> object:
            sizes = trained.model.sizes
            return read_candidates(
                connection, model_id, trained.songs, sizes, liking(number), user_weight=1, n=CANDIDATES
            )

        report("a list of 15 songs", milliseconds(one, times))
        report("of that, the candidates", milliseconds(read, times))
        report(
            "a list for nobody",
            milliseconds(lambda n: generate_lists(connection, Liking([int(seeds[n])]), Wanted(), model=model), times),
        )
        report(
            "the likeliest list (--beam)",
            milliseconds(
                lambda n: generate_lists(connection, liking(n), Wanted(has_beam=True), model=model), times // 10
            ),
        )
        begin = time.perf_counter()
        generate_lists(connection, liking(0), Wanted(lists=1000), model=model)
        print(f"1,000 lists in one call: {time.perf_counter() - begin:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="an imported model, or `current`")
    parser.add_argument("--songs", type=int, default=PUBLISHED_SONGS)
    parser.add_argument("--times", type=int, default=200)
    arguments = parser.parse_args()
    if arguments.model:
        name = None if arguments.model == "current" else arguments.model
        measure(load_settings(), name, arguments.times)
        return
    with made_up(arguments.songs) as settings:
        measure(settings, None, arguments.times)


if __name__ == "__main__":
    main()
