"""Titles to vectors on the light path: an ONNX export, tokenizers and onnxruntime; no torch, no transformers."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from recsys.errors import EncoderError

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Encoding, Tokenizer

    Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]

Stamp = dict[str, tuple[int, int]]
"""Size and modification time in ns of the files that decide an encoder's vectors, by relative path."""

CARD_FILE = "encoder.json"
MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
Precision = Literal["fp32", "int8"]
"""Of an encoder's matrices: int8 is faster where the processor has instructions for it (VNNI, AMX), and near fp32."""

LAYOUT = 1
"""Raised when the content of an export changes; an export of another layout is made again."""

_MAX_THREADS = 8
_WINDOW = 8192
"""Texts that are tokenised and sorted by length at a time; bounds memory, not speed."""


class EncoderCard(msgspec.Struct, frozen=True, kw_only=True):
    """What an export says of itself, in `encoder.json`."""

    layout: int
    name: str
    """Hub name, or the absolute path of the source folder."""
    source: str
    """Folder whose weights were exported."""
    revision: str | None
    """Commit on the hub, None for a folder or the package."""
    dimension: int
    max_length: int | None
    """Longest input in tokens, special tokens included; longer titles are cut."""
    pad_token_id: int
    padding_side: Literal["left", "right"]
    prompt: str
    """Put before every text; empty for most encoders."""
    precision: Precision = "fp32"
    fingerprint: str
    stamp: Stamp
    """The source's files when they were exported."""
    versions: dict[str, str]
    created_at: str


class Encoder:
    """A sentence encoder exported to ONNX: text in, unit vectors out.

    Cheap to make: the model and the tokenizer are read from disk by the first `encode`.
    """

    def __init__(self, folder: Path, card: EncoderCard) -> None:
        self.folder = folder
        self.name = card.name
        self.dimension = card.dimension
        self.fingerprint = card.fingerprint
        """Identity of the encoder: a short hash of source weights, tokenizer, pooling and their settings."""
        self._card = card

    def encode(
        self, texts: Sequence[str], batch_size: int = 64, on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        """Unit vectors (len(texts), dimension), float32, in the order of the texts.

        Texts of like length share a batch and are padded to its longest. `on_batch` receives the number
        of texts that each batch finished.

        Raises:
            EncoderError: the export is damaged.
        """
        import numpy as np

        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), _WINDOW):
            window = [self._card.prompt + _valid_text(text) for text in texts[start : start + _WINDOW]]
            encodings = self._tokenizer.encode_batch_fast(window)
            by_length = np.argsort([len(encoding) for encoding in encodings], kind="stable")
            for first in range(0, len(window), batch_size):
                rows = by_length[first : first + batch_size]
                vectors[start + rows] = self._vectors_of([encodings[row] for row in rows])
                if on_batch is not None:
                    on_batch(len(rows))
        return vectors

    def _vectors_of(self, encodings: Sequence[Encoding]) -> Vectors:
        """Vectors (batch, dimension) of tokenised texts, padded to the longest."""
        import numpy as np

        width = max(1, *(len(encoding) for encoding in encodings))
        input_ids = np.full((len(encodings), width), self._card.pad_token_id, dtype=np.int64)  # (batch, time)
        attention_mask = np.zeros_like(input_ids)  # (batch, time)
        for row, encoding in enumerate(encodings):
            length = len(encoding)
            held = slice(width - length, width) if self._card.padding_side == "left" else slice(length)
            input_ids[row, held] = encoding.ids
            attention_mask[row, held] = 1
        outputs = self._session.run(None, {"input_ids": input_ids, "attention_mask": attention_mask})
        vectors: Vectors = outputs[0]
        return vectors

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        try:
            return Tokenizer.from_file(str(self.folder / TOKENIZER_FILE))
        except Exception as error:
            raise _damaged(self.folder) from error

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = min(_usable_cores(), _MAX_THREADS)
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(
                str(self.folder / MODEL_FILE), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise _damaged(self.folder) from error


def encode_by_length(
    encoder: Encoder, texts: Sequence[str], at_once: int, on_done: Callable[[int], None]
) -> Iterator[tuple[list[int], Vectors]]:
    """The places of at most `at_once` texts and their vectors, shortest first; `on_done` gets the texts so far.

    Texts of like length are encoded together, in an order that does not depend on that of the texts.
    """
    done = 0

    def count(finished: int) -> None:
        nonlocal done
        done += finished
        on_done(done)

    order = sorted(range(len(texts)), key=lambda place: (len(texts[place]), texts[place]))
    for start in range(0, len(order), at_once):
        places = order[start : start + at_once]
        yield places, encoder.encode([texts[place] for place in places], on_batch=count)


def load_export(folder: Path) -> Encoder:
    """The encoder in a folder that `prepare_encoder` made.

    Raises:
        EncoderError: the folder holds no export, or one of another version of recsys.
    """
    try:
        card = msgspec.json.decode((folder / CARD_FILE).read_bytes(), type=EncoderCard)
    except OSError:
        raise EncoderError(f"{folder} holds no exported encoder: it has no {CARD_FILE}") from None
    except msgspec.MsgspecError:
        raise _damaged(folder) from None
    if card.layout != LAYOUT or not all((folder / file).is_file() for file in (MODEL_FILE, TOKENIZER_FILE)):
        raise _damaged(folder)
    return Encoder(folder, card)


def find_encoder(name: str, models_folder: Path, precision: Precision = "fp32") -> Encoder | None:
    """The export of `name` that is already there, or None; reads a few small files and imports nothing heavy.

    `name` is an imported model, a hub name or a folder in sentence-transformers layout. An export of a folder
    that has changed since (size or time of a file that decides the vectors) is not taken; where the folder is
    gone, its newest export is.
    """
    name = canonical_name(name, models_folder)
    folder = Path(name)
    stamp = stamp_of(folder) if folder.is_dir() else None
    found = [
        encoder
        for encoder in _exports(encoders_folder(models_folder))
        if encoder.name == name
        and encoder._card.precision == precision
        and (stamp is None or encoder._card.stamp == stamp)
    ]
    return max(found, key=lambda encoder: encoder._card.created_at, default=None)


def prepare_encoder(
    name: str,
    models_folder: Path,
    progress: Callable[[str], None] | None = None,
    precision: Precision = "fp32",
) -> Encoder:
    """The export of `name`, made now if it is not there yet (once; imports torch and transformers).

    `progress` receives one line for each step that takes seconds. With `precision` int8, an encoder of its own whose
    matrices are rounded (dynamic quantisation).

    Raises:
        EncoderError: the name resolves to no model, or the model cannot be exported faithfully.
    """
    found = find_encoder(name, models_folder, precision)
    if found is not None:
        return found
    from recsys.titles.onnx_export import make_export

    return make_export(canonical_name(name, models_folder), models_folder, progress or (lambda _: None), precision)


def encoders_folder(models_folder: Path) -> Path:
    """Where exports are kept, one folder each."""
    return models_folder / "encoders"


def trained_folder(models_folder: Path) -> Path:
    """Where encoders that `recsys model import` brought are kept, one folder each under its name."""
    return models_folder / "trained"


def canonical_name(name: str, models_folder: Path | None = None) -> str:
    """The one spelling of an encoder's name: an absolute path, or `owner/model`.

    With `models_folder`, the name of an imported model is its folder. A name without an owner is otherwise one of
    sentence-transformers' own.
    """
    if models_folder is not None and name == Path(name).name and (trained_folder(models_folder) / name).is_dir():
        return str((trained_folder(models_folder) / name).resolve())
    folder = Path(name).expanduser()
    if folder.is_dir() or folder.is_absolute() or name.startswith("."):
        return str(folder.resolve())
    return name if "/" in name else f"sentence-transformers/{name}"


def short_name(name: str, models_folder: Path) -> str:
    """The shortest spelling of a canonical name, as people type it and read it."""
    return name.removeprefix(f"{trained_folder(models_folder).resolve()}/").removeprefix("sentence-transformers/")


def identity_files(folder: Path) -> list[Path]:
    """The files of a sentence-transformers folder that decide its vectors: weights, tokenizer, settings."""
    files: list[Path] = []
    for room in (folder, *module_folders(folder)):
        names = {path.name for path in room.iterdir() if path.is_file()} if room.is_dir() else set()
        weights = {name for name in names if name.endswith(".safetensors")}
        weights = weights or {name for name in names if re.fullmatch(r"pytorch_model.*\.bin", name)}
        settings = {name for name in names if _SETTINGS.fullmatch(name)}
        vocabulary = {TOKENIZER_FILE} & names or {name for name in names if _VOCABULARY.fullmatch(name)}
        files.extend(room / name for name in sorted(weights | settings | vocabulary))
    return files


def module_folders(folder: Path) -> list[Path]:
    """The subfolders that `modules.json` names; none for a plain transformers folder."""
    try:
        modules = json.loads((folder / "modules.json").read_bytes())
        return [folder / module["path"] for module in modules if module["path"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def stamp_of(folder: Path) -> Stamp:
    """The stamp of a folder's identity files as they are now."""
    stamp = {}
    for path in identity_files(folder):
        status = path.stat()
        stamp[path.relative_to(folder).as_posix()] = (status.st_size, status.st_mtime_ns)
    return stamp


_SETTINGS = re.compile(
    r"config\.json|modules\.json|tokenizer_config\.json|config_sentence_transformers\.json"
    r"|sentence_\w+_config\.json|adapter_config\.json"
)
_VOCABULARY = re.compile(r"vocab\.(txt|json)|merges\.txt|.*\.model")


def _exports(folder: Path) -> list[Encoder]:
    """Every whole export in a folder; hidden folders are exports in the making."""
    encoders = []
    for card in folder.glob(f"[!.]*/{CARD_FILE}"):
        try:
            encoders.append(load_export(card.parent))
        except EncoderError:
            continue
    return encoders


def _damaged(folder: Path) -> EncoderError:
    return EncoderError(f"the exported encoder in {folder} cannot be read: delete that folder and run again")


def _valid_text(text: str) -> str:
    """The text without lone surrogates, which an argument that is not UTF-8 brings in."""
    return text.encode("utf-8", "replace").decode()


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
