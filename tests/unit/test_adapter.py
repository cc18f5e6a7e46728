"""Adapted vectors against the same network in torch, features by hand, and files that are damaged or foreign."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch.nn.functional import gelu, linear

from recsys.errors import EncoderError
from recsys.titles import adapter as module
from recsys.titles.adapter import AdaptedEncoder, TitleAdapter, features, kept_encoder, load_title_encoder, save_adapter
from recsys.titles.encoder import Encoder, prepare_encoder

WIDTH, HIDDEN, DIMENSION = 6, 5, 4
KNOWN = ["summer mix", "gym", "夏 🔥", "a"]
"""Titles whose features were trained."""
TITLES = [*KNOWN, "summer gym", "zzz", "", "mix summer", "\udcff", "x" * 200]

Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def made_up_adapter(
    seed: int = 0, share: float = 0.4, known: Sequence[str] = KNOWN, width: int = WIDTH
) -> TitleAdapter:
    """Random weights; trained are the features of the known titles."""
    chance = np.random.default_rng(seed)
    buckets = np.array(sorted({bucket for title in known for bucket in features(title)}), dtype=np.int32)
    shapes = {"encoder": (HIDDEN, width), "hidden": (HIDDEN, HIDDEN), "output": (DIMENSION, HIDDEN)}
    weights: dict[str, Any] = {"buckets": buckets}
    for name, shape in shapes.items():
        weights[name] = chance.normal(size=shape).astype(np.float32)
        weights[f"{name}_bias"] = chance.normal(size=shape[0]).astype(np.float32)
    weights["features"] = chance.normal(size=(len(buckets), HIDDEN)).astype(np.float16)
    return TitleAdapter(weights, share)


def unit_vectors(count: int, seed: int = 1, width: int = WIDTH) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def in_torch(adapter: TitleAdapter, titles: Sequence[str], vectors: Vectors) -> Vectors:
    """The forward pass, title by title in double precision; an encoder's vector has unit variance, times 0.3."""
    weights = {name: torch.from_numpy(np.asarray(values)).double() for name, values in adapter.weights.items()}
    row_of = {int(bucket): row for row, bucket in enumerate(adapter.weights["buckets"])}
    made = []
    for title, vector in zip(titles, torch.from_numpy(vectors).double(), strict=True):
        summed = linear(0.3 * vectors.shape[1] ** 0.5 * vector, weights["encoder"], weights["encoder_bias"])
        trained = [weights["features"][row_of[bucket]] for bucket in features(title) if bucket in row_of]
        if trained:
            summed = summed + torch.stack(trained).sum(dim=0) / len(trained) ** 0.5
        inner = gelu(linear(summed, weights["hidden"], weights["hidden_bias"]), approximate="tanh")
        learned = linear(inner, weights["output"], weights["output_bias"])
        learned = learned / learned.norm()
        made.append(torch.cat([(1 - adapter.share) ** 0.5 * vector, adapter.share**0.5 * learned]))
    return torch.stack(made).float().numpy()


# --- features --------------------------------------------------------------------------------------------------


def test_features_are_words_pairs_runs_of_letters_and_the_title_as_a_whole() -> None:
    """Of "<a bc>" there are four runs of three letters, three of four and two of five."""
    named = ["w:a", "w:bc", "b:a bc", "f:a bc"]
    runs = ["<a ", "a b", " bc", "bc>", "<a b", "a bc", " bc>", "<a bc", "a bc>"]
    assert sorted(features("a bc")) == sorted(crc32(name.encode()) % 65536 for name in named + runs)


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("", ["f:"]),
        ("夏", ["w:夏", "f:夏", "<夏>"]),
        ("a a a", ["w:a"] * 3 + ["b:a a"] * 2 + ["f:a a a"] + ["<a ", "a a", " a ", "a a", " a>"]
         + ["<a a", "a a ", " a a", "a a>"] + ["<a a ", "a a a", " a a>"]),
        ("\udcff", ["w:?", "f:?", "<?>"]),
    ],
)  # fmt: skip
def test_features_of_odd_titles(title: str, names: list[str]) -> None:
    assert sorted(features(title)) == sorted(crc32(name.encode()) % 65536 for name in names)


# --- vectors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_adapted_vectors_are_those_of_the_network_in_torch(seed: int, share: float) -> None:
    adapter, vectors = made_up_adapter(seed, share), unit_vectors(len(TITLES), seed)
    adapted = adapter.adapt(TITLES, vectors)
    assert (adapted.shape, adapted.dtype) == ((len(TITLES), WIDTH + DIMENSION), np.float32)
    np.testing.assert_allclose(adapted, in_torch(adapter, TITLES, vectors), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(adapted, axis=1), 1, atol=1e-5)


def test_a_cosine_is_the_mean_of_the_encoders_and_the_learned_one_by_share() -> None:
    vectors = unit_vectors(len(TITLES))
    learned = made_up_adapter(share=1).adapt(TITLES, vectors)[:, WIDTH:]
    adapted = made_up_adapter(share=0.25).adapt(TITLES, vectors)
    expected = 0.75 * vectors @ vectors.T + 0.25 * learned @ learned.T
    np.testing.assert_allclose(adapted @ adapted.T, expected, atol=1e-5)


def test_at_a_share_of_0_a_vector_is_the_encoders_and_at_1_the_learned_part() -> None:
    vectors = unit_vectors(len(TITLES))
    none = made_up_adapter(share=0).adapt(TITLES, vectors)
    np.testing.assert_array_equal(none, np.pad(vectors, ((0, 0), (0, DIMENSION))))
    alone = made_up_adapter(share=1).adapt(TITLES, vectors)
    assert not alone[:, :WIDTH].any()


def test_titles_are_adapted_block_by_block_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter, vectors = made_up_adapter(), unit_vectors(len(TITLES))
    whole = adapter.adapt(TITLES, vectors)
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    np.testing.assert_allclose(adapter.adapt(TITLES, vectors), whole, atol=1e-6)
    for place, title in enumerate(TITLES):
        one = adapter.adapt([title], vectors[place : place + 1])
        np.testing.assert_allclose(one, whole[place : place + 1], atol=1e-6)
    assert adapter.adapt([], vectors[:0]).shape == (0, WIDTH + DIMENSION)


def test_what_was_never_met_says_nothing() -> None:
    """Two titles without a trained feature differ by their vectors only; the number of features counts for nothing."""
    adapter, vector = made_up_adapter(), unit_vectors(1)
    assert not any(set(features(title)) & set(adapter.weights["buckets"].tolist()) for title in ("zzz", "qqqqq wwwww"))
    first, second, known = (adapter.adapt([title], vector) for title in ("zzz", "qqqqq wwwww", "gym"))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - known).max() > 0.01


def test_a_word_that_was_never_met_leaves_a_title_to_its_other_features() -> None:
    """Trained is the word "gym" alone, not the title: "gym", "gym zzz" and "zzz gym" have that one feature."""
    adapter = made_up_adapter()
    weights = adapter.weights | {
        "buckets": np.array([crc32(b"w:gym") % 65536], dtype=np.int32),
        "features": adapter.weights["features"][:1],
    }
    only, vector = TitleAdapter(weights, 0.4), unit_vectors(1)
    expected = only.adapt(["gym"], vector)
    for title in ("gym zzz", "zzz gym"):
        np.testing.assert_array_equal(only.adapt([title], vector), expected)
    assert np.abs(only.adapt(["zzz"], vector) - expected).max() > 0.01


def test_a_network_that_says_nothing_leaves_zeros_beside_the_encoders_vector() -> None:
    adapter, vectors = made_up_adapter(), unit_vectors(2)
    nothing = {name: values if name == "buckets" else np.zeros_like(values) for name, values in adapter.weights.items()}
    adapted = TitleAdapter(nothing, 0.4).adapt(["gym", "zzz"], vectors)
    np.testing.assert_allclose(adapted, np.pad(0.6**0.5 * vectors, ((0, 0), (0, DIMENSION))), atol=1e-6)


# --- files -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encoder(encoder_folder: Path, home: Path) -> Encoder:
    return prepare_encoder(str(encoder_folder), home / "models")


@pytest.fixture
def saved(encoder: Encoder, tmp_path: Path) -> AdaptedEncoder:
    return save_adapter(made_up_adapter(width=32), encoder, tmp_path / "adapters")


def test_an_adapted_encoder_reads_titles_as_its_parts_do(encoder: Encoder, saved: AdaptedEncoder) -> None:
    finished: list[int] = []
    vectors = saved.encode(TITLES, 4, finished.append)
    expected = made_up_adapter(width=32).adapt(TITLES, encoder.encode(TITLES))
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert vectors.shape == (len(TITLES), saved.dimension) == (len(TITLES), 32 + DIMENSION)
    assert finished == [4, 4, 2]
    assert saved.encode([]).shape == (0, saved.dimension)


def test_what_was_saved_is_loaded_as_it_was(encoder: Encoder, saved: AdaptedEncoder) -> None:
    loaded = load_title_encoder(saved.folder)
    assert isinstance(loaded, AdaptedEncoder)
    for name in ("folder", "name", "dimension", "fingerprint"):
        assert getattr(loaded, name) == getattr(saved, name)
    assert loaded.name == encoder.name
    np.testing.assert_array_equal(loaded.encode(TITLES), saved.encode(TITLES))
    assert {path.name for path in saved.folder.iterdir()} == {"adapter.json", "adapter.safetensors"}


def test_a_folder_with_an_export_holds_an_encoder_as_it_is(encoder: Encoder) -> None:
    loaded = load_title_encoder(encoder.folder)
    assert isinstance(loaded, Encoder)
    assert loaded.fingerprint == encoder.fingerprint


def test_the_same_weights_are_one_adapter_and_others_are_another(
    encoder: Encoder, saved: AdaptedEncoder, tmp_path: Path
) -> None:
    again = save_adapter(made_up_adapter(width=32), encoder, tmp_path / "adapters")
    assert (again.folder, again.fingerprint) == (saved.folder, saved.fingerprint)
    other = Encoder(encoder.folder, msgspec.structs.replace(encoder._card, fingerprint="another"))
    others = [
        save_adapter(made_up_adapter(seed=1, width=32), encoder, tmp_path / "adapters"),
        save_adapter(made_up_adapter(width=32, share=0.3), encoder, tmp_path / "adapters"),
        save_adapter(made_up_adapter(width=32), other, tmp_path / "adapters"),
    ]
    made = [saved, *others]
    assert len({one.fingerprint for one in made}) == len({one.folder for one in made}) == len(made)
    assert encoder.fingerprint not in {one.fingerprint for one in made}


def card(folder: Path, **changed: object) -> None:
    file = folder / "adapter.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | changed))


def assert_refused(folder: Path, said: str = "") -> None:
    with pytest.raises(EncoderError) as error:
        load_title_encoder(folder).encode(["gym"])
    assert str(error.value) == (said or f"what was learned in {folder} cannot be read: run `recsys titles embed` again")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xff", b'{"layout": 1}'])
def test_a_damaged_card_is_said_to_in_one_line(saved: AdaptedEncoder, content: bytes) -> None:
    (saved.folder / "adapter.json").write_bytes(content)
    assert_refused(saved.folder)


@pytest.mark.parametrize("changed", [{"layout": 2}, {"share": "much"}, {"encoder_fingerprint": "of another one"}])
def test_a_card_of_another_version_or_encoder_is_said_to_in_one_line(
    saved: AdaptedEncoder, changed: dict[str, object]
) -> None:
    card(saved.folder, **changed)
    assert_refused(saved.folder)


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_cut_weights_are_said_to_in_one_line(saved: AdaptedEncoder, length: int) -> None:
    file = saved.folder / "adapter.safetensors"
    file.write_bytes(file.read_bytes()[:length])
    assert_refused(saved.folder)


def test_missing_weights_are_said_to_in_one_line(saved: AdaptedEncoder) -> None:
    (saved.folder / "adapter.safetensors").unlink()
    assert_refused(saved.folder)


@pytest.mark.parametrize("lacking", ["output", "features", "buckets", "hidden_bias"])
def test_weights_of_something_else_are_said_to_in_one_line(saved: AdaptedEncoder, lacking: str) -> None:
    file = saved.folder / "adapter.safetensors"
    save_file({name: values for name, values in load_file(file).items() if name != lacking}, file)
    assert_refused(saved.folder)


def test_weights_of_another_adapter_are_said_to_in_one_line(
    encoder: Encoder, saved: AdaptedEncoder, tmp_path: Path
) -> None:
    """Vectors of both cannot be compared, though they have one dimension."""
    other = save_adapter(made_up_adapter(seed=1, width=32), encoder, tmp_path / "adapters")
    shutil.copy(other.folder / "adapter.safetensors", saved.folder)
    assert_refused(saved.folder)


def test_an_adapter_whose_encoder_is_gone_names_it(saved: AdaptedEncoder, tmp_path: Path) -> None:
    card(saved.folder, encoder=str(tmp_path / "gone"))
    assert_refused(saved.folder, f"{tmp_path / 'gone'} holds no exported encoder: it has no encoder.json")


def test_a_folder_that_is_gone_is_said_to_in_one_line(tmp_path: Path) -> None:
    assert_refused(tmp_path / "x", f"{tmp_path / 'x'} holds no exported encoder: it has no encoder.json")


def test_an_encoder_is_kept_while_its_folder_stays_as_it_is(saved: AdaptedEncoder) -> None:
    first = kept_encoder(saved.folder)
    assert kept_encoder(saved.folder) is first
    os.utime(saved.folder / "adapter.json", ns=(1, 1))
    assert kept_encoder(saved.folder) is not first
    (saved.folder / "adapter.json").unlink()
    with pytest.raises(EncoderError):
        kept_encoder(saved.folder)
