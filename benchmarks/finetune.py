"""How fast are titles trained on? `finetune` (FT-C) beside a plain loop, and what padding and duplicates cost.

    PYTHONPATH=. python benchmarks/finetune.py --encoder FOLDER [--batch-size 2048] [--epochs 17] [--device cuda]

Made-up pairs of a title and a cluster, as many as the paper has on the MPD (473,340 and a tenth as many to validate,
157 clusters), with titles of the shape of benchmarks/made_up_mpd.py. Needs torch, sentence-transformers, accelerate and
datasets, no database. The encoder may be stored in half precision.

The floor is arithmetic alone: three times (forward, and twice that backward) two operations a weight of the layers and
token, and those of attention, by what the card does in bfloat16.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from made_up_mpd import _titles
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer  # noqa: F401 -- seconds to import

from recsys.titles.finetune import FinetuneOptions, finetune, load_encoder
from recsys.titles.finetune_data import Examples, LengthGroupedSampler, TitleCollator, Tokens, make_examples
from recsys.titles.finetune_losses import make_loss
from recsys.titles.snapshot import TitleSnapshot, make_snapshot

PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "RTX 4090": 165e12}
"""Operations a second in bfloat16, dense, as the makers state them."""

CLUSTERS = 157
OWN_CLUSTER = 0.35
"""Share of playlists whose cluster follows from the title."""

COMMON_TITLES = 50
"""The most frequent titles, one of which lengthens each title."""

WARMUP_STEPS = 10


def made_up_pairs(pairs: int, seed: int = 0) -> TitleSnapshot:
    """Playlists without tracks: `pairs` to train on and a tenth of that to validate."""
    rng = np.random.default_rng(seed)
    names = _titles()
    count = pairs + pairs // 10
    title = np.minimum(np.searchsorted(names.cumulative, rng.random(count)), len(names.names) - 1)
    sizes = 1 / (np.arange(CLUSTERS) + 8)
    cluster = rng.choice(CLUSTERS, count, p=sizes / sizes.sum())
    own = rng.integers(CLUSTERS, size=len(names.names))
    cluster = np.where(rng.random(count) < OWN_CLUSTER, own[title], cluster)
    # Lengthened by a frequent title or two, to the length and the number of the MPD's (17,381 normalised ones).
    frequent = rng.integers(COMMON_TITLES, size=(2, len(names.names)))
    longer = [f"{name} {names.names[a]} {names.names[b]}" for name, a, b in zip(names.names, *frequent, strict=True)]
    longer += [f"{name} {names.names[a]}" for name, a in zip(names.names, frequent[0], strict=True)]
    title += len(names.names) * (rng.random(count) < 0.5)
    held, place = np.unique(np.array(longer)[title], return_inverse=True)
    part = np.zeros(count)
    part[pairs:] = 1
    return make_snapshot(held.tolist(), place, part, cluster, np.zeros(count + 1), [], [])


class Padded(Tokens):
    """Tokens whose batches are all padded to one length, as the published code does it."""

    def __init__(self, model: SentenceTransformer, titles: list[str], length: int) -> None:
        super().__init__(model, titles)
        self._length = length

    def batch(self, titles: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> dict[str, torch.Tensor]:
        padded = {}
        for name, values in super().batch(titles).items():
            padded[name] = torch.nn.functional.pad(values, (0, self._length - values.shape[1]))
        return padded


@dataclass(frozen=True)
class Plain:
    """What a plain loop reached."""

    titles_per_second: float
    milliseconds: float
    tokens: float
    """A step's tokens, padding included."""
    encoded: float
    """A step's titles that were encoded."""


def plain_loop(
    encoder: Path,
    tokens_of: Callable[[SentenceTransformer, list[str]], Tokens],
    snapshot: TitleSnapshot,
    examples: Examples,
    *,
    batch_size: int,
    window: int,
    deduplicate: bool,
    steps: int,
    device: str,
) -> Plain:
    """Batches as `finetune` makes them, a forward, a backward and a step of AdamW, and nothing else."""
    torch.manual_seed(0)
    model = load_encoder(encoder, device)
    model.train()
    loss = make_loss(model, "cross-entropy", examples, margin=0.5, scale=20).to(device)
    optimizer = torch.optim.AdamW(loss.parameters(), lr=2e-5, weight_decay=0.01, fused=True)
    tokens = tokens_of(model, snapshot.titles)
    lengths = tokens.lengths[examples.titles[:, 0]]
    sampler = LengthGroupedSampler(
        range(len(lengths)), lengths=lengths, window=window, batch_size=batch_size, drop_last=True, seed=0
    )
    collate = TitleCollator(tokens, snapshot.titles, examples, deduplicate=deduplicate)
    names, labels = snapshot.titles, examples.labels
    held = encoded = 0
    begun = 0.0
    for step, batch in zip(range(WARMUP_STEPS + steps), sampler, strict=False):
        if step == WARMUP_STEPS:
            _wait(device)
            held = encoded = 0
            begun = time.perf_counter()
        rows = [{"title": names[examples.titles[place, 0]], "label": labels[place]} for place in batch]
        made = {name: values.to(device, non_blocking=True) for name, values in collate(rows).items()}
        features = {name.removeprefix("title_"): values for name, values in made.items() if name != "label"}
        held += features["input_ids"].numel()
        encoded += len(features["input_ids"])
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            value = loss([features], made["label"])
        value.backward()
        optimizer.step()
    _wait(device)
    seconds = time.perf_counter() - begun
    return Plain(batch_size * steps / seconds, 1000 * seconds / steps, held / steps, encoded / steps)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def operations_a_title(model: SentenceTransformer, length: float) -> float:
    """Of one forward and backward pass over a title of so many tokens."""
    config = model[0].auto_model.config
    width, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    weights = layers * (4 * width * width + 2 * width * inner)
    return 6 * (weights * length + layers * 2 * width * length * length)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--pairs", type=int, default=473_340)
    parser.add_argument("--epochs", type=int, default=17)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=100, help="of each plain loop")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--also-fast", action="store_true", help="once more with kernels that are not deterministic")
    arguments = parser.parse_args()
    device, batch = arguments.device, arguments.batch_size
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    print(f"{name}, torch {torch.__version__}, batch {batch:,}")

    snapshot = made_up_pairs(arguments.pairs)
    examples = make_examples(snapshot, "cross-entropy", 0)
    model = load_encoder(arguments.encoder, "cpu")
    tokens = Tokens(model, snapshot.titles)
    lengths = tokens.lengths[examples.titles[:, 0]]
    pairs = np.unique(np.column_stack([examples.titles[:, 0], examples.labels]), axis=0)
    print(
        f"{len(lengths):,} pairs, {len(snapshot.titles):,} distinct titles, {len(pairs):,} distinct pairs,"
        f" {CLUSTERS} clusters; tokens a title: mean {lengths.mean():.1f}, longest {lengths.max()}"
    )
    peak = next((value for card, value in PEAKS.items() if card in name), None)
    if peak is not None:
        floor = operations_a_title(model, float(lengths.mean())) / peak
        print(
            f"floor: {1e6 * floor:.2f} us a title ({1 / floor:,.0f} titles/s),"
            f" {arguments.epochs * len(lengths) * floor:.1f} s for {arguments.epochs} epochs"
        )

    print(f"\n{'finetune':34s}{'seconds':>9s}{'training':>9s}{'titles/s':>10s}{'accuracy':>9s}")
    for fast in (False, True) if arguments.also_fast else (False,):
        options = FinetuneOptions(
            epochs=arguments.epochs, patience=arguments.epochs, batch_size=batch, device=device, deterministic=not fast
        )
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            done = finetune(arguments.encoder, snapshot, options, Path(folder) / "out")
            seconds = time.perf_counter() - begun
            curve = json.loads((Path(folder) / "out" / "curve.json").read_text(encoding="utf-8"))
        losses = [entry["loss"] for entry in curve if "loss" in entry]
        print(
            f"{f'{done.epochs} epochs, ' + ('any kernel' if fast else 'deterministic'):34s}{seconds:9.1f}"
            f"{done.seconds:9.1f}{done.titles_per_second:10,.0f}{done.scores['accuracy']:9.4f}"
            f"  loss {losses[0]:.3f} to {losses[-1]:.3f}"
        )
    print(
        "(seconds: loading, tokenising, training, validation after each epoch and writing; training: the last but two)"
    )

    longest = int(lengths.max())
    full = model.max_seq_length or 512
    print(f"\n{'plain loop':34s}{'ms/step':>9s}{'titles/s':>10s}{'tokens':>9s}{'encoded':>9s}")
    small = max(8, batch // 16)
    for label, length, window, deduplicate, size, steps in (
        (f"padded to {full}, batch {small}", full, 1, False, small, max(5, arguments.steps // 10)),
        (f"padded to {longest}", longest, 1, False, batch, arguments.steps),
        ("padded to the batch's longest", 0, 1, False, batch, arguments.steps),
        ("  and like lengths together", 0, 8, False, batch, arguments.steps),
        ("  or each distinct title once", 0, 1, True, batch, arguments.steps),
        ("  both, as finetune does", 0, 8, True, batch, arguments.steps),
    ):

        def tokens_of(model: SentenceTransformer, titles: list[str], length: int = length) -> Tokens:
            return Padded(model, titles, length) if length else Tokens(model, titles)

        plain = plain_loop(
            arguments.encoder,
            tokens_of,
            snapshot,
            examples,
            batch_size=size,
            window=window,
            deduplicate=deduplicate,
            steps=steps,
            device=device,
        )
        print(
            f"{label:34s}{plain.milliseconds:9.1f}{plain.titles_per_second:10,.0f}"
            f"{plain.tokens:9,.0f}{plain.encoded:9,.0f}"
        )


if __name__ == "__main__":
    main()
