"""How long does a listener wait whom training never saw? Likes in, the top 100 out, in a warm process.

    recsys tracklists train --snapshot GRAPHS --output RECOMMENDER
    python benchmarks/fold_in.py RECOMMENDER [--likes 20]

Listeners are made up: each likes songs drawn from a DJ's own. Needs no
database.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from scipy import sparse

from recsys.tracklists.recommender import load_recommender


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a trained recommender")
    parser.add_argument("--likes", type=int, default=20)
    parser.add_argument("--listeners", type=int, default=200)
    arguments = parser.parse_args()
    trained = load_recommender(arguments.folder)
    random = np.random.default_rng(0)
    plays = trained.plays
    djs = np.flatnonzero(np.diff(plays.indptr) >= arguments.likes)
    seconds = []
    for _ in range(arguments.listeners + 10):
        dj = int(random.choice(djs))
        songs = random.choice(plays.indices[plays.indptr[dj] : plays.indptr[dj + 1]], arguments.likes, replace=False)
        rows = (np.zeros(len(songs), dtype=np.int64), songs)
        likes = sparse.csr_matrix((np.ones(len(songs), dtype=np.float32), rows), shape=(1, plays.shape[1]))
        begin = time.perf_counter()
        (scored,) = trained.recommender.for_listeners(likes)
        best = scored.songs[~scored.is_known][:100]
        seconds.append(time.perf_counter() - begin)
        assert len(best) == 100
    warm = np.array(seconds[10:]) * 1000
    print(
        f"{trained.facts.model}, {plays.shape[1]:,} songs, {arguments.likes} likes:"
        f" p50 {np.median(warm):.1f} ms, p95 {np.quantile(warm, 0.95):.1f} ms"
    )


if __name__ == "__main__":
    main()
