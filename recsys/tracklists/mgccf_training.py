"""Training of TL-MGCCF (MODELS B3), on a CPU or a GPU, without a database; it goes on from where it was stopped."""

import hashlib
import json
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recsys.device import chosen_device, tensor_cores
from recsys.errors import NotReadyError
from recsys.progress import Progress, silent
from recsys.tracklists.checkpoint import Checkpoint, History
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.mgccf import Graphs, Mgccf, MgccfOptions, embedded, graphs_of
from recsys.tracklists.mgccf_plan import Planner, epoch_seed
from recsys.tracklists.stored_arrays import hash_of, matrix_arrays

DEFAULT = MgccfOptions()


def train_mgccf(
    snapshot: GraphSnapshot,
    options: MgccfOptions = DEFAULT,
    checkpoint_folder: Path | None = None,
    progress: Progress = silent,
) -> Mgccf:
    """Train a model on a snapshot.

    The same snapshot and options give the same model on one device, also when training was stopped between: chance is
    drawn anew from the seed in each epoch, and the folder keeps the last one.

    Args:
        snapshot: what is learned.
        options: how.
        checkpoint_folder: where the state of training is kept and gone on from, new or of the same training, which
            may be asked for more epochs; None keeps none.
        progress: called after every epoch.

    Raises:
        SettingsError: there is no such device, or the folder is of a training on other data or with other options.
        NotReadyError: no DJ of the snapshot has clicks, or training diverged.
        SourceError: the folder holds something else, or cannot be written.
    """
    device = torch.device(chosen_device(options.device))
    graphs = graphs_of(snapshot, options.without)
    trainer = Trainer(graphs, options, device)
    checkpoint = (
        None
        if checkpoint_folder is None
        else Checkpoint(checkpoint_folder, _identity(graphs, options), "another graph")
    )
    history: History = []
    if checkpoint is not None and (state := checkpoint.load()) is not None:
        history, tensors = state
        trainer.restore(tensors)
    try:
        while len(history) < options.epochs:
            progress("training the graph model", len(history), options.epochs)
            losses = trainer.run_epoch(len(history))
            if not all(map(isfinite, losses.values())):
                raise NotReadyError("the graph model's training diverged: choose a lower learning rate")
            # Only now is the epoch a state to go on from.
            kept = trainer.state()
            history = [*history, losses]
            if checkpoint is not None:
                checkpoint.keep(history, kept)
    finally:
        if checkpoint is not None:
            checkpoint.write()
    progress("training the graph model", options.epochs, options.epochs)
    return embedded(snapshot, graphs, trainer.weights(), options, history)


class Trainer:
    """The network, its optimiser, and on a GPU the step captured as a CUDA graph."""

    def __init__(self, graphs: Graphs, options: MgccfOptions, device: torch.device) -> None:
        from recsys.tracklists.mgccf_module import MgccfModule, cooccurrence_of, hetero_data

        self.options, self.device = options, device
        self.planner = Planner(graphs, options, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            self.module: MgccfModule = MgccfModule(self.planner.sizes, options)
        self.module.to(device).train()
        self.data = hetero_data(graphs).to(str(device))
        self.cooccurrence = cooccurrence_of(graphs, options, device)
        kernels = self.module.kernels()
        named = {id(kernel) for kernel in kernels}
        others = [weight for weight in self.module.parameters() if id(weight) not in named]
        # Adam's decay adds its rate times the weight to the gradient, that is the gradient of l2 * weight^2.
        groups: list[dict[str, Any]] = [{"params": kernels, "weight_decay": 2 * options.l2}, {"params": others}]
        self.optimizer = torch.optim.Adam(
            groups,
            lr=options.learning_rate,
            fused=True,
            capturable=device.type == "cuda",
        )
        for weight in self.module.parameters():
            self.optimizer.state[weight] = {
                "step": torch.zeros((), device=device),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }
        self._sums = torch.zeros(7, device=device)
        self._captured: _CapturedStep | None = None
        self._drawn: tuple[int, Tensor] = -1, torch.empty(0)

    def run_epoch(self, number: int) -> dict[str, float]:
        """Train for an epoch; its mean loss and parts of it."""
        from recsys.tracklists.mgccf_module import PARTS

        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            drawn_for, drawn = self._drawn
            if drawn_for != number:
                drawn = self.planner.epoch(number)
            if self.device.type == "cuda" and self._captured is None:
                self._captured = _CapturedStep(self, drawn[0])
            step = self.step if self._captured is None else self._captured.replay
            torch.manual_seed(epoch_seed(self.options.seed, number, "dropout"))
            self._sums.zero_()
            for own in drawn:
                step(own)
            # While the GPU is still at work.
            self._drawn = number + 1, self.planner.epoch(number + 1)
            means = (self._sums / self.options.steps).tolist()
        return dict(zip(("loss", *PARTS), means, strict=True))

    def step(self, drawn: Tensor) -> None:
        """One step of what `Planner.epoch` drew."""
        losses = self.module(self.planner.step(drawn), self.data, self.cooccurrence)
        self.optimizer.zero_grad()
        losses.total.backward()
        self.optimizer.step()
        self._sums += torch.cat([losses.total.detach()[None], losses.parts])

    def state(self) -> dict[str, Tensor]:
        """A copy of all that a step changes, by name."""
        return {name: tensor.clone() for name, tensor in self._state().items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a state."""
        with torch.no_grad():
            for name, tensor in self._state().items():
                tensor.copy_(state[name])

    def weights(self) -> dict[str, Any]:
        """As `Mgccf.weights` has them."""
        return {name: weight.detach().cpu().numpy() for name, weight in self.module.state_dict().items()}

    def _state(self) -> dict[str, Tensor]:
        tensors = {}
        for name, weight in self.module.named_parameters():
            tensors[name] = weight.detach()
            tensors |= {f"{name}/{kind}": tensor for kind, tensor in self.optimizer.state[weight].items()}
        return tensors


class _CapturedStep:
    """A step as a CUDA graph, over a buffer that each step's plan is copied into."""

    def __init__(self, trainer: Trainer, drawn: Tensor) -> None:
        self._drawn = drawn.clone()
        self._graph = torch.cuda.CUDAGraph()
        before = trainer.state()
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with tensor_cores():
            with torch.cuda.stream(stream):
                for _ in range(3):
                    trainer.step(self._drawn)
            torch.cuda.current_stream().wait_stream(stream)
            trainer.optimizer.zero_grad()
            with torch.cuda.graph(self._graph):
                trainer.step(self._drawn)
        trainer.restore(before)

    def replay(self, drawn: Tensor) -> None:
        self._drawn.copy_(drawn)
        self._graph.replay()


def _identity(graphs: Graphs, options: MgccfOptions) -> str:
    """A hash of all that decides the weights, but for the number of epochs and the device."""
    arrays: dict[str, Any] = {}
    for name in ("clicks", "played", "credits", "song", "artist", "song_artist", "dj"):
        arrays |= matrix_arrays(name, getattr(graphs, name))
    asked = {name: value for name, value in asdict(options).items() if name not in ("epochs", "device")}
    return hashlib.sha256((hash_of(arrays) + json.dumps(asked, sort_keys=True)).encode()).hexdigest()
