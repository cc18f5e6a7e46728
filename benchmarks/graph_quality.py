"""Which songs do DJs play next? Every baseline on snapshots that `recsys tracklists prepare` held plays out of.

    recsys tracklists prepare validation --before 2016-01-01 --until 2017-01-01
    recsys tracklists prepare test --before 2017-01-01
    recsys tracklists prepare pairs --hold-out-pairs 0.1
    python benchmarks/graph_quality.py validation [test pairs] [--methods own-90d dj-knn] [--device cuda]

Needs no database. A method whose package is missing is left out, and said to be. Parameters were chosen on validation;
report test once.
"""

import argparse
import datetime
import os
import platform
import sys
from pathlib import Path

from recsys.evaluation.graph_learned import Foretold, check_snapshot
from recsys.evaluation.graph_methods import METHODS, Fit, Fitting, chosen_methods, measure
from recsys.evaluation.graph_tables import graph_tables
from recsys.tracklists.graph_snapshot import load_graph_snapshot
from recsys.tracklists.later import load_later
from recsys.tracklists.recommender import load_recommender


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="snapshots")
    parser.add_argument("--methods", nargs="*", choices=tuple(METHODS), default=tuple(METHODS))
    parser.add_argument("--recommenders", type=Path, nargs="*", default=[], help="trained on the one snapshot, too")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where networks run")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    fitting = Fitting(arguments.device, arguments.seed, show)
    for folder in arguments.folders:
        snapshot, graph_facts = load_graph_snapshot(folder)
        later, facts = load_later(folder, graph_facts.content_hash)
        print(f"\n{facts.part}: {graph_facts.tracklists:,} tracklists, {len(snapshot.songs):,} songs", flush=True)
        methods = chosen_methods(arguments.methods)
        for trained in arguments.recommenders:
            methods[trained.name] = trained_method(trained, graph_facts.content_hash)
        measured = measure(snapshot, later, methods, fitting=fitting)
        for table in graph_tables(measured.results):
            print("", *table.lines(), sep="\n", flush=True)
        for name, package in measured.missing.items():
            print(f"left out: {name}, for want of the package {package}")


def trained_method(folder: Path, snapshot_hash: str) -> Fit:
    trained = load_recommender(folder)
    check_snapshot(trained.facts.snapshot_hash, folder.name, snapshot_hash)
    return lambda snapshot, _: Foretold(trained.recommender, len(snapshot.songs))


def show(step: str, done: int, of: int) -> None:
    """One line a step on stderr, not one a part of it."""
    if done == of == 0:
        print(step, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
