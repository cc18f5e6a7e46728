"""docs/pictures/: how answers come about, as SVG."""

from collections.abc import Callable

PICTURES: dict[str, Callable[[], str]] = {}
