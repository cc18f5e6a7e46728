"""Titles compared by the songs that they stand for: an encoder's vectors with a learned part beside them.

A small network reads a title's vector, words and letters; it was trained so that a softmax over songs tells what
playlists of that title hold (`adapter_training.py`). An adapted vector is the encoder's beside the network's, so that
its cosine is the mean of both cosines, weighed by `share`. Used on the light path: numpy alone, no torch.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, pairwise
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from recsys.errors import EncoderError
from recsys.titles.encoder import CARD_FILE as EXPORT_CARD
from recsys.titles.encoder import Encoder, load_export

if TYPE_CHECKING:
    import numpy as np

    Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]
    Weights = dict[str, np.ndarray[Any, np.dtype[np.floating[Any]]]]

CARD_FILE = "adapter.json"
WEIGHTS_FILE = "adapter.safetensors"
LAYOUT = 1
"""Raised when the content of the files changes; those of another layout are made again by `recsys titles embed`."""

BUCKETS = 1 << 16
"""Features are hashed into so many rows (feature hashing, Weinberger et al. 2009)."""

INPUT_SCALE = 0.3
"""Of an encoder's vector, brought to unit variance, beside the features' sum."""

_AT_ONCE = 1024


def features(title: str) -> list[int]:
    """The buckets of a title's words, pairs of words, runs of 3 to 5 letters, and of the title as a whole."""
    words, edged = title.split(), f"<{title}>"
    named = [f"w:{word}" for word in words]
    named += [f"b:{first} {second}" for first, second in pairwise(words)]
    named.append(f"f:{title}")
    named += [edged[start : start + length] for length in (3, 4, 5) for start in range(len(edged) - length + 1)]
    return [zlib.crc32(name.encode("utf-8", "replace")) % BUCKETS for name in named]


class AdapterCard(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter says of itself, in `adapter.json`."""

    layout: int
    encoder: str
    """Folder of the export whose vectors it reads."""
    encoder_fingerprint: str
    share: float
    """The learned part of a cosine, 0 to 1."""
    dimension: int
    """Of the learned part."""
    weights_hash: str


@dataclass(frozen=True)
class TitleAdapter:
    """The learned part.

    Its weights are `encoder` (hidden, encoder's dimension), `hidden` (hidden, hidden) and `output` (dimension, hidden),
    each with a bias, and `features` (buckets that were trained, hidden) with the buckets' numbers in `buckets`.
    """

    weights: Weights
    share: float

    @property
    def dimension(self) -> int:
        """Of the learned part."""
        return int(self.weights["output"].shape[0])

    def adapt(self, titles: Sequence[str], vectors: Vectors) -> Vectors:
        """Adapted unit vectors (titles, encoder's dimension + dimension) from the encoder's unit vectors."""
        import numpy as np

        width = vectors.shape[1]
        adapted = np.empty((len(titles), width + self.dimension), dtype=np.float32)
        adapted[:, :width] = sqrt(1 - self.share) * vectors
        for first in range(0, len(titles), _AT_ONCE):
            block = slice(first, first + _AT_ONCE)
            learned = self.learned(titles[block], vectors[block])
            norms = np.linalg.norm(learned, axis=1, keepdims=True)
            adapted[block, width:] = sqrt(self.share) * learned / np.where(norms == 0, 1, norms)
        return adapted

    def learned(self, titles: Sequence[str], vectors: Vectors) -> Vectors:
        """The network's outputs (titles, dimension), as they are, from the encoder's unit vectors."""
        import numpy as np

        weights = self.weights
        inputs = vectors * np.float32(INPUT_SCALE * sqrt(vectors.shape[1]))
        summed = inputs @ weights["encoder"].T + weights["encoder_bias"] + self._features(titles)
        inner = summed @ weights["hidden"].T + weights["hidden_bias"]
        # GELU by its tanh approximation (Hendrycks and Gimpel 2016).
        active = 0.5 * inner * (1 + np.tanh(sqrt(2 / np.pi) * (inner + 0.044715 * inner**3)))
        outputs: Vectors = (active @ weights["output"].T + weights["output_bias"]).astype(np.float32)
        return outputs

    def _features(self, titles: Sequence[str]) -> Vectors:
        """The sum of the trained features of each title over the root of their number, zeros where there are none."""
        import numpy as np

        found = [
            [row for bucket in features(title) if (row := self._row_of.get(bucket)) is not None] for title in titles
        ]
        sums = np.zeros((len(titles), self.weights["hidden"].shape[1]), dtype=np.float32)
        rows = np.fromiter(chain.from_iterable(found), dtype=np.int64)
        counts = np.array([len(own) for own in found])
        has_any = np.flatnonzero(counts)
        if len(has_any):
            starts = np.concatenate([[0], np.cumsum(counts[has_any])[:-1]])
            values = self.weights["features"][rows].astype(np.float32)
            sums[has_any] = np.add.reduceat(values, starts, axis=0) / np.sqrt(counts[has_any])[:, None]
        return sums

    @cached_property
    def _row_of(self) -> dict[int, int]:
        return {bucket: row for row, bucket in enumerate(self.weights["buckets"].tolist())}


class AdaptedEncoder:
    """An encoder and what is learned beside it: text in, unit vectors out, as `Encoder` does."""

    def __init__(self, folder: Path, encoder: Encoder, adapter: TitleAdapter, weights_hash: str) -> None:
        self.folder = folder
        self.name = encoder.name
        self.dimension = encoder.dimension + adapter.dimension
        self.fingerprint = f"{encoder.fingerprint} adapted {weights_hash[:16]}"
        self.adapter = adapter
        self._encoder = encoder

    def encode(
        self, texts: Sequence[str], batch_size: int = 64, on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        """Unit vectors (len(texts), dimension), float32, in the order of the texts; see `Encoder.encode`."""
        return self.adapter.adapt(texts, self._encoder.encode(texts, batch_size, on_batch))


def save_adapter(adapter: TitleAdapter, encoder: Encoder, adapters_folder: Path) -> AdaptedEncoder:
    """Write an adapter of an encoder into a folder of its own, named by the hash of its weights, and load it."""
    from safetensors.numpy import save

    from recsys.folders import replaced_folder

    stored = save(adapter.weights)
    weights_hash = _hash_of(stored, encoder.fingerprint, adapter.share)
    folder = adapters_folder / weights_hash[:16]
    card = AdapterCard(
        layout=LAYOUT,
        encoder=str(encoder.folder),
        encoder_fingerprint=encoder.fingerprint,
        share=adapter.share,
        dimension=adapter.dimension,
        weights_hash=weights_hash,
    )
    with replaced_folder(folder, CARD_FILE) as draft:
        (draft / WEIGHTS_FILE).write_bytes(stored)
        (draft / CARD_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(card)))
    return AdaptedEncoder(folder, encoder, adapter, weights_hash)


def load_title_encoder(folder: Path) -> Encoder | AdaptedEncoder:
    """The encoder in a folder, exported as it is or adapted.

    Raises:
        EncoderError: the folder holds neither, or files of another version of recsys.
    """
    if not (folder / CARD_FILE).is_file():
        return load_export(folder)
    from safetensors.numpy import load

    try:
        card = msgspec.json.decode((folder / CARD_FILE).read_bytes(), type=AdapterCard)
        stored = (folder / WEIGHTS_FILE).read_bytes()
    except (OSError, msgspec.MsgspecError) as error:
        raise _damaged(folder) from error
    if card.layout != LAYOUT or _hash_of(stored, card.encoder_fingerprint, card.share) != card.weights_hash:
        raise _damaged(folder)
    encoder = load_export(Path(card.encoder))
    if encoder.fingerprint != card.encoder_fingerprint:
        raise _damaged(folder)
    return AdaptedEncoder(folder, encoder, TitleAdapter(load(stored), card.share), card.weights_hash)


def kept_encoder(folder: Path) -> Encoder | AdaptedEncoder:
    """As `load_title_encoder`, but the last ones are kept while their folders stay as they are."""
    cards = (folder / CARD_FILE, folder / EXPORT_CARD)
    return _kept(folder, tuple(card.stat().st_mtime_ns for card in cards if card.is_file()))


@lru_cache(maxsize=2)
def _kept(folder: Path, _stamp: tuple[int, ...]) -> Encoder | AdaptedEncoder:
    return load_title_encoder(folder)


def _hash_of(stored: bytes, encoder_fingerprint: str, share: float) -> str:
    return hashlib.sha256(f"{encoder_fingerprint} {share} ".encode() + stored).hexdigest()


def _damaged(folder: Path) -> EncoderError:
    return EncoderError(f"what was learned in {folder} cannot be read: run `recsys titles embed` again")
