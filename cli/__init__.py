"""The command `recsys`; installed as `recsys.cli`."""

from .app import main

__all__ = ["main"]
