"""Training where there is a GPU and a checkout, and nothing else of ours.

python -m recsys.tracklists.training --snapshot DIR --output DIR [--model tl-mgccf] [--epochs 600] [--seed 0]
It is what `recsys tracklists train` does.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from recsys.errors import RecsysError
from recsys.folders import training_state
from recsys.progress import by_step, interruption
from recsys.tracklists.graph_snapshot import load_graph_snapshot
from recsys.tracklists.recommender import train_recommender, training_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; the facts are a line of JSON on stdout, progress and errors are on stderr; returns the exit code."""
    parser = argparse.ArgumentParser(prog="recsys.tracklists.training", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--snapshot", type=Path, required=True, metavar="DIR")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", choices=("blend", "tl-mgccf"), default="blend")
    parser.add_argument("--epochs", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    given = parser.parse_args(arguments)
    try:
        graph, facts = load_graph_snapshot(given.snapshot)
        options = training_options(given.model, seed=given.seed, epochs=given.epochs, device=given.device)
        trained = train_recommender(graph, facts, given.output, options, progress=by_step(sys.stderr.write))
    except RecsysError as error:
        sys.stderr.write(f"recsys: {error}\n")
        return 1
    except KeyboardInterrupt:
        is_kept = given.model == "tl-mgccf" and training_state(given.output).exists()
        sys.stderr.write(f"{interruption(is_kept)}\n")
        return 1
    sys.stdout.write(f"{json.dumps(asdict(trained), default=str)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
