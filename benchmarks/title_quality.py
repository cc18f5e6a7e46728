"""Do the votes find what playlists of a title hold? Ours beside the paper's, exact titles, a kernel and popularity.

    python benchmarks/title_quality.py FOLDER_OF_MPD_SLICES [--part test] [--tune] [--trained FT_C --trained FT_T]
    python benchmarks/title_quality.py FOLDER_OF_MPD_SLICES --folds 5 6 7 8 9

The playlists are loaded into a database of their own and split 80/10/10, seeded; profiles, popularity, artists and what
is learned of titles come from the train part, and only its playlists are searched. The encoder answers as it is and
adapted, and so do fine-tuned ones as they are: folders that `recsys titles finetune` wrote for this split. Every
playlist of the part that is asked for (validation unless told otherwise) is recommended from its title alone. Choose on
validation, report test once.

With --folds the playlists are divided into ten at random instead, and each fold that is named is recommended from the
nine others; printed are the means over all of their playlists. Our defaults were chosen on the folds 0 to 4.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from stage import fresh_settings, print_machine

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from recsys.evaluation.metrics import N
from recsys.evaluation.titles import MethodResult, evaluate_titles, validation_score
from recsys.titles import embed_titles
from recsys.titles.splits import Part, make_split, store_split
from recsys.titles.trained import import_model
from recsys.titles.tuning import tune_titles

METRICS = ("r_precision", "r_precision_tracks", "ndcg", "clicks")
FOLDS, FOLDS_SEED = 10, 5


def add_fold(settings: Settings, fold: int) -> str:
    """Store a split whose test part is one of the ten folds, the rest is train; returns its name."""
    name = f"fold-{fold}"
    with connect(settings) as connection:
        playlists = [row[0] for row in connection.execute("SELECT id FROM playlist ORDER BY id")]
        folds = np.random.default_rng(FOLDS_SEED).integers(0, FOLDS, len(playlists))
        parts: dict[bool, Part] = {True: "test", False: "train"}
        divided = [(playlist, parts[own == fold]) for playlist, own in zip(playlists, folds.tolist(), strict=True)]
        store_split(connection, name, divided, protocol="clean", seed=FOLDS_SEED, config={})
    return name


def pooled(by_fold: Sequence[Sequence[MethodResult]]) -> list[MethodResult]:
    """The results of each method over the playlists of all folds."""
    every = list(by_fold[0])
    for results in by_fold[1:]:
        for place, result in enumerate(results):
            assert result.method == every[place].method
            joined = {key: values + result.scores[key] for key, values in every[place].scores.items()}
            titles, seconds = every[place].titles + result.titles, every[place].seconds + result.seconds
            every[place] = MethodResult(result.method, None, titles, seconds, joined)
    return every


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of MPD slices")
    parser.add_argument("--part", choices=("validation", "test"), default="validation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trained", type=Path, action="append", default=[], metavar="DIR", help="a fine-tuned encoder")
    parser.add_argument("--folds", type=int, nargs="+", default=[], choices=range(FOLDS), help="of ten")
    parser.add_argument("--tune", action="store_true", help="first fit the vote's parameters on validation")
    arguments = parser.parse_args()
    os.environ.pop("DATABASE_URL", None)
    print_machine()
    with fresh_settings() as settings:
        ingest(settings, "mpd", [arguments.folder])
        if arguments.folds:
            print_results(pooled([fold_results(settings, fold) for fold in arguments.folds]))
            return
        split = make_split(settings, "clean", seed=arguments.seed)
        embed_titles(settings, split="clean", adapt=False)
        for folder in arguments.trained:
            import_model(settings, folder)
            embed_titles(settings, folder.name, split="clean", adapt=False)
        embed_titles(settings, split="clean", adapt=True)
        print(
            f"{arguments.part} of {split.train:,}/{split.validation:,}/{split.test:,} playlists, seed {arguments.seed}"
        )
        if arguments.tune:
            tuned = tune_titles(settings, "clean", validation_score(settings, "clean"))
            print(f"score {tuned.before:.4f} before, {tuned.after:.4f} after: {tuned.parameters} {tuned.smoothing}")
        print_results(evaluate_titles(settings, "clean", arguments.part))


def fold_results(settings: Settings, fold: int) -> list[MethodResult]:
    """Every method on one fold, which is also printed as it comes."""
    name = add_fold(settings, fold)
    embed_titles(settings, split=name, adapt=False)
    embed_titles(settings, split=name, adapt=True)
    results = evaluate_titles(settings, name, "test", keep=False)
    print(f"fold {fold}", flush=True)
    print_results(results)
    return results


def print_results(results: Sequence[MethodResult]) -> None:
    """A table of the means, with the number of playlists."""
    print(f"{len(results[0].scores[METRICS[0], N]):,} playlists")
    print(f"{'':34s}" + "".join(f"{name:>20s}" for name in METRICS) + f"{'ms a title':>12s}")
    for result in results:
        values = "".join(f"{result.mean(name, N):20.4f}" for name in METRICS)
        print(f"{result.method:34s}{values}{1000 * result.seconds / result.titles:12.1f}", flush=True)


if __name__ == "__main__":
    main()
