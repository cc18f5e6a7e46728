"""How fast are titles embedded, in fp32 and rounded to int8, and how many need not be?

    python benchmarks/encode.py [SOURCE] [--encoder NAME|FOLDER] [--titles 2000]

SOURCE is a folder of MPD slices or a file with titles of playlists, one a line; without it they are those of 100,000
made-up playlists of the MPD's shape. Both precisions encode the same distinct titles in turns; printed are medians, the
ratio of the turns, and the cosines between the two.
"""

import argparse
import statistics
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from made_up_mpd import write_made_up_mpd
from stage import print_machine, quantiles, timings

from recsys.config import DEFAULT_ENCODER
from recsys.names import normal_title
from recsys.sources import Playlist, read_mpd
from recsys.titles.encoder import Encoder, prepare_encoder

TURNS = 5


def seconds_to_encode(encoder: Encoder, titles: list[str]) -> float:
    begin = perf_counter()
    encoder.encode(titles)
    return perf_counter() - begin


def names_of(source: Path) -> list[str]:
    """Titles of playlists, as they are written."""
    if source.is_file():
        return source.read_text(encoding="utf-8").splitlines()
    records = (record for batch in read_mpd(source) for record in batch.records)
    return [record.name for record in records if isinstance(record, Playlist)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="?")
    parser.add_argument("--encoder", default=DEFAULT_ENCODER)
    parser.add_argument("--titles", type=int, default=2000, help="distinct ones that are encoded")
    arguments = parser.parse_args()
    print_machine()
    if arguments.source:
        names = names_of(arguments.source)
    else:
        with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
            write_made_up_mpd(Path(folder), 100_000)
            names = names_of(Path(folder))
    distinct = sorted({title for name in names if (title := normal_title(name))})
    print(
        f"{len(names):,} playlists, {len(set(names)):,} names, {len(distinct):,} distinct normalised titles:"
        f" {len(names) / len(distinct):.1f} times fewer to embed"
    )
    chosen = np.random.default_rng(0).permutation(len(distinct))[: arguments.titles]
    titles = [distinct[place] for place in chosen.tolist()]
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        exact = prepare_encoder(arguments.encoder, Path(folder))
        rounded = prepare_encoder(arguments.encoder, Path(folder), precision="int8")
        turns = [(seconds_to_encode(exact, titles), seconds_to_encode(rounded, titles)) for _ in range(TURNS + 1)][1:]
        for name, seconds in (("fp32", [one for one, _ in turns]), ("int8", [other for _, other in turns])):
            print(f"{name}: {len(titles) / statistics.median(seconds):8.0f} titles/s")
        ratios = sorted(one / other for one, other in turns)
        print(f"int8 is {statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})")
        cosines = np.sum(exact.encode(titles) * rounded.encode(titles), axis=1)
        print(
            f"cosine of both: mean {cosines.mean():.4f}, 1 % under {np.quantile(cosines, 0.01):.4f},"
            f" least {cosines.min():.4f}"
        )
        for name, encoder in (("fp32", exact), ("int8", rounded)):
            alone = timings([partial(encoder.encode, [title]) for title in titles[:300]])
            print(f"a title alone, {name}: {quantiles(alone)}")


if __name__ == "__main__":
    main()
