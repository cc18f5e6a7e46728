"""Folders that are written whole: until one is, what was there stays; and what manifests in them say."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.errors import SourceError


@dataclass(frozen=True)
class Layout:
    """What a kind of folder is called, which command writes it, and which version of its content is read."""

    kind: str
    command: str
    manifest_file: str
    number: int

    def read_manifest(self, folder: Path) -> dict[str, Any]:
        """The manifest of a folder of this layout; it has a `content_hash`.

        Raises:
            SourceError: there is none, it cannot be read, or it is of another layout.
        """
        try:
            manifest: dict[str, Any] = json.loads((folder / self.manifest_file).read_bytes())
            layout, _ = manifest["layout"], manifest["content_hash"]
        except OSError:
            raise SourceError(f"{folder} holds no {self.kind}: write one with `{self.command} {folder}`") from None
        except (ValueError, TypeError, KeyError):
            raise self.damaged(folder, f"{self.manifest_file} cannot be read") from None
        if layout != self.number:
            raise SourceError(
                f"the {self.kind} in {folder} is of layout {layout}, this version reads {self.number}: write it again"
                f" with `{self.command}`"
            )
        return manifest

    def damaged(self, folder: Path, reason: str | Exception) -> SourceError:
        """The error of a folder that cannot be used; of another error its first line is the reason."""
        words = f"{reason}".splitlines() or [type(reason).__name__]
        return SourceError(f"the {self.kind} in {folder} is damaged ({words[0]}): copy it, or write it, again")


def check_replaceable(folder: Path, marker: str) -> None:
    """Refuse a folder that `replaced_folder` would not replace.

    Raises:
        SourceError: the folder holds something else.
    """
    if folder.exists() and not (folder.is_dir() and ((folder / marker).is_file() or not any(folder.iterdir()))):
        raise SourceError(f"{folder} holds something else: name a new or an empty folder")


def training_state(folder: Path) -> Path:
    """The hidden folder beside one that a training writes, in which it keeps what it goes on from."""
    return folder.absolute().with_name(f".{folder.name}.training")


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
