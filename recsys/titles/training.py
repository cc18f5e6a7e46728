"""Training where there is torch, sentence-transformers and a checkout, and nothing else of ours.

python -m recsys.titles.training --snapshot DIR --encoder DIR --output DIR [--loss tracks] [--batch-size 2048] ..
torchrun --nproc-per-node 4 -m recsys.titles.training .. trains on four GPUs. It is what `recsys titles finetune` does,
with every option of `FinetuneOptions`.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_args

from recsys.device import Device
from recsys.errors import RecsysError
from recsys.progress import by_step, interruption, silent
from recsys.titles.finetune import FinetuneOptions, Loss, finetune
from recsys.titles.snapshot import load_title_snapshot


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; the summary is a line of JSON on stdout, progress and errors are on stderr; returns the exit code."""
    parser = argparse.ArgumentParser(prog="recsys.titles.training", description=(__doc__ or "").splitlines()[0])
    for name in ("snapshot", "encoder", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="DIR")
    parser.add_argument("--base", help="what the encoder is called, if not as its folder")
    for field in fields(FinetuneOptions):
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default)
        else:
            kind = _KINDS.get(field.name, type(field.default))
            parser.add_argument(flag, type=kind, choices=_CHOICES.get(field.name), default=field.default)
    given: dict[str, Any] = vars(parser.parse_args(arguments))
    snapshot, encoder, output, base = (given.pop(name) for name in ("snapshot", "encoder", "output", "base"))
    is_first = os.environ.get("RANK", "0") == "0"
    show = by_step(sys.stderr.write) if is_first else silent

    try:
        options = FinetuneOptions(**given)
        summary = finetune(encoder, load_title_snapshot(snapshot), options, output, base=base, progress=show)
    except RecsysError as error:
        sys.stderr.write(f"recsys: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"{interruption(False)}\n")
        return 1
    if is_first:
        sys.stdout.write(f"{json.dumps(asdict(summary), default=str)}\n")
    return 0


_KINDS: dict[str, type] = {"batch_size": int, "learning_rate": float}
"""Of options that are None by default."""

_CHOICES: dict[str, tuple[str, ...]] = {"loss": get_args(Loss), "device": get_args(Device)}

if __name__ == "__main__":
    sys.exit(main())
