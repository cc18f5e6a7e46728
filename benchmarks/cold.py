"""Whole processes, cold: what a person waits for at the prompt. Needs a database with embedded titles.

    python benchmarks/cold.py "a known title" "a title that is not there"

The peers are `python -c pass` and an import of sentence-transformers, which an unseen title would need without the
exported encoder.
"""

import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from stage import print_machine

RUNS = 9
RECSYS = str(Path(sys.executable).with_name("recsys"))


def median_seconds(command: list[str], runs: int = RUNS) -> float:
    """Median wall time of a command that must succeed."""
    seconds = []
    for _ in range(runs):
        begin = perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(perf_counter() - begin)
    return statistics.median(seconds)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print_machine()
    known, unseen = sys.argv[1:]
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "recsys --help": [RECSYS, "--help"],
        f"recsys recommend {known!r} (known)": [RECSYS, "recommend", known],
        f"recsys recommend {unseen!r} (unseen)": [RECSYS, "recommend", unseen],
    }
    for name, command in commands.items():
        print(f"{name:50s} {median_seconds(command):6.2f} s   median of {RUNS}")
    peer = "import sentence_transformers"
    print(f"{peer:50s} {median_seconds([sys.executable, '-c', peer], 3):6.2f} s   median of 3")


if __name__ == "__main__":
    main()
