"""What happens beside the steps of a training: the best epoch is kept, and progress shown."""

from collections.abc import Mapping
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from recsys.progress import Progress
from recsys.titles.finetune_losses import TitleLoss


class KeepBest(TrainerCallback):
    """Keeps the weights of the epoch with the best score, and stops after so many epochs without a better one.

    In memory: nothing half-trained is on disk, and no epoch waits for one.
    """

    def __init__(self, loss: TitleLoss, metric: str, patience: int) -> None:
        self.epoch: int | None = None
        self._modules = [loss.model] if loss.head is None else [loss.model, loss.head]
        self._metric = f"eval_{metric}"
        self._patience = patience
        self._best = float("-inf")
        self._weights: list[dict[str, torch.Tensor]] = []

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Compare the epoch that ended."""
        epoch = round(state.epoch or 0)
        score = (metrics or {})[self._metric]
        if score > self._best:
            self._best, self.epoch = score, epoch
            self._weights = [
                {name: weight.detach().to("cpu", copy=True) for name, weight in module.state_dict().items()}
                for module in self._modules
            ]
        elif epoch - (self.epoch or 0) >= self._patience:
            control.should_training_stop = True

    def restore(self) -> None:
        """Put the best epoch's weights back."""
        for module, weights in zip(self._modules, self._weights, strict=False):
            module.load_state_dict(weights)


class ShowProgress(TrainerCallback):
    """Calls with the epoch and the last loss, and how many of how many steps are done."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._loss = ""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note the loss."""
        if logs and "loss" in logs:
            self._loss = f", loss {float(logs['loss']):.3f}"

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Show the step."""
        epoch = min(int(state.epoch or 0) + 1, round(args.num_train_epochs))
        step = f"training, epoch {epoch} of {round(args.num_train_epochs)}{self._loss}"
        self._progress(step, state.global_step, state.max_steps)
