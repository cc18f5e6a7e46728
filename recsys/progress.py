"""How long work tells what it is doing; the library never prints."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how much of how much is done (0 of 0 where that is unknown)."""


def silent(_step: str, _done: int, _all: int) -> None:
    """Progress that nobody wants to see."""


def by_step(write: Callable[[str], object]) -> Progress:
    """Progress that writes a line when a step begins, and none as it goes on."""
    last = ""

    def show(step: str, done: int, of: int) -> None:
        nonlocal last
        if step != last:
            write(f"{step} ({done} of {of})\n" if of else f"{step}\n")
            last = step

    return show
