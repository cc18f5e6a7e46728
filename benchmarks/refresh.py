"""A nightly refresh beside building everything: seconds, and whether both end in the same rows.

    python benchmarks/refresh.py FOLDER_OF_MPD_SLICES [--nights 3] [--share 0.01]
    python benchmarks/refresh.py --made-up 8000
    python benchmarks/refresh.py --replay SNAPSHOTS.jsonl.gz [--nights 10]
    python benchmarks/refresh.py --tracklists FILE.jsonl.gz .. [--nights 1] [--since 2014-01-01]

Of an MPD, all playlists but some are loaded and embedded: the full build. Each night then brings that share of the
playlists, drawn at random, and is loaded and refreshed. Dated snapshots of playlists (lines with `snapshot`) are
replayed in the order of their days instead: the first half of them is built, the rest comes in so many nights. At the
end everything is worked out anew from nothing, and compared. Of tracklists, the last ones by their dates come in the
nights, and the full build trains a blend and a recommender of next songs.
"""

import argparse
import gzip
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import psycopg
from made_up_mpd import write_made_up_mpd
from stage import fresh_settings, print_machine

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from recsys.refresh import refresh as refresh_all
from recsys.sequences.imported_next import import_next_recommender
from recsys.sequences.next_folder import train_next_recommender
from recsys.sources import FORMATS, Playlist
from recsys.titles import embed_titles
from recsys.titles.encoder import prepare_encoder
from recsys.titles.refresh import refresh_titles
from recsys.tracklists.graph_snapshot import load_graph_snapshot
from recsys.tracklists.imported import import_recommender
from recsys.tracklists.prepare import prepare_graph
from recsys.tracklists.recommender import train_recommender
from recsys.tracklists.running_order import load_running_order

VOTES = {
    "title_profile": "title_id, playlists",
    "learned_profile": "title_id, 0",
    "artist_profile": "artist_id, meant",
    "song_profile": "song_id, meant",
}
"""Tables of a recommender by their keys and numbers."""


def mpd_nights(folder: Path, nights: int, share: float) -> list[list[str]]:
    """Lines of the first build, then of each night."""
    lines = []
    for batch in FORMATS["mpd"].read(folder):
        for record in batch.records:
            assert isinstance(record, Playlist)
            tracks = [{"track_name": e.title, "artist_name": e.artist, "track_uri": e.uri} for e in record.entries if e]
            lines.append(json.dumps({"pid": record.external_id, "name": record.name, "tracks": tracks}))
    order = np.random.default_rng(0).permutation(len(lines))
    size = round(share * len(lines))
    later = [[lines[place] for place in order[night * size : (night + 1) * size]] for night in range(nights)]
    return [[lines[place] for place in sorted(order[nights * size :])], *later]


def snapshot_nights(file: Path, nights: int) -> list[list[str]]:
    """The first half of dated states in the order of their days, then as many to each night, no day in two of them."""
    with gzip.open(file, "rt", encoding="utf-8") as text:
        states = sorted(((json.loads(line)["snapshot"], line) for line in text), key=lambda state: state[0])
    days = [day for day, _ in states]
    firsts = [days[len(days) // 2 + night * (len(days) // 2) // nights] for night in range(nights)]
    places = [0, *(days.index(day) for day in firsts), len(days)]
    return [[line for _, line in states[first:last]] for first, last in pairwise(places)]


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds on the clock, of our process's CPU, and the result."""
    begin, cpu = perf_counter(), process_time()
    result = work()
    return perf_counter() - begin, process_time() - cpu, result


def load(settings: Settings, folder: Path, lines: list[str]) -> None:
    """Load playlists."""
    file = folder / "playlists.jsonl"
    file.write_text("\n".join(line.strip() for line in lines), encoding="utf-8")
    ingest(settings, "playlists", [file])


def refresh(settings: Settings, *, whole: bool = False) -> Any:
    """Refresh the title recommender."""
    with connect(settings) as connection:
        return refresh_titles(settings, connection, whole=whole)


def votes(connection: psycopg.Connection) -> dict[tuple[object, ...], dict[int, float]]:
    """What votes: table and keys -> track -> weight."""
    found = {}
    for table, numbers in VOTES.items():
        query = f"SELECT {numbers}, track_ids, weights FROM {table} WHERE model_id = current_model('title-recommender')"
        for key, number, tracks, weights in connection.execute(query):
            found[table, key, round(number, 4)] = dict(zip(tracks, weights, strict=True))
    return found


def compare(settings: Settings) -> None:
    """Work everything out from nothing, and say what differs."""
    with connect(settings, autocommit=True) as connection:
        before = votes(connection)
        for table in VOTES:
            connection.execute(f"DELETE FROM {table} WHERE model_id = current_model('title-recommender')")
        wall, cpu, _ = timed(lambda: refresh(settings, whole=True))
        after = votes(connection)
    largest = max(
        (abs(own.get(track, 0) - made.get(track, 0)) for own, made in _pairs(before, after) for track in own | made),
        default=0.0,
    )
    print(f"worked out from nothing, without a training    {wall:7.1f} s    {cpu:7.1f} s of CPU")
    print(
        f"rows in one of both alone: {len(before.keys() ^ after.keys()):,} of {len(after):,};"
        f" largest difference of a weight: {largest:.1e}"
    )


def _pairs(
    before: dict[tuple[object, ...], dict[int, float]], after: dict[tuple[object, ...], dict[int, float]]
) -> Iterator[tuple[dict[int, float], dict[int, float]]]:
    return ((own, after[key]) for key, own in before.items() if key in after)


def run(nights: list[list[str]]) -> None:
    """Build, refresh night after night, compare."""
    print_machine()
    first, *later = nights
    with fresh_settings() as settings, tempfile.TemporaryDirectory() as folder:
        prepare_encoder(settings.encoder, settings.models_folder)
        loading = timed(lambda: load(settings, Path(folder), first))
        building = timed(lambda: embed_titles(settings))
        summary = building[2]
        adapted = f"adapted to {summary.adapted_to:,} playlists"
        print(f"full build: {len(first):,} lists, {summary.profiles:,} titles, {adapted}")
        print(f"  load    {loading[0]:7.1f} s    {loading[1]:7.1f} s of CPU")
        print(f"  embed   {building[0]:7.1f} s    {building[1]:7.1f} s of CPU")
        print("night   lists   changed   profiles    load s   refresh s   CPU s    share of the full build: time   CPU")
        shares = []
        for number, night in enumerate(later, start=1):
            loaded = timed(lambda night=night: load(settings, Path(folder), night))  # type: ignore[misc]
            refreshed = timed(lambda: refresh(settings))
            wall = (loaded[0] + refreshed[0]) / (loading[0] + building[0])
            cpu = (loaded[1] + refreshed[1]) / (loading[1] + building[1])
            shares.append((wall, cpu))
            done = refreshed[2]
            print(
                f"{number:>5} {len(night):>7,} {done.changed:>9,} {done.profiles:>10,} {loaded[0]:>9.1f}"
                f" {refreshed[0]:>11.1f} {refreshed[1]:>7.1f} {wall:>35.1%} {cpu:>6.1%}"
            )
        wall, cpu = (statistics.median(column) for column in zip(*shares, strict=True))
        print(f"median: {wall:.1%} of the full build's time, {cpu:.1%} of its CPU")
        compare(settings)


def tracklist_nights(files: list[Path], since: str, nights: int, share: float) -> list[list[str]]:
    """Lines of tracklists from a day on: those of the first build, then the last ones in the order of their dates."""
    dated = []
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as text:
            dated += [(day, line) for line in text if (day := json.loads(line).get("date") or "") >= since]
    dated.sort(key=lambda pair: pair[0])
    size = round(share * len(dated))
    first = len(dated) - nights * size
    places = [0, *range(first, len(dated) + 1, size)]
    return [[line for _, line in dated[begin:end]] for begin, end in pairwise(places)]


def run_tracklists(nights: list[list[str]]) -> None:
    """Train, then refresh night after night."""
    print_machine()
    with fresh_settings() as settings, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)

        def load_lists(lines: list[str]) -> None:
            file = folder / "tracklists.jsonl"
            file.write_text("".join(lines), encoding="utf-8")
            ingest(settings, "tracklists", [file])

        def build() -> None:
            load_lists(nights[0])
            prepare_graph(settings, folder / "graphs")
            snapshot, facts = load_graph_snapshot(folder / "graphs")
            train_recommender(snapshot, facts, folder / "blend")
            order = load_running_order(folder / "graphs", facts.content_hash)
            train_next_recommender(snapshot, order, facts, folder / "next")
            import_recommender(settings, folder / "blend")
            import_next_recommender(settings, folder / "next")

        def night(lines: list[str]) -> list[str]:
            load_lists(lines)
            return [done.found for done in refresh_all(settings, sources=False)]

        wall, cpu, _ = timed(build)
        print(f"full build of {len(nights[0]):,} tracklists {wall:10.1f} s    {cpu:7.1f} s of CPU")
        for number, lines in enumerate(nights[1:], start=1):
            own_wall, own_cpu, found = timed(lambda lines=lines: night(lines))  # type: ignore[misc]
            print(
                f"night {number}, {len(lines):,} tracklists {own_wall:16.1f} s    {own_cpu:7.1f} s of CPU"
                f"    {own_wall / wall:.1%} of the time, {own_cpu / cpu:.1%} of the CPU"
            )
            for said in found:
                print(f"    {said}")


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--made-up", type=int, metavar="PLAYLISTS")
    parser.add_argument("--replay", type=Path, metavar="FILE")
    parser.add_argument("--tracklists", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--since", default="", metavar="DATE")
    parser.add_argument("--nights", type=int)
    parser.add_argument("--share", type=float, default=0.01)
    given = parser.parse_args()
    if given.replay:
        run(snapshot_nights(given.replay, given.nights or 10))
        return
    if given.tracklists:
        run_tracklists(tracklist_nights(given.tracklists, given.since, given.nights or 1, given.share))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder
        if given.made_up:
            folder = Path(made) / "mpd"
            write_made_up_mpd(folder, given.made_up)
        run(mpd_nights(folder, given.nights or 3, given.share))


if __name__ == "__main__":
    main()
