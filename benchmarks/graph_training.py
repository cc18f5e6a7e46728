"""How long does the graph recommender train? Steps at the published size, what they spend it on, and the floor.

    PYTHONPATH=. python benchmarks/graph_training.py [--steps 400] [--scale 1.0] [--device cuda]

A made-up graph of the published sizes (31,214 songs, 10,322 artists, 1,275 DJs, MODELS B1) with a few nodes that have
many neighbours, as in tracklists; `--scale .02` is one for a CPU. 12,000 steps of 250 triples took the published code
about four hours. Needs torch and torch-geometric, no database.

The floor counts, for one step: what must move through memory (every matrix's entries once in each direction, the
embeddings' optimiser), and the operations of the factorisation's products at the card's float32 rate by tensor cores.
"""

import argparse
import datetime
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from scipy import sparse

from recsys.tracklists.graph_snapshot import NO_DATE, GraphSnapshot
from recsys.tracklists.mgccf import MgccfOptions, graphs_of
from recsys.tracklists.mgccf_training import Trainer

SONGS, ARTISTS, DJS = 31_214, 10_322, 1_275
SONG_SONG, ARTIST_ARTIST, SONG_ARTIST = 1_740_000, 2_650_000, 2_080_000
MEAN_CLICKS = 60
PUBLISHED_STEPS, PUBLISHED_SECONDS = 12_000, 4 * 3600

CARDS = {"H100": (3.35e12, 495e12), "H200": (4.8e12, 495e12), "A100": (2.0e12, 156e12)}
"""Bytes a second, and dense operations in TF32, as the makers state them."""


def _popular(
    random: np.random.Generator, count: int, size: int, spread: float
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Numbers below `count`, the first ones more often."""
    weights = 1 / (np.arange(count) + spread * count)
    return random.choice(count, size, p=weights / weights.sum())


def _entries(random: np.random.Generator, rows: int, columns: int, entries: int) -> sparse.csr_matrix:
    """About so many entries of log(1 + x), more in the first rows and columns."""
    made = sparse.csr_matrix((rows, columns), dtype=np.float32)
    while made.nnz < entries:
        size = entries - made.nnz + entries // 10
        row, column = _popular(random, rows, size, 0.02), _popular(random, columns, size, 0.02)
        told = np.log1p(random.exponential(1.0, size)).astype(np.float32)
        made = made.maximum(sparse.coo_matrix((told, (row, column)), shape=(rows, columns)).tocsr())
    return made.tocsr()


def _symmetric(random: np.random.Generator, nodes: int, entries: int) -> sparse.csr_matrix:
    upper = _entries(random, nodes, nodes, entries // 2)
    upper.setdiag(0)
    upper.eliminate_zeros()
    return upper.maximum(upper.T).tocsr()


def made_up_graph(scale: float = 1.0, seed: int = 0) -> GraphSnapshot:
    """A snapshot of `scale` times the published counts of nodes and entries."""
    random = np.random.default_rng(seed)
    songs, artists, djs = (max(20, round(scale * count)) for count in (SONGS, ARTISTS, DJS))
    # A small graph is not denser than a large one.
    entries = [round(min(scale, 1) * count) for count in (SONG_SONG, ARTIST_ARTIST, SONG_ARTIST)]
    credited = sparse.lil_matrix((songs, artists), dtype=np.float32)
    names = _popular(random, artists, 3 * songs, 0.05).reshape(songs, 3)
    for song, (count, own) in enumerate(zip(random.integers(1, 4, songs), names, strict=True)):
        several = np.unique(own[:count])
        credited[song, several] = 1 / len(several)
    lengths = 16 + random.geometric(1 / (MEAN_CLICKS - 15), djs)
    row = np.repeat(np.arange(djs), np.minimum(lengths, songs // 2))
    song = _popular(random, songs, len(row), 0.03)
    plays = sparse.coo_matrix((2.0 + random.geometric(0.5, len(row)), (row, song)), shape=(djs, songs)).tocsr()
    clicks = plays.copy()
    clicks.data = np.log(clicks.data).astype(np.float32)
    signs = clicks.sign()
    signs = sparse.diags(1 / np.sqrt(np.asarray(signs.sum(axis=1)).ravel())) @ signs
    alike = (signs @ signs.T).tolil()
    alike.setdiag(0)
    return GraphSnapshot(
        songs=np.arange(songs),
        artists=np.arange(artists),
        djs=np.arange(djs),
        days=np.full(djs, NO_DATE),
        lists=plays.astype(np.float32),
        dj_lists=sparse.identity(djs, dtype=np.float32, format="csr"),
        song_song=_symmetric(random, songs, entries[0]),
        song_artist=_entries(random, songs, artists, entries[2]),
        artist_artist=_symmetric(random, artists, entries[1]),
        credits=credited.tocsr(),
        clicks=clicks.astype(np.float32),
        dj_dj=alike.tocsr().astype(np.float32),
    )


def milliseconds(call: Callable[[], object], device: str, repeats: int) -> float:
    """Mean of a few calls, after some that do not count."""
    for _ in range(max(1, repeats // 5)):
        call()
    _wait(device)
    begun = time.perf_counter()
    for _ in range(repeats):
        call()
    _wait(device)
    return 1000 * (time.perf_counter() - begun) / repeats


def captured(call: Callable[[], object], device: str) -> Callable[[], object]:
    """The call as a CUDA graph, so that launching it is not what is timed."""
    if device == "cpu":
        return call
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def print_parts(trainer: Trainer, device: str, repeats: int) -> None:
    """What the parts of a step take, each on its own, forward and backward."""
    from recsys.tracklists.factorisation import factorisation_loss

    module, sizes = trainer.module, trainer.planner.sizes
    step = trainer.planner.step(trainer.planner.epoch(0)[0])
    encodings = module.encodings(trainer.data).detach().requires_grad_()
    items = encodings[: sizes.songs + sizes.artists].detach().requires_grad_()
    ones = torch.ones_like(encodings)

    def encode() -> None:
        module.encodings(trainer.data).backward(ones)

    def factorise() -> None:
        factorisation_loss(items, step.batch, trainer.cooccurrence)[0].backward()

    def halves() -> None:
        djs, songs = module.vectors(step, encodings)
        (djs.sum() + songs.sum()).backward()

    def gathers() -> None:
        (step.first @ module.embedding).sum().backward()

    def optimise() -> None:
        trainer.optimizer.step()

    for weight in module.parameters():
        weight.grad = torch.zeros_like(weight)
    for name, call in (
        ("graph encodings (sparse products)", encode),
        ("factorisation", factorise),
        ("Bipar-GCN of the batch", halves),
        ("  of which the first layer's gathers", gathers),
        ("optimiser", optimise),
    ):
        print(f"  {name:40s}{milliseconds(captured(call, device), device, repeats):9.3f} ms")
    plan = milliseconds(lambda: trainer.planner.epoch(1), device, max(2, repeats // 10)) / trainer.options.steps
    print(f"  {'drawing of the plan, a step of an epoch':40s}{plan:9.3f} ms")


def floor(trainer: Trainer, name: str) -> tuple[float, float] | None:
    """Milliseconds that a step's bytes and its operations take at least on a known card."""
    card = next((rates for card, rates in CARDS.items() if card in name), None)
    if card is None:
        return None
    sizes, weights = trainer.planner.sizes, trainer.module.embedding.numel()
    batch = trainer.planner.step(trainer.planner.epoch(0)[0]).batch
    rows, nodes = int((batch.nodes >= 0).sum()), sizes.songs + sizes.artists
    graph_entries = sum(edges.edge_weight.numel() for edges in trainer.data.edge_stores)
    entries = len(trainer.cooccurrence.rows.values)
    # Indices and values of the graphs forward and backward, of co-occurrence the places once; Adam reads four and
    # writes three numbers a weight, and the gradient is written once before.
    bytes_moved = 2 * 8 * graph_entries + 4 * entries + 8 * 4 * weights
    output = trainer.options.output
    operations = 3 * 2 * rows * nodes * output
    return 1000 * bytes_moved / card[0], 1000 * operations / card[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400, help="that are timed, in epochs of 20")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=None, help="of each part")
    arguments = parser.parse_args()
    device = arguments.device
    repeats = arguments.repeats or (100 if device == "cuda" else 5)
    name = torch.cuda.get_device_name() if device == "cuda" else f"cpu, {os.cpu_count()} cores"
    print(
        f"{datetime.date.today()}, {platform.machine()}, {name}, torch {torch.__version__}, scale {arguments.scale:g},"
        f" load {os.getloadavg()[0]:.1f} before the run"
    )

    begun = time.perf_counter()
    snapshot = made_up_graph(arguments.scale)
    print(
        f"{len(snapshot.songs):,} songs, {len(snapshot.artists):,} artists, {len(snapshot.djs):,} DJs; entries:"
        f" song-song {snapshot.song_song.nnz:,}, artist-artist {snapshot.artist_artist.nnz:,}, song-artist"
        f" {snapshot.song_artist.nnz:,}, clicks {snapshot.clicks.nnz:,}, dj-dj {snapshot.dj_dj.nnz:,}"
        f" (made in {time.perf_counter() - begun:.1f} s)"
    )
    longest = [int(np.diff(graph.indptr).max()) for graph in (snapshot.song_song, snapshot.artist_artist)]
    print(f"most neighbours: {longest[0]:,} of a song, {longest[1]:,} of an artist")

    begun = time.perf_counter()
    options = replace(MgccfOptions(), device=device)
    trainer = Trainer(graphs_of(snapshot), options, torch.device(device))
    first = trainer.run_epoch(0)
    _wait(device)
    print(f"set up, compiled and first epoch: {time.perf_counter() - begun:.1f} s, loss {first['loss']:.3f}")
    epochs = max(1, round(arguments.steps / options.steps))
    begun = time.perf_counter()
    for epoch in range(1, epochs + 1):
        last = trainer.run_epoch(epoch)
        trainer.state()
    _wait(device)
    step = (time.perf_counter() - begun) / (epochs * options.steps)
    seconds = PUBLISHED_STEPS * step
    print(
        f"{1000 * step:.3f} ms/step over {epochs * options.steps} steps, {seconds:.1f} s for {PUBLISHED_STEPS:,} steps"
        f" (published: about {PUBLISHED_SECONDS / 3600:.0f} h, {PUBLISHED_SECONDS / seconds:,.0f} times as long),"
        f" loss {last['loss']:.3f}"
    )
    least = floor(trainer, name)
    if least is not None:
        print(f"floor: {least[0]:.3f} ms/step of bytes, {least[1]:.3f} ms/step of operations")
    print("parts of a step, each alone:")
    print_parts(trainer, device, repeats)


if __name__ == "__main__":
    main()
