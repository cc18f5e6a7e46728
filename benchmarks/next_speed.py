"""How many beginnings of tracklists does `recsys tracklists next` answer a second, in a warm process?

    python benchmarks/next_speed.py [--songs 31214 --tracklists 50000]
    python benchmarks/next_speed.py --model DIR [--database] [--later]

A made-up set, or a trained recommender; beginnings are of its own tracklists of any time, of 1 to 15 songs. With
--database, names are looked up and shown, in the database of the settings, which DIR must have been trained on.
"""

import argparse
import datetime
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from stage import print_machine

from recsys.config import load_settings
from recsys.database import connect
from recsys.sequences import next_answers
from recsys.sequences.next_folder import TrainedNext, load_next_recommender
from recsys.sequences.next_song import NextOptions, NextRecommender
from recsys.sequences.next_training import train_next_song
from recsys.sequences.played import Counts, Played
from recsys.sources import Entry, Tracklist
from recsys.tracklists.graph_snapshot import NO_DATE
from recsys.tracklists.running_order import Sets

RUNS = 5
K = 20
LENGTH = 30
"""Songs of a made-up tracklist; a quarter of them are not in the vocabulary."""
PROGRAMMES, DJS, DAYS = 2_000, 1_000, 3_000


def made_up(songs: int, tracklists: int, random: np.random.Generator) -> tuple[Sets, np.ndarray, Counts]:
    """Tracklists of programmes that each play their part of the songs, few songs often and most of them rarely."""
    programmes = np.minimum((random.pareto(0.6, tracklists) * 2).astype(np.int64), PROGRAMMES - 1)
    days = np.sort(random.integers(DAYS, size=tracklists))
    plays = tracklists * LENGTH
    rank = np.minimum((random.pareto(0.8, plays) * songs / 400).astype(np.int64), songs - 1)
    shift = np.repeat(programmes % 20, LENGTH) * (songs // 20) + np.repeat(days, LENGTH) * songs // (4 * DAYS)
    played = (rank + shift) % songs
    played[random.random(plays) < 0.25] = -1
    artists = songs // 2
    song_artists = random.integers(artists, size=songs)
    sets = Sets(
        starts=LENGTH * np.arange(tracklists + 1),
        songs=played,
        artists=np.where(played >= 0, song_artists[played], random.integers(artists, size=plays)),
        djs=programmes % DJS,
        programmes=programmes,
        days=days,
    )
    return sets, song_artists, Counts(songs, artists, DJS, PROGRAMMES)


def beginnings(sets: Sets, count: int, random: np.random.Generator) -> Sets:
    """Of 1 to 15 songs."""
    lists = random.choice(np.flatnonzero(sets.lengths > 1), count)
    return sets.upto(lists, np.minimum(random.integers(1, 16, size=count), sets.lengths[lists]))


def by_names(trained: TrainedNext, begun: Sets, connection: object) -> list[Tracklist]:
    """Beginnings as a file names them; songs that are not in the vocabulary are such as nobody knows."""
    order = trained.order
    names = {}
    for number, _, title, version, _, _, _, artists in connection.execute(  # type: ignore[attr-defined]
        next_answers.NAMES, (order.songs.tolist(),)
    ):
        names[number] = (f"{title} ({version})" if version else title, tuple(artists))
    djs = dict(connection.execute("SELECT id, name FROM dj WHERE id = ANY(%s)", (trained.djs.tolist(),)))  # type: ignore[attr-defined]
    unknown = ("Song That Nobody Knows", ("Nobody At All",))
    first = datetime.date(1970, 1, 1)
    made = []
    for row in range(len(begun)):
        held = begun.songs[begun.starts[row] : begun.starts[row + 1]].tolist()
        said = [names[int(order.songs[song])] if song >= 0 else unknown for song in held]
        day = int(begun.days[row])
        made.append(
            Tracklist(
                external_id=str(row),
                title=order.programmes[begun.programmes[row]] if begun.programmes[row] >= 0 else "",
                djs=(djs[int(trained.djs[begun.djs[row]])],) if begun.djs[row] >= 0 else (),
                entries=[Entry(title, ", ".join(artists), artists=artists) for title, artists in said],
                file="",
                place="",
                played_on=None if day == NO_DATE else first + datetime.timedelta(day),
            )
        )
    return made


def seconds(answer: Callable[[], object]) -> float:
    begin = perf_counter()
    answer()
    return perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=31_214)
    parser.add_argument("--tracklists", type=int, default=50_000)
    parser.add_argument("--prefixes", type=int, default=1_500)
    parser.add_argument("--later", action="store_true", help="as if all went on the day after the last tracklist")
    parser.add_argument("--model", type=Path, help="a trained recommender of next songs")
    parser.add_argument("--database", action="store_true", help="look names up in the settings' database")
    arguments = parser.parse_args()
    if arguments.database and arguments.model is None:
        parser.error("--database goes with --model")
    print_machine()
    random = np.random.default_rng(0)
    if arguments.model is None:
        sets, song_artists, counts = made_up(arguments.songs, arguments.tracklists, random)
        options = NextOptions(spans=1, scattered=0, positions=300, others=100)
        grown = train_next_song(sets, song_artists, counts, options)
        recommender, size = NextRecommender(grown, Played(sets, song_artists, counts)), counts.songs
    else:
        trained = load_next_recommender(arguments.model)
        recommender, sets, size = trained.recommender, trained.order.past, len(trained.order.songs)
    begun = beginnings(sets, arguments.prefixes, random)
    if arguments.later:
        begun = replace(begun, days=np.full(len(begun), sets.days.max() + 1))

    def alone() -> object:
        return recommender.next(begun, K)

    answer, how = alone, "the recommender alone"
    if arguments.database:
        connection = connect(load_settings(), autocommit=True)
        named = by_names(trained, begun, connection)

        def answer() -> object:
            return list(next_answers.answers(connection, trained, named, K))

        how = "names read from the database"
    answer()
    begin = process_time()
    taken = [seconds(answer) for _ in range(RUNS)]
    busy = (process_time() - begin) / RUNS / len(begun)
    median = statistics.median(taken)
    print(
        f"{size:,} songs, {len(sets):,} tracklists, {how}: {len(begun) / median:,.0f} prefixes/s, median of {RUNS} runs"
        f" of {len(begun):,} ({len(begun) / max(taken):,.0f} to {len(begun) / min(taken):,.0f});"
        f" {busy * 1e3:.2f} ms of one core each"
    )


if __name__ == "__main__":
    main()
