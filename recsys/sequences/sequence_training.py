"""Training of sequence networks (MODELS C4), on a CPU, a GPU or several, without a database.

Of several processes (torchrun) each takes its part of every batch; gradients are summed up, so that a step is one of
the whole batch. The clusters are the same in all.
"""

from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from recsys.device import chosen_device, tensor_cores
from recsys.errors import NotReadyError, SettingsError
from recsys.progress import Progress, silent
from recsys.sequences.foreteller import Foreteller
from recsys.sequences.hierarchy import hierarchy_data
from recsys.sequences.sequence_data import Part, SequenceData
from recsys.sequences.sequence_module import Batch, HierarchyModule, SequenceModule, SoftmaxModule, part_names
from recsys.sequences.sequence_options import SequenceOptions
from recsys.sequences.validation import Validation
from recsys.tracklists.checkpoint import Checkpoint, History, State
from recsys.tracklists.mgccf_plan import epoch_seed

BEST = "validation.mrr_20"
"""What the best epoch has most of."""

_STEP = "training the sequence network"


def train_sequence(
    data: SequenceData,
    options: SequenceOptions,
    checkpoint_folder: Path | None = None,
    progress: Progress = silent,
) -> tuple[Foreteller, History]:
    """Train a network; the weights of the epoch that validated best are kept, or the last ones without validation.

    The same data and options give the same network on one device, also when training was stopped between; but for the
    hierarchy on a GPU, where two runs differ by rounding from the first epoch on (1e-6 of the loss).

    Args:
        data: what is learned.
        options: how.
        checkpoint_folder: where the state of training is kept and gone on from, new or of the same training, which
            may be asked for more epochs; None keeps none.
        progress: called after every epoch.

    Raises:
        SettingsError: there is no such device, or the folder is of a training on other data or with other options.
        NotReadyError: training diverged.
        SourceError: the folder holds something else, or cannot be written.
    """
    device = _own_device(options)
    trainer = Trainer(data, options, device)
    # Of several processes, all go on from the first one's folder.
    checkpoint = None if checkpoint_folder is None else Checkpoint(checkpoint_folder, data.identity(options))
    history: History = []
    best: State = {}
    if checkpoint is not None and (loaded := checkpoint.load()) is not None:
        history, tensors = loaded
        best = {name.removeprefix("best/"): kept.to(device) for name, kept in tensors.items() if "best/" in name}
        trainer.restore(tensors)
    try:
        while len(history) < options.epochs:
            progress(_STEP, len(history), options.epochs)
            measured = trainer.run_epoch(len(history))
            if not all(map(isfinite, measured.values())):
                raise NotReadyError("the sequence network's training diverged: choose a lower learning rate")
            if BEST not in measured or measured[BEST] > max((epoch[BEST] for epoch in history), default=-1.0):
                best = trainer.weights()
            history = [*history, measured]
            if checkpoint is not None and trainer.rank == 0:
                checkpoint.keep(history, trainer.state() | {f"best/{name}": kept for name, kept in best.items()})
    finally:
        if checkpoint is not None:
            checkpoint.write()
    progress(_STEP, options.epochs, options.epochs)
    trainer.restore(best)
    return trainer.foreteller(), history


def _own_device(options: SequenceOptions) -> torch.device:
    """The device of this process: of several, each has a GPU of its own."""
    device = torch.device(chosen_device(options.device))
    if device.type == "cuda" and distributed.is_initialized():
        device = torch.device("cuda", distributed.get_rank() % torch.cuda.device_count())
        torch.cuda.set_device(device)
    return device


class Trainer:
    """The network, its optimiser, and on a GPU the step captured as a CUDA graph.

    Raises:
        SettingsError: a batch cannot be shared by the processes.
    """

    def __init__(self, data: SequenceData, options: SequenceOptions, device: torch.device) -> None:
        self.options, self.device = options, device
        self.rank, self.processes = 0, 1
        if distributed.is_initialized():
            self.rank, self.processes = distributed.get_rank(), distributed.get_world_size()
        self.batch_size = min(options.batch_size, len(data.training))
        if self.batch_size % self.processes:
            raise SettingsError(f"{self.processes} processes cannot share batches of {self.batch_size} sub-lists")
        self._training = _on_device(data.training, device)
        self._validation = Validation(data.validation, device)
        self.graphs = hierarchy_data(data.snapshot, data.features, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            kind = HierarchyModule if options.head == "hierarchy" else SoftmaxModule
            self.module: SequenceModule = kind(data.sizes, data.features, options)
        self.module.to(device).train()
        weights = list(self.module.parameters())
        # One stretch of memory, so that one call sums it up over processes.
        self._gradients = torch.zeros(sum(weight.numel() for weight in weights), device=device)
        places = torch.split(self._gradients, [weight.numel() for weight in weights])
        for weight, place in zip(weights, places, strict=True):
            weight.grad = place.view_as(weight)
        self.optimizer = torch.optim.Adam(
            weights,
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
            decoupled_weight_decay=True,
            fused=True,
            capturable=device.type == "cuda",
        )
        for weight in weights:
            self.optimizer.state[weight] = {
                "step": torch.zeros((), device=device),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }
        self._names = ["loss", *part_names(options)]
        self._sums = torch.zeros(len(self._names), device=device)
        self._captured: _CapturedStep | None = None

    @property
    def steps(self) -> int:
        """Of an epoch; what does not fill a batch is left out, another part each time."""
        return len(self._training.djs) // self.batch_size

    def run_epoch(self, number: int) -> dict[str, float]:
        """Train for an epoch, then validate: the mean loss and parts of it, and what `Validation` measures."""
        self.train_epoch(number)
        if self.processes > 1:
            distributed.all_reduce(self._sums)
        measured = dict(zip(self._names, (self._sums / self.steps).tolist(), strict=True))
        return measured | self._validation.measured(self.foreteller())

    def train_epoch(self, number: int) -> None:
        """The steps of an epoch; on a GPU they may still be at work afterwards."""
        seed = self.options.seed
        generator = torch.Generator().manual_seed(epoch_seed(seed, number, "plan"))
        drawn = torch.randperm(len(self._training.djs), generator=generator)[: self.steps * self.batch_size]
        rows = drawn.view(self.steps, self.batch_size).to(self.device)
        totals = self._training.weights.sum(dim=1)[rows].sum(dim=1)  # (steps,)
        own = rows.chunk(self.processes, dim=1)[self.rank].contiguous()
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            self.module.train()
            if self.device.type == "cuda" and self._captured is None:
                self._captured = _CapturedStep(self, own[0], totals[0])
            step = self.step if self._captured is None else self._captured.replay
            torch.manual_seed(epoch_seed(seed, number, f"dropout {self.rank}"))
            self._sums.zero_()
            for number_of_step in range(self.steps):
                step(own[number_of_step], totals[number_of_step])

    def step(self, rows: Tensor, total: Tensor) -> None:
        """One step on sub-lists (b,), of a batch of this weight."""
        batch = Batch(*(part[rows] for part in self._training))
        losses = self.module(batch, self.graphs, total, 1 / self.processes)
        self._gradients.zero_()
        losses.total.backward()
        if self.processes > 1:
            distributed.all_reduce(self._gradients)
        self._gradients.clamp_(-self.options.clip, self.options.clip)
        self.optimizer.step()
        self._sums += torch.cat([losses.total.detach()[None], losses.parts])

    def foreteller(self) -> Foreteller:
        """What the network foretells as it is now."""
        return Foreteller(self.module.predictor, self.module.frozen(self.graphs))

    def weights(self) -> State:
        """A copy of the weights, by name."""
        return {name: weight.detach().clone() for name, weight in self.module.named_parameters()}

    def state(self) -> State:
        """A copy of all that a step changes, by name."""
        return {name: tensor.clone() for name, tensor in self._state().items()}

    def restore(self, state: State) -> None:
        """Go back to a state, or to weights."""
        with torch.no_grad():
            for name, tensor in self._state().items():
                if name in state:
                    tensor.copy_(state[name])

    def _state(self) -> State:
        tensors = {}
        for name, weight in self.module.named_parameters():
            tensors[name] = weight.detach()
            tensors |= {f"{name}/{kind}": tensor for kind, tensor in self.optimizer.state[weight].items()}
        return tensors


class _CapturedStep:
    """A step as a CUDA graph, over buffers that each step's rows are copied into."""

    def __init__(self, trainer: Trainer, rows: Tensor, total: Tensor) -> None:
        self._rows, self._total = rows.clone(), total.clone()
        self._graph = torch.cuda.CUDAGraph()
        before = trainer.state()
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with tensor_cores():
            with torch.cuda.stream(stream):
                for _ in range(3):
                    trainer.step(self._rows, self._total)
            torch.cuda.current_stream().wait_stream(stream)
            # Of several processes, each has a thread that watches over its sums, and may ask the GPU meanwhile.
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                trainer.step(self._rows, self._total)
        trainer.restore(before)

    def replay(self, rows: Tensor, total: Tensor) -> None:
        self._rows.copy_(rows)
        self._total.copy_(total)
        self._graph.replay()


def _on_device(part: Part, device: torch.device) -> Batch:
    """All sub-lists of a part as one batch."""
    arrays: tuple[Any, ...] = (part.steps.inputs, part.steps.targets, part.steps.weights, part.djs, part.quarters)
    return Batch(*(torch.from_numpy(values).to(device) for values in arrays))
