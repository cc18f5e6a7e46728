"""Training of sequence networks where there is a GPU and a checkout, and nothing else of ours.

python -m recsys.sequences.training --snapshot DIR --output DIR [--encoder lstm] [--head hierarchy] [--djs]
torchrun --nproc-per-node 4 -m recsys.sequences.training .. is the same on four GPUs.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path

from recsys.errors import RecsysError
from recsys.folders import training_state
from recsys.progress import by_step, interruption, silent
from recsys.sequences.sequence_model import train_sequence_model
from recsys.sequences.sequence_options import SequenceOptions

DEFAULT = SequenceOptions()


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; the facts are a line of JSON on stdout, progress and errors are on stderr; returns the exit code."""
    parser = argparse.ArgumentParser(prog="recsys.sequences.training", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--snapshot", type=Path, required=True, metavar="DIR")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--recommender", type=Path, metavar="DIR", help="a TL-MGCCF trained on the same snapshot")
    parser.add_argument("--encoder", choices=("lstm", "gru", "transformer"), default=DEFAULT.encoder)
    parser.add_argument("--head", choices=("hierarchy", "softmax"), default=DEFAULT.head)
    parser.add_argument("--djs", action="store_true", help="tell the network the DJ")
    parser.add_argument("--quarters", action="store_true", help="tell it the time")
    parser.add_argument("--half-life", type=float, default=DEFAULT.half_life, help="of a tracklist's weight, in years")
    parser.add_argument("--features", action="store_true", help="give a softmax' songs features of the graph, too")
    parser.add_argument("--epochs", type=int, default=DEFAULT.epochs)
    parser.add_argument("--batch-size", type=int, default=DEFAULT.batch_size)
    parser.add_argument("--learning-rate", type=float, default=DEFAULT.learning_rate)
    parser.add_argument("--weight-decay", type=float, default=DEFAULT.weight_decay)
    parser.add_argument("--width", type=int, default=DEFAULT.width)
    parser.add_argument("--layers", type=int, default=DEFAULT.layers)
    parser.add_argument("--dropout", type=float, default=DEFAULT.dropout)
    parser.add_argument("--validation-share", type=float, default=DEFAULT.validation_share)
    parser.add_argument("--seed", type=int, default=DEFAULT.seed)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default=DEFAULT.device)
    given = parser.parse_args(arguments)
    asked = {part.name: getattr(given, part.name) for part in fields(SequenceOptions) if hasattr(given, part.name)}
    try:
        options = SequenceOptions(**asked)
        with _processes(given.device) as rank:
            trained = train_sequence_model(
                given.snapshot,
                given.output,
                options,
                recommender=given.recommender,
                progress=by_step(sys.stderr.write) if rank == 0 else silent,
                writes=rank == 0,
            )
    except RecsysError as error:
        sys.stderr.write(f"recsys: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"{interruption(training_state(given.output).exists())}\n")
        return 1
    if rank == 0:
        sys.stdout.write(f"{json.dumps(asdict(trained), default=str)}\n")
    return 0


@contextmanager
def _processes(device: str) -> Iterator[int]:
    """Join the processes that torchrun started, if it did; the number of this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield 0
        return
    import torch
    from torch import distributed

    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield distributed.get_rank()
    finally:
        distributed.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
