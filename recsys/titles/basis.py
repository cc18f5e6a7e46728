"""What a title recommender was built on, kept until it is built anew.

Everything that votes is worked out from a title's own playlists and from this. So a playlist that comes later changes
what it touches, and nothing else: bringing the tables up to date is cheap, and ends where building them from nothing on
the same basis would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recsys.errors import NotReadyError
from recsys.titles.entries import Entries
from recsys.titles.expectation import Expectation
from recsys.titles.held import Held, Ids, held_of
from recsys.titles.named import Priors
from recsys.titles.smoothing import DEFAULT, Ground, Heard, Profiles, Smoothing

_BASIS = "basis.safetensors"
_HELD = "held-{}.safetensors"


@dataclass(frozen=True)
class Names:
    """How names that titles hold are weighed."""

    artists: Priors
    songs: Priors
    named: Ids
    """The songs whose names are known, by their places."""
    least: int
    """A song that comes later is known by its name once more playlists hold it."""


@dataclass(frozen=True)
class Basis:
    """What a recommender was built on. Songs are known by their places in `song_ids`, titles in `title_ids`."""

    smoothing: Smoothing
    song_ids: Ids
    track_ids: Ids
    """The track that stood for each song."""
    title_ids: Ids
    ground: Ground
    heard: Heard
    names: Names
    expectation: Expectation | None
    """None where vectors are not adapted."""

    def among(self, entries: Entries) -> Basis:
        """The same with songs by their places in `entries`, which has them all."""
        places = np.searchsorted(entries.song_ids, self.song_ids)
        shape = (len(self.title_ids), len(entries.song_ids))
        counts = self.ground.counts
        holders = np.zeros(len(entries.song_ids), dtype=self.ground.holders.dtype)
        holders[places] = self.ground.holders
        profiles, expectation = self.heard.profiles, self.expectation
        return Basis(
            self.smoothing,
            entries.song_ids,
            entries.track_ids,
            self.title_ids,
            replace(
                self.ground,
                counts=sparse.csr_matrix((counts.data, places[counts.indices], counts.indptr), shape=shape),
                holders=holders,
                space_songs=places[self.ground.space_songs],
            ),
            replace(self.heard, profiles=replace(profiles, songs=places[profiles.songs])),
            replace(self.names, named=places[self.names.named]),
            None if expectation is None else replace(expectation, songs=places[expectation.songs]),
        )


def save_basis(basis: Basis, folder: Path) -> None:
    """Write a recommender's basis into a folder."""
    counts, profiles = basis.ground.counts, basis.heard.profiles
    arrays: dict[str, npt.NDArray[Any]] = {
        "smoothing": np.array(astuple(basis.smoothing), dtype=np.float64),
        "song_ids": basis.song_ids,
        "track_ids": basis.track_ids,
        "title_ids": basis.title_ids,
        "counts.data": counts.data,
        "counts.songs": counts.indices.astype(np.int32),
        "counts.starts": counts.indptr.astype(np.int64),
        "space_songs": basis.ground.space_songs,
        "space": basis.ground.space,
        "profiles.starts": profiles.starts,
        "profiles.songs": profiles.songs.astype(np.int32),
        "profiles.weights": profiles.weights,
        "vectors": basis.heard.vectors,
        "playlists": basis.heard.playlists,
        "priors": np.array([*basis.names.artists, *basis.names.songs]),
        "named": basis.names.named,
        "named.least": np.array([basis.names.least]),
    }
    if basis.expectation is not None:
        arrays |= {"expected.songs": basis.expectation.songs, "expected.vectors": basis.expectation.vectors}
    _write(arrays, folder / _BASIS)


def load_basis(folder: Path) -> Basis:
    """The basis in a folder.

    Raises:
        NotReadyError: it is not there, or damaged.
    """
    file = folder / _BASIS
    arrays = _read(file)
    try:
        shape = (len(arrays["title_ids"]), len(arrays["song_ids"]))
        counts = sparse.csr_matrix((arrays["counts.data"], arrays["counts.songs"], arrays["counts.starts"]), shape)
        holders = np.asarray(counts.sum(axis=0)).ravel()
        profiles = Profiles(
            arrays["profiles.starts"], arrays["profiles.songs"].astype(np.int64), arrays["profiles.weights"]
        )
        priors = arrays["priors"].tolist()
        names = Names(Priors(*priors[:2]), Priors(*priors[2:]), arrays["named"], int(arrays["named.least"][0]))
        expectation = None
        if "expected.songs" in arrays:
            expectation = Expectation(arrays["expected.songs"], arrays["expected.vectors"])
        options = zip(astuple(DEFAULT), arrays["smoothing"].tolist(), strict=True)
        return Basis(
            Smoothing(*(type(default)(value) for default, value in options)),
            arrays["song_ids"],
            arrays["track_ids"],
            arrays["title_ids"],
            Ground(counts, holders, arrays["space_songs"], arrays["space"]),
            Heard(profiles, arrays["vectors"], arrays["playlists"]),
            names,
            expectation,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(file) from error


def save_held(held: Held, folder: Path, number: int) -> None:
    """Write what the tables of a recommender stand for beside its basis, under a number of its own."""
    _write(held.arrays(), folder / _HELD.format(number))


def load_held(folder: Path, number: int) -> Held:
    """What the tables of a recommender stand for.

    Raises:
        NotReadyError: it is not there, or damaged.
    """
    file = folder / _HELD.format(number)
    try:
        return held_of(_read(file))
    except KeyError as error:
        raise _damaged(file) from error


def remove_other_held(folder: Path, number: int) -> None:
    """Remove what the tables stood for before."""
    for file in folder.glob(_HELD.format("*")):
        if file.name != _HELD.format(number):
            file.unlink(missing_ok=True)


def _write(arrays: Mapping[str, npt.NDArray[Any]], file: Path) -> None:
    from safetensors.numpy import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, file)


def _read(file: Path) -> dict[str, npt.NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise _damaged(file) from error


def _damaged(file: Path) -> NotReadyError:
    return NotReadyError(f"{file} is missing or damaged: run `recsys titles embed`")
