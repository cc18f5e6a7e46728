"""What the benchmarks share: a server of their own, quantiles, and a line that names machine and date."""

import datetime
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import psutil

from recsys.config import Settings
from recsys.database import EmbeddedServer, upgrade


@contextmanager
def fresh_settings() -> Iterator[Settings]:
    """Settings of a migrated, empty database on an embedded server that is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="recsys-bench-"))
    server = EmbeddedServer(home)
    try:
        server.start()
        settings = Settings(DATABASE_URL=server.url(), home=home)
        upgrade(settings)
        yield settings
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)


def print_machine() -> None:
    """Say where and when, since only ratios travel."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    memory = psutil.virtual_memory().total / 2**30
    load = os.getloadavg()[0]
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, Python "
        f"{platform.python_version()}, load {load:.1f} before the run, commit {commit}"
    )


def timings(calls: Sequence[Callable[[], object]], warm_up: int = 10) -> list[float]:
    """Seconds of each call, sorted, after a few that do not count."""
    for call in calls[:warm_up]:
        call()
    seconds = []
    for call in calls:
        begin = perf_counter()
        call()
        seconds.append(perf_counter() - begin)
    return sorted(seconds)


def quantiles(seconds: Sequence[float]) -> str:
    """Median and 95th percentile in ms."""
    return f"p50 {statistics.median(seconds) * 1e3:7.2f} ms   p95 {seconds[int(len(seconds) * 0.95)] * 1e3:7.2f} ms"
