"""Folders that are written whole: until one is, what was there stays."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.errors import SourceError


def check_replaceable(folder: Path, marker: str) -> None:
    """Refuse a folder that `replaced_folder` would not replace.

    Raises:
        SourceError: the folder holds something else.
    """
    if folder.exists() and not (folder.is_dir() and ((folder / marker).is_file() or not any(folder.iterdir()))):
        raise SourceError(f"{folder} holds something else: name a new or an empty folder")


@contextmanager
def replaced_folder(folder: Path, marker: str) -> Iterator[Path]:
    """A draft folder that takes the place of `folder` once the block ends well; until then, what was there stays.

    Only an empty folder, or one that holds the file `marker`, is replaced.

    Raises:
        SourceError: the folder holds something else, or cannot be written.
    """
    check_replaceable(folder, marker)
    folder = folder.absolute()
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    try:
        draft.mkdir(parents=True)
        yield draft
        if folder.exists():
            folder.rename(old)
        draft.rename(folder)
    except OSError as error:
        raise SourceError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
