"""The state of a training in a folder, from which it goes on where it was stopped."""

import json
import time
from pathlib import Path

from torch import Tensor

from recsys.errors import SettingsError
from recsys.folders import replaced_folder

CHECKPOINT_FILE = "training.json"
STATE_FILE = "training.safetensors"

SECONDS_A_CHECKPOINT = 30.0
"""What a training that is killed loses at most; one that is interrupted loses the epoch it is in."""

History = list[dict[str, float]]
State = dict[str, Tensor]


class Checkpoint:
    """The tensors after an epoch, and what was measured in each so far.

    Raises:
        SettingsError: the folder is of another training, or cannot be read.
        SourceError: it holds something else, or cannot be written.
    """

    def __init__(self, folder: Path, identity: str, other: str = "other data") -> None:
        """Keep the state of a training in a folder, new or of the same identity; `other` is what else it may be of."""
        self._folder, self._identity, self._other = folder, identity, other
        self._kept: tuple[History, State] | None = None
        self._written = time.monotonic()

    def load(self) -> tuple[History, State] | None:
        """What is in the folder, if anything is."""
        from safetensors.torch import load_file

        if not (self._folder / CHECKPOINT_FILE).is_file():
            return None
        again = f"empty {self._folder}, or name another folder"
        try:
            told = json.loads((self._folder / CHECKPOINT_FILE).read_bytes())
            identity, history = told["identity"], told["history"]
            state = load_file(self._folder / STATE_FILE) if identity == self._identity else {}
        except Exception as error:
            # safetensors has an error of its own.
            raise SettingsError(f"the state of training in {self._folder} cannot be read: {again}") from error
        if identity != self._identity:
            raise SettingsError(f"{self._folder} is of a training on {self._other} or with other options: {again}")
        return history, state

    def keep(self, history: History, state: State) -> None:
        """Take the state of an epoch, and write it from time to time."""
        self._kept = history, state
        if time.monotonic() - self._written > SECONDS_A_CHECKPOINT:
            self.write()

    def write(self) -> None:
        """Write what was kept last, if it is not there yet."""
        from safetensors.torch import save_file

        if self._kept is None:
            return
        history, state = self._kept
        told = {"identity": self._identity, "epochs": len(history), "history": history}
        with replaced_folder(self._folder, CHECKPOINT_FILE) as draft:
            save_file({name: tensor.contiguous().cpu() for name, tensor in state.items()}, draft / STATE_FILE)
            (draft / CHECKPOINT_FILE).write_text(json.dumps(told, indent=1), encoding="utf-8")
        self._kept, self._written = None, time.monotonic()
