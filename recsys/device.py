"""Where networks run."""

from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch work in one thread: many small steps wait for each other's threads longer than these save."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def tensor_cores() -> Iterator[None]:
    """Products in TF32 while the block runs, whose error of 3e-4 is far below that of draws and dropout."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
