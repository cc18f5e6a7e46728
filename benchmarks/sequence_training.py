"""How long does the tracklist model train? Steps at the published size, what they spend it on, and the floor.

    PYTHONPATH=. python benchmarks/sequence_training.py [--scale 1.0] [--encoder lstm] [--head hierarchy]

A made-up graph of the published sizes (31,214 songs, 1.74 million entries, 1200/384/48 clusters) and 103,168 sub-lists
of 16 steps, 206 batches of 500 an epoch; `--scale .02` is one for a CPU. The published code took about 360 s an epoch.
Needs torch and a checkout, no database.

The floor counts, for one step: what must move through memory (the graph's entries once and the rows of C that they
name from the cache or memory, C and its gradient, the logits of the songs written once and read twice with their
gradient, the optimiser's numbers), and the operations of the products at the card's bfloat16 rate.
"""

import argparse
import datetime
import os
import platform
import time
from dataclasses import replace

import numpy as np
import torch

from benchmarks.graph_training import captured, made_up_graph, milliseconds
from recsys.sequences.sequence_data import Part, SequenceData
from recsys.sequences.sequence_module import HierarchyModule, Sizes
from recsys.sequences.sequence_options import SequenceOptions
from recsys.sequences.sequence_training import Trainer
from recsys.sequences.song_features import SongFeatures
from recsys.sequences.song_loss import song_loss
from recsys.sequences.sublists import STEPS, Steps

SUBLISTS = 103_168
PUBLISHED_SECONDS = 360.0
FEATURES = 32

CARDS = {"H100": (3.35e12, 989e12), "H200": (4.8e12, 989e12), "A100": (2.0e12, 312e12)}
"""Bytes a second, and dense operations of bfloat16 numbers a second, as the makers state them."""


def made_up_data(scale: float, songs: int | None) -> SequenceData:
    """Sub-lists whose songs are popular ones more often, on a made-up graph."""
    snapshot = made_up_graph(scale)
    random = np.random.default_rng(0)
    count, djs = len(snapshot.songs), len(snapshot.djs)
    if songs is not None and songs != count:
        raise SystemExit(f"--scale {scale:g} makes {count} songs")
    features = SongFeatures(
        random.standard_normal((count, FEATURES)).astype(np.float32),
        random.standard_normal((len(snapshot.artists), FEATURES)).astype(np.float32),
        random.integers(0, count, djs + 1),
        "",
    )
    sublists = max(500, round(scale * SUBLISTS))
    chances = 1 / (np.arange(count) + 0.03 * count)
    played = random.choice(count, (sublists, STEPS + 1), p=chances / chances.sum())
    ones = np.ones((sublists, STEPS), dtype=np.float32)
    steps = Steps(played[:, :-1], played[:, 1:], ones, ones.astype(bool))
    part = Part(steps, random.integers(0, djs, sublists), np.zeros(sublists, dtype=np.int64))
    nothing = Part(Steps(*(values[:0] for values in steps)), part.djs[:0], part.quarters[:0])
    return SequenceData(Sizes(count, djs, 1), snapshot, features, part, nothing)


def print_parts(trainer: Trainer, repeats: int) -> None:
    """What the parts of a step take, each on its own, forward and backward."""
    module, device = trainer.module, trainer.device
    songs, width = len(trainer.graphs.songs), trainer.options.width
    positions = trainer.batch_size * STEPS
    read = torch.randn(positions, width, device=device, requires_grad=True)
    kernel = torch.randn(songs, width, device=device, requires_grad=True)
    bias = torch.zeros(songs, device=device, requires_grad=True)
    targets = torch.randint(songs, (positions,), device=device)
    weights = torch.ones(positions, device=device)
    inputs = module.hierarchy.width if isinstance(module, HierarchyModule) else width
    told = torch.randn(trainer.batch_size, STEPS, inputs, device=device, requires_grad=True)

    def of_songs() -> None:
        song_loss(read, kernel, bias, targets, weights).backward()

    def encode() -> None:
        module.predictor.encoder(told).sum().backward()

    def clusters() -> None:
        made = module.hierarchy(trainer.graphs)
        (made.modularity.sum() + made.collapse.sum() + sum(part.sum() for part in made.features)).backward()

    parts = [("cross-entropy of the songs", of_songs), ("encoder", encode), ("optimiser", trainer.optimizer.step)]
    if isinstance(module, HierarchyModule):
        lowest = module.hierarchy.assign_songs
        features = torch.randn(songs, module.hierarchy.width, device=device, requires_grad=True)

        def of_lowest() -> None:
            made = lowest(features, trainer.graphs.graph, trainer.graphs.degrees)
            (made.pooled.sum() + made.members.sum() + made.sizes.sum()).backward()

        def multiply() -> None:
            rows_times_wide(trainer.graphs.graph.rows, assigned)

        parts += [("clusters of three levels (DMoN)", clusters), ("  of which those of the songs", of_lowest)]
        if device.type == "cuda":
            from recsys.sequences.cluster_kernels import rows_times_wide

            assigned = torch.rand(songs, lowest.bias.numel(), device=device).bfloat16()
            parts.append(("    of which A C, sparse", multiply))
    for name, call in parts:
        print(f"  {name:40s}{milliseconds(captured(call, device.type), device.type, repeats):9.3f} ms")


def floor(trainer: Trainer, name: str) -> tuple[float, float] | None:
    """Milliseconds that a step's bytes and its operations take at least on a known card."""
    card = next((rates for card, rates in CARDS.items() if card in name), None)
    if card is None:
        return None
    songs, width = len(trainer.graphs.songs), trainer.options.width
    positions = trainer.batch_size * STEPS
    weights = sum(weight.numel() for weight in trainer.module.parameters())
    # Logits of two bytes: written, read, their gradient written, and read by two products.
    bytes_moved = 5 * 2 * positions * songs + 8 * 4 * weights
    operations = 3 * 2 * positions * songs * width
    if isinstance(trainer.module, HierarchyModule):
        clusters = trainer.module.hierarchy.assign_songs.bias.numel()
        entries = len(trainer.graphs.graph.rows.values)
        # A C reads a row of C for each entry; C, A C and the gradient of C are written and read.
        bytes_moved += 8 * entries + 2 * clusters * entries + (2 + 2 + 4) * 2 * songs * clusters
        operations += 2 * entries * clusters + 2 * 2 * songs * clusters**2
    return 1000 * bytes_moved / card[0], 1000 * operations / card[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--songs", type=int, default=None, help="that the scale must make")
    parser.add_argument("--encoder", choices=("lstm", "gru", "transformer"), default="lstm")
    parser.add_argument("--head", choices=("hierarchy", "softmax"), default="hierarchy")
    parser.add_argument("--epochs", type=int, default=3, help="that are timed")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    name = torch.cuda.get_device_name() if given.device == "cuda" else f"cpu, {os.cpu_count()} cores"
    print(
        f"{datetime.date.today()}, {platform.machine()}, {name}, torch {torch.__version__}, scale {given.scale:g},"
        f" load {os.getloadavg()[0]:.1f} before the run"
    )
    data = made_up_data(given.scale, given.songs)
    options = replace(SequenceOptions(), encoder=given.encoder, head=given.head, device=given.device)
    begun = time.perf_counter()
    trainer = Trainer(data, options, torch.device(given.device))
    print(
        f"{given.encoder}, {given.head}: {data.sizes.songs:,} songs, {data.snapshot.song_song.nnz:,} entries, clusters"
        f" {options.cluster_counts(data.sizes.songs)}, {len(data.training):,} sub-lists, {trainer.steps} steps"
    )
    first = trainer.run_epoch(0)
    print(f"set up, compiled and first epoch: {time.perf_counter() - begun:.1f} s, loss {first['loss']:.3f}")
    begun = time.perf_counter()
    for epoch in range(1, given.epochs + 1):
        last = trainer.run_epoch(epoch)
        trainer.state()
    seconds = (time.perf_counter() - begun) / given.epochs
    print(
        f"{1000 * seconds / trainer.steps:.3f} ms/step, {seconds:.2f} s an epoch (published: about"
        f" {PUBLISHED_SECONDS:.0f} s, {PUBLISHED_SECONDS / seconds:,.0f} times as long), loss {last['loss']:.3f}"
    )
    if given.device == "cuda":
        print(f"memory: {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB at most")
    least = floor(trainer, name)
    if least is not None:
        print(f"floor: {least[0]:.3f} ms/step of bytes, {least[1]:.3f} ms/step of operations")
    print("parts of a step, each alone, forward and backward:")
    torch.set_float32_matmul_precision("high")
    print_parts(trainer, 50 if given.device == "cuda" else 3)


if __name__ == "__main__":
    main()
