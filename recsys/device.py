"""Where networks run."""

from typing import Literal

from recsys.errors import SettingsError

Device = Literal["auto", "cpu", "cuda"]


def chosen_device(wanted: Device) -> str:
    """The device that a network runs on: the GPU where there is one, unless told otherwise.

    Raises:
        SettingsError: the GPU is asked for, and there is none.
    """
    import torch

    if wanted == "cuda" and not torch.cuda.is_available():
        raise SettingsError("torch sees no CUDA device here: choose the device cpu, or install torch for CUDA")
    return "cpu" if wanted == "cpu" or not torch.cuda.is_available() else "cuda"
