"""Do the votes find what playlists of a title hold? Ours beside the paper's, exact titles, a kernel and popularity.

    python benchmarks/title_quality.py FOLDER_OF_MPD_SLICES [--part test] [--tune] [--trained FT_C --trained FT_T]

The playlists are loaded into a database of their own and split 80/10/10, seeded; profiles, popularity, artists and what
is learned of titles come from the train part, and only its playlists are searched. The encoder answers as it is and
adapted, and so do fine-tuned ones as they are: folders that `recsys titles finetune` wrote for this split. Every
playlist of the part that is asked for (validation unless told otherwise) is recommended from its title alone. Choose on
validation, report test once.
"""

import argparse
import os
from pathlib import Path

from stage import fresh_settings, print_machine

from recsys.catalog import ingest
from recsys.evaluation.metrics import N
from recsys.evaluation.titles import evaluate_titles, validation_score
from recsys.titles import embed_titles
from recsys.titles.splits import make_split
from recsys.titles.trained import import_model
from recsys.titles.tuning import tune_titles

METRICS = ("r_precision", "r_precision_tracks", "ndcg", "clicks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of MPD slices")
    parser.add_argument("--part", choices=("validation", "test"), default="validation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trained", type=Path, action="append", default=[], metavar="DIR", help="a fine-tuned encoder")
    parser.add_argument("--tune", action="store_true", help="first fit the vote's parameters on validation")
    arguments = parser.parse_args()
    os.environ.pop("DATABASE_URL", None)
    print_machine()
    with fresh_settings() as settings:
        ingest(settings, "mpd", [arguments.folder])
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
        results = evaluate_titles(settings, "clean", arguments.part)
    print(f"{'':34s}" + "".join(f"{name:>20s}" for name in METRICS) + f"{'ms a title':>12s}")
    for result in results:
        values = "".join(f"{result.mean(name, N):20.4f}" for name in METRICS)
        print(f"{result.method:34s}{values}{1000 * result.seconds / result.titles:12.1f}")


if __name__ == "__main__":
    main()
