"""Methods that are measured against each other, as people name them."""

from collections.abc import Collection, Iterable

from recsys.errors import UnknownNameError


def known_names(names: Iterable[str], methods: Collection[str]) -> list[str]:
    """The names without repeats.

    Raises:
        UnknownNameError: there is no such method.
    """
    wanted = list(dict.fromkeys(names))
    if unknown := [name for name in wanted if name not in methods]:
        raise UnknownNameError(f"there is no method {unknown[0]}, but {', '.join(methods)}")
    return wanted
