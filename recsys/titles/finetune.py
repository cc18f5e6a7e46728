"""Fine-tuning a sentence encoder on playlist titles, by the trainer of sentence-transformers.

The paper's FT-C (cross-entropy over clusters) and FT-T (batch-all triplets), and losses that learn from songs in common
instead. Needs no database: a snapshot in, a folder out that `recsys model import` takes.
"""

import hashlib
import json
import math
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from logging import ERROR, getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recsys import __version__
from recsys.device import Device, chosen_device
from recsys.errors import EncoderError, NotReadyError, SettingsError
from recsys.folders import check_replaceable, replaced_folder
from recsys.progress import Progress, silent
from recsys.titles.snapshot import TitleSnapshot, summary_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from recsys.titles.finetune_data import Examples, Tokens
    from recsys.titles.finetune_losses import TitleLoss

LAYOUT = 1
KIND = "title-encoder"
TRAINING_FILE = "training.json"
CARD_FILE = "README.md"
CURVE_FILE = "curve.json"
PICTURE_FILE = "curve.png"

PAPER_BATCH = 8
PAPER_LEARNING_RATE = 2e-5
STEPS_AN_EPOCH = 256
LOGS_AN_EPOCH = 10

Loss = Literal["cross-entropy", "triplet", "contrastive", "co-occurrence", "tower", "tracks"]


@dataclass(frozen=True)
class FinetuneOptions:
    """How to train. What is None is chosen by the data, see `chosen_options`."""

    loss: Loss = "cross-entropy"
    epochs: int = 20
    batch_size: int | None = None
    learning_rate: float | None = None
    head_learning_rate: float = 1e-3
    """Of the layer that a loss puts on the encoder, which is new."""
    weight_decay: float = 0.01
    warmup_steps: int = 100
    patience: int = 3
    """Epochs without a better score after which training stops."""
    seed: int = 0
    device: Device = "auto"
    margin: float = 0.5
    """Of triplets, between unit vectors."""
    scale: float = 20.0
    """Of cosines in multiple negatives."""
    length_window: int = 8
    """Batches whose titles are sorted by length together; 1 sorts none."""
    deduplicate: bool = True
    """Encode a title that a batch holds several times once."""
    deterministic: bool = True
    """Take only kernels that give the same result each time."""
    half: bool = False
    """Write the weights in half precision, which halves the files and changes vectors in the fourth digit."""
    validation_playlists: int = 1000
    """Validation playlists that are asked for the R-precision of the vote."""


@dataclass(frozen=True)
class FinetuneSummary:
    """What `finetune` did. `scores` are the best epoch's, `before` those of the encoder as it came."""

    folder: Path
    base: str
    loss: str
    device: str
    snapshot_hash: str
    examples: int
    distinct_titles: int
    epochs: int
    best_epoch: int | None
    """None without a validation part: the last epoch is kept."""
    before: dict[str, float]
    scores: dict[str, float]
    seconds: float
    titles_per_second: float


def chosen_options(options: FinetuneOptions, examples: int) -> FinetuneOptions:
    """Options with a batch size of about 256 steps an epoch (32 to 2,048), and the paper's learning rate for it.

    The paper trains with 2e-5 at batch 8; Adam's rate grows with the square root of the batch.
    """
    batch = options.batch_size or 2 ** min(11, max(5, round(math.log2(max(1, examples) / STEPS_AN_EPOCH))))
    rate = options.learning_rate or PAPER_LEARNING_RATE * math.sqrt(batch / PAPER_BATCH)
    return replace(options, batch_size=batch, learning_rate=rate)


def require_training() -> None:
    """Refuse where what the trainer needs is not installed.

    Raises:
        NotReadyError: with what to install.
    """
    missing = [name for name in ("sentence_transformers", "accelerate", "datasets") if find_spec(name) is None]
    if missing:
        raise NotReadyError(f"training needs {' and '.join(missing)}: pip install {' '.join(missing)}")


def finetune(
    encoder: Path,
    snapshot: TitleSnapshot,
    options: FinetuneOptions,
    output: Path,
    *,
    base: str | None = None,
    progress: Progress = silent,
) -> FinetuneSummary:
    """Fine-tune an encoder on a snapshot's train part, and write the epoch that its validation part finds best.

    The output is there once it is whole: the encoder in sentence-transformers layout, `training.json`, the loss curve
    and a model card. The same snapshot, options and device give the same weights. Under `torchrun` every process
    calls this, each with a part of the examples, and the first one writes.

    Args:
        encoder: a folder in sentence-transformers layout.
        snapshot: what is learned.
        options: how.
        output: where to write; new, empty, or the result of an earlier training.
        base: what the encoder is called; its folder's name if None.
        progress: called as work goes on.

    Raises:
        NotReadyError: packages are missing, or the snapshot lacks what the loss learns from.
        EncoderError: the encoder cannot be loaded.
        SettingsError: there is no such device, or the batch size does not suit the loss.
        SourceError: the output holds something else, or cannot be written.
    """
    require_training()
    check_replaceable(output, TRAINING_FILE)
    device = chosen_device(options.device)
    progress("loading the encoder", 0, 0)
    with _quiet(), _torch_set_for(options, device):
        from recsys.titles.finetune_data import Tokens, make_examples
        from recsys.titles.finetune_losses import make_loss

        model = load_encoder(encoder, device)
        progress("preparing examples", 0, 0)
        examples = make_examples(snapshot, options.loss, options.seed)
        options = chosen_options(options, len(examples.titles))
        tokens = Tokens(model, snapshot.titles)
        loss = make_loss(model, options.loss, examples, margin=options.margin, scale=options.scale)
        run = _Run(model, snapshot, options, examples, tokens, loss, device, progress)
        summary = run.train(output, base or encoder.name)
        if run.is_first_process:
            _write(output, model, run, summary)
        run.end()
    return summary


def load_encoder(folder: Path, device: str) -> "SentenceTransformer":
    """An encoder in full precision, whatever its weights are stored in.

    Raises:
        EncoderError: the folder holds none.
    """
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(str(folder), device=device, local_files_only=True).float()
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise EncoderError(
            f"the encoder in {folder} cannot be loaded ({reason}): name another with --encoder"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings and bars of the libraries, which go to a terminal that is not ours."""
    import warnings

    from transformers.utils import logging

    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    ours = getLogger("sentence_transformers")
    level = ours.level
    logging.set_verbosity(ERROR)
    ours.setLevel(ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        ours.setLevel(level)
        if has_bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


@contextmanager
def _torch_set_for(options: FinetuneOptions, device: str) -> Iterator[None]:
    """Seeded, with kernels for the options and for many shapes, while the block runs; torch is as before afterwards."""
    import torch
    from transformers import set_seed

    was_deterministic = torch.are_deterministic_algorithms_enabled()
    if options.deterministic:
        # cuBLAS reads it when it makes its first handle.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    # cuDNN's attention plans anew for each shape, and with each title once hardly two batches have the same.
    had_cudnn_attention: bool = torch.backends.cuda.cudnn_sdp_enabled()  # type: ignore[no-untyped-call]
    torch.backends.cuda.enable_cudnn_sdp(False)
    state = torch.get_rng_state()
    set_seed(options.seed)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(had_cudnn_attention)
        torch.set_rng_state(state)
        torch.use_deterministic_algorithms(was_deterministic)


class _Run:
    """One training: the trainer, its best epoch and its log."""

    def __init__(
        self,
        model: "SentenceTransformer",
        snapshot: TitleSnapshot,
        options: FinetuneOptions,
        examples: "Examples",
        tokens: "Tokens",
        loss: "TitleLoss",
        device: str,
        progress: Progress,
    ) -> None:
        from recsys.titles.finetune_scores import ValidationScores

        self.model = model
        self.snapshot = snapshot
        self.options = options
        self.examples = examples
        self.device = device
        self.log: list[dict[str, float]] = []
        self.is_first_process = True
        self._tokens = tokens
        self._loss = loss
        self._progress = progress
        self._scores = ValidationScores(snapshot, tokens, examples, loss, options.validation_playlists, options.seed)

    def train(self, output: Path, base: str) -> FinetuneSummary:
        """Train, and leave the best epoch's weights in the model."""
        from recsys.titles.finetune_callbacks import KeepBest, ShowProgress

        before = self._scores.r_precision(self.model)
        best = KeepBest(self._loss, self._scores.primary_metric, self.options.patience)
        with tempfile.TemporaryDirectory(prefix="recsys-training-") as folder:
            trainer = self._trainer(folder)
            self.is_first_process = trainer.is_world_process_zero()
            trainer.add_callback(ShowProgress(self._progress))
            if self._scores.is_possible:
                trainer.add_callback(best)
            begun = time.perf_counter()
            trainer.train()
            best.restore()
            seconds = time.perf_counter() - begun
        self.log = trainer.state.log_history
        epochs = round(trainer.state.epoch or 0)
        scores = self._scores.accuracy(self.model) if self._scores.primary_metric == "accuracy" and best.epoch else {}
        scores |= self._scores.r_precision(self.model)
        examples = len(self.examples.titles)
        return FinetuneSummary(
            folder=output,
            base=base,
            loss=self.options.loss,
            device=_device_name(self.device),
            snapshot_hash=self.snapshot.content_hash,
            examples=examples,
            distinct_titles=len({*self.examples.titles.ravel().tolist()}),
            epochs=epochs,
            best_epoch=best.epoch,
            before=before,
            scores=scores,
            seconds=seconds,
            titles_per_second=self.examples.titles.size * epochs / seconds,
        )

    def end(self) -> None:
        """Leave the process group, if there is one."""
        import torch

        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    def _trainer(self, folder: str) -> Any:
        from datasets import Dataset  # type: ignore[import-not-found, import-untyped, unused-ignore]
        from datasets.table import InMemoryTable  # type: ignore[import-not-found, import-untyped, unused-ignore]
        from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
        from transformers import PrinterCallback

        from recsys.titles.finetune_data import TitleCollator

        titles = self.snapshot.titles
        names = ("title",) if self.examples.titles.shape[1] == 1 else ("anchor", "positive")
        columns = {
            name: [titles[place] for place in self.examples.titles[:, column].tolist()]
            for column, name in enumerate(names)
        }
        # The card would choose them at random, and with a bar of its own.
        card = self.model.model_card_data
        card.usage_examples = list(dict.fromkeys(columns[names[0]]))[:4]
        card.widget = [{"text": title} for title in card.usage_examples]
        table = InMemoryTable.from_pydict(columns | {"label": self.examples.labels.tolist()})
        arguments = SentenceTransformerTrainingArguments(**self._arguments(folder))
        # Several GPUs are several processes here (torchrun), never one that copies the model at each step.
        arguments._n_gpu = min(1, arguments.n_gpu)
        trainer = SentenceTransformerTrainer(
            model=self.model,
            args=arguments,
            train_dataset=Dataset(table, fingerprint=self.snapshot.content_hash[:16]),
            loss=self._loss,
            evaluator=self._scores if self._scores.is_possible else None,
            data_collator=TitleCollator(  # type: ignore[arg-type]
                self._tokens, titles, self.examples, deduplicate=self.options.deduplicate
            ),
        )
        trainer.remove_callback(PrinterCallback)
        return trainer

    def _arguments(self, folder: str) -> dict[str, Any]:
        options, on_gpu = self.options, self.device == "cuda"
        batch = options.batch_size or PAPER_BATCH
        steps = math.ceil(len(self.examples.titles) / batch)
        return {
            "output_dir": folder,
            "num_train_epochs": options.epochs,
            "per_device_train_batch_size": batch,
            "learning_rate": options.learning_rate,
            "learning_rate_mapping": {} if self._loss.head is None else {r"^head\.": options.head_learning_rate},
            "weight_decay": options.weight_decay,
            "warmup_steps": min(options.warmup_steps, max(1, steps * options.epochs // 10)),
            "batch_sampler": self._sampler(),
            "seed": options.seed,
            "use_cpu": not on_gpu,
            "bf16": on_gpu,
            "dataloader_num_workers": 2 if on_gpu else 0,
            "dataloader_persistent_workers": on_gpu,
            "dataloader_pin_memory": on_gpu,
            "dataloader_prefetch_factor": 4 if on_gpu else None,
            "eval_strategy": "epoch" if self._scores.is_possible else "no",
            "save_strategy": "no",
            "logging_strategy": "steps",
            "logging_steps": max(1, steps // LOGS_AN_EPOCH),
            # It would wait for the GPU in every step.
            "logging_nan_inf_filter": False,
            "disable_tqdm": True,
            "report_to": "none",
        }

    def _sampler(self) -> Any:
        from sentence_transformers.sentence_transformer.training_args import BatchSamplers

        from recsys.titles.finetune_data import LengthGroupedSampler

        if self.options.loss == "triplet":
            batch = self.options.batch_size or PAPER_BATCH
            if batch < 4 or batch % 2:
                raise SettingsError(f"triplets need an even batch size of at least 4, not {batch}")
            return BatchSamplers.GROUP_BY_LABEL
        if self.options.loss in ("contrastive", "co-occurrence"):
            return BatchSamplers.NO_DUPLICATES
        lengths = self._tokens.lengths[self.examples.titles[:, 0]]
        return partial(LengthGroupedSampler, lengths=lengths, window=self.options.length_window)


def _device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name() if device == "cuda" else f"cpu ({platform.processor() or platform.machine()})"


# --- what is written ---------------------------------------------------------------------------------------------


def _write(output: Path, model: "SentenceTransformer", run: _Run, summary: FinetuneSummary) -> None:
    with replaced_folder(output, TRAINING_FILE) as draft:
        (model.half() if run.options.half else model).save_pretrained(str(draft))
        curve = [{name: value for name, value in entry.items() if not name.startswith("total_")} for entry in run.log]
        (draft / CURVE_FILE).write_text(json.dumps(curve, indent=1), encoding="utf-8")
        _draw(curve, draft / PICTURE_FILE)
        with (draft / CARD_FILE).open("a", encoding="utf-8") as card:
            card.write(_card(run, summary))
        (draft / TRAINING_FILE).write_text(json.dumps(_record(draft, model, run, summary), indent=2), encoding="utf-8")


def _record(draft: Path, model: "SentenceTransformer", run: _Run, summary: FinetuneSummary) -> dict[str, Any]:
    """What `training.json` says, the hashes of all other files included."""
    from recsys.titles.finetune_losses import dimension_of

    files = (path for path in sorted(draft.rglob("*")) if path.is_file())
    snapshot = asdict(summary_of(run.snapshot, Path()))
    del snapshot["folder"]
    packages = ("torch", "sentence-transformers", "transformers")
    return {
        "layout": LAYOUT,
        "kind": KIND,
        "base": summary.base,
        "dimension": dimension_of(model),
        "options": asdict(run.options),
        "snapshot": snapshot,
        "code_version": __version__,
        "versions": {package: version(package) for package in packages},
        "device": summary.device,
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "examples": summary.examples,
        "distinct_titles": summary.distinct_titles,
        "epochs": summary.epochs,
        "best_epoch": summary.best_epoch,
        "before": summary.before,
        "metrics": summary.scores,
        "seconds": summary.seconds,
        "titles_per_second": summary.titles_per_second,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {path.relative_to(draft).as_posix(): file_hash(path) for path in files},
    }


def file_hash(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _card(run: _Run, summary: FinetuneSummary) -> str:
    held = summary_of(run.snapshot, Path())
    before = summary.before.get("r_precision")
    scores = "\n".join(
        f"| {name} | {value:.4f} |" + (f" {before:.4f} |" if name == "r_precision" and before is not None else " |")
        for name, value in summary.scores.items()
    )
    return f"""
## recsys

Trained by `recsys titles finetune --loss {summary.loss}`, {__version__}, on {summary.device} in {summary.seconds:.0f}
seconds: {summary.epochs} epochs of {summary.examples:,} examples over {summary.distinct_titles:,} distinct titles.
Kept is {"the last epoch" if summary.best_epoch is None else f"epoch {summary.best_epoch}, the best on validation"}.

* Snapshot `{held.content_hash}`, split {held.split or "none"}, clustering {held.clustering or "none"}.
* {held.playlists:,} playlists ({held.train:,} train, {held.validation:,} validation, {held.test:,} test),
  {held.titles:,} titles, {held.songs:,} songs, {held.clusters:,} clusters that hold {held.clustered:,} playlists.
* Licence: that of the base model, {summary.base}; what it learned comes from the playlists of the snapshot.

| on validation | this model | base model |
|---|---|---|
{scores}

R-precision is over songs, by a plain vote of the nearest train titles; `recsys evaluate titles` measures the rest.
"""


def _draw(curve: list[dict[str, float]], file: Path) -> None:
    """The curve as a picture, where matplotlib is installed."""
    if find_spec("matplotlib") is None:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="loss")
    axes.plot(*_points(curve, "loss"), label="train loss")
    other = axes.twinx()
    for name in ("eval_accuracy", "eval_r_precision"):
        epochs, values = _points(curve, name)
        if epochs:
            other.plot(epochs, values, "o-", color="tab:orange", label=name.removeprefix("eval_").replace("_", " "))
            other.set_ylabel("validation")
            other.legend(loc="lower right")
    axes.legend(loc="upper right")
    figure.savefig(file, dpi=120)


def _points(curve: list[dict[str, float]], name: str) -> tuple[list[float], list[float]]:
    found = [(entry["epoch"], entry[name]) for entry in curve if name in entry and "epoch" in entry]
    return [epoch for epoch, _ in found], [value for _, value in found]
