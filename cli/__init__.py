"""The command `recsys`; installed as `recsys.cli`."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command; one that is interrupted before it began says so, too."""
    try:
        from .app import main as run
    except KeyboardInterrupt:
        sys.exit("interrupted")
    run()
