"""Which song does a DJ play next? Every baseline on snapshots that `recsys tracklists prepare` held tracklists out of.

    recsys tracklists prepare validation --before 2016-01-01 --until 2017-01-01
    recsys tracklists prepare test --before 2017-01-01
    python benchmarks/next_quality.py validation [test] [--methods sknn sr] [--days 60 --positions 20] [--renew 7]

Needs no database. Parameters were chosen on validation; report test once.
"""

import argparse
import datetime
import os
import platform
import sys
from pathlib import Path

from recsys.evaluation.next_learned import network_method
from recsys.evaluation.next_methods import DEFAULT_METHODS, METHODS, chosen_methods, measure
from recsys.evaluation.next_song import NextSongOptions
from recsys.evaluation.next_tables import next_tables, part_of
from recsys.progress import by_step
from recsys.tracklists.graph_snapshot import load_graph_snapshot
from recsys.tracklists.later import load_later
from recsys.tracklists.running_order import load_running_order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="snapshots")
    parser.add_argument("--methods", nargs="*", choices=tuple(METHODS), default=DEFAULT_METHODS)
    parser.add_argument("--networks", type=Path, nargs="*", default=[], help="trained on the one snapshot, too")
    for name in ("tracklists", "positions", "context", "least_plays", "days", "renew", "seed"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(NextSongOptions, name))
    arguments = vars(parser.parse_args())
    folders, names, networks = (arguments.pop(name) for name in ("folders", "methods", "networks"))
    options = NextSongOptions(**arguments)
    print(f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for folder in folders:
        snapshot, graph_facts = load_graph_snapshot(folder)
        _, facts = load_later(folder, graph_facts.content_hash)
        order = load_running_order(folder, graph_facts.content_hash)
        print(f"\n{part_of(facts, options)}: {len(order.past):,} tracklists before", flush=True)
        methods = chosen_methods(names)
        methods |= {trained.name: network_method(trained, snapshot, graph_facts.content_hash) for trained in networks}
        for table in next_tables(measure(order, methods, options, by_step(sys.stderr.write))):
            print("", *table.lines(), sep="\n", flush=True)


if __name__ == "__main__":
    main()
