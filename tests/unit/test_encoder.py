import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recsys.errors import EncoderError
from recsys.titles.encoder import Encoder, find_encoder, load_export, prepare_encoder
from recsys.titles.onnx_export import fingerprint_of
from tests.tiny_encoder import build_tiny_encoder

TITLES = [
    "summer songs",
    "",
    "chill",
    "the sad songs for the old road trip and the happy winter love mix for sleep and jazz music 2019",
    "GYM 🔥🔥",
    "夏の夜",
    "   rock   ",
    "90s",
    "ünknöwn wörds",
    "a" * 300,
]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_encoder(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def encoder(source: Path, models_folder: Path) -> Encoder:
    assert find_encoder(str(source), models_folder) is None
    return prepare_encoder(str(source), models_folder)


@pytest.fixture
def own_copy(encoder: Encoder, source: Path, models_folder: Path, tmp_path: Path) -> tuple[str, Path]:
    """The name of a copy of the source that a test may change, and models with its export."""
    shutil.copytree(source, tmp_path / "tiny")
    shutil.copytree(models_folder, tmp_path / "models")
    prepare_encoder(str(tmp_path / "tiny"), tmp_path / "models")
    return str(tmp_path / "tiny"), tmp_path / "models"


def vectors_of_sentence_transformers(folder: Path, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(texts, normalize_embeddings=True)


def run_python(code: str, *arguments: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_vectors_are_those_of_sentence_transformers(encoder: Encoder, source: Path) -> None:
    assert encoder.dimension == 32
    np.testing.assert_allclose(encoder.encode(TITLES), vectors_of_sentence_transformers(source, TITLES), atol=1e-5)


def test_different_titles_have_different_vectors(encoder: Encoder) -> None:
    similarity = encoder.encode(TITLES) @ encoder.encode(TITLES).T
    np.fill_diagonal(similarity, 0)
    assert similarity.max() < 0.999


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_order_is_that_of_the_texts_whatever_their_lengths(encoder: Encoder, batch_size: int) -> None:
    one_by_one = np.concatenate([encoder.encode([title]) for title in TITLES])
    np.testing.assert_allclose(encoder.encode(TITLES, batch_size=batch_size), one_by_one, atol=1e-5)


def test_order_holds_beyond_one_window(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = encoder.encode(TITLES)
    monkeypatch.setattr("recsys.titles.encoder._WINDOW", 4)
    np.testing.assert_allclose(encoder.encode(TITLES, batch_size=3), expected, atol=1e-5)


def test_vectors_have_length_one(encoder: Encoder) -> None:
    vectors = encoder.encode(TITLES)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 32)


def test_a_text_that_is_no_valid_unicode_is_encoded(encoder: Encoder) -> None:
    np.testing.assert_array_equal(encoder.encode(["rock \udcff"]), encoder.encode(["rock ?"]))


def test_every_batch_tells_how_many_texts_it_finished(encoder: Encoder) -> None:
    finished: list[int] = []
    encoder.encode(TITLES, batch_size=4, on_batch=finished.append)
    assert finished == [4, 4, 2]


def test_an_export_is_found_again_and_not_made_again(encoder: Encoder, source: Path, models_folder: Path) -> None:
    found = find_encoder(str(source), models_folder)
    assert found is not None
    assert (found.folder, found.fingerprint) == (encoder.folder, encoder.fingerprint)
    steps: list[str] = []
    assert prepare_encoder(str(source), models_folder, steps.append).folder == encoder.folder
    assert steps == []
    np.testing.assert_array_equal(load_export(encoder.folder).encode(["rock"]), encoder.encode(["rock"]))


def test_a_relative_path_names_the_same_encoder(
    encoder: Encoder, source: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    found = find_encoder("./tiny", models_folder)
    assert found is not None
    assert found.name == str(source)


def test_files_that_only_look_newer_are_not_exported_again(own_copy: tuple[str, Path]) -> None:
    name, models = own_copy
    before = find_encoder(name, models)
    os.utime(Path(name) / "model.safetensors", (1, 1))
    assert find_encoder(name, models) is None
    steps: list[str] = []
    after = prepare_encoder(name, models, steps.append)
    assert before is not None
    assert (after.fingerprint, steps) == (before.fingerprint, [])
    assert find_encoder(name, models) is not None


def test_a_changed_folder_is_another_encoder(own_copy: tuple[str, Path], encoder: Encoder) -> None:
    name, models = own_copy
    other = build_tiny_encoder(models.parent / "other" / "tiny", pooling=("cls", "max"), seed=1)
    shutil.copytree(other, name, dirs_exist_ok=True)
    assert find_encoder(name, models) is None
    changed = prepare_encoder(name, models)
    assert changed.fingerprint != encoder.fingerprint
    assert changed.dimension == 64
    np.testing.assert_allclose(changed.encode(TITLES), vectors_of_sentence_transformers(Path(name), TITLES), atol=1e-5)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("model.safetensors", b"query", b"quiet"),
        ("tokenizer.json", b'"summer"', b'"spring"'),
        ("1_Pooling/config.json", b'"mean"', b'"max"'),
    ],
)
def test_the_fingerprint_is_of_weights_tokenizer_and_pooling(
    own_copy: tuple[str, Path], encoder: Encoder, file: str, old: bytes, new: bytes
) -> None:
    folder = Path(own_copy[0])
    (folder / "README.md").write_text("says nothing about vectors")
    assert fingerprint_of(folder) == encoder.fingerprint
    (folder / file).write_bytes((folder / file).read_bytes().replace(old, new))
    assert fingerprint_of(folder) != encoder.fingerprint


def test_the_export_outlives_its_source(own_copy: tuple[str, Path], encoder: Encoder) -> None:
    name, models = own_copy
    shutil.rmtree(name)
    found = find_encoder(name, models)
    assert found is not None
    assert found.fingerprint == encoder.fingerprint


def test_an_unfinished_export_is_not_taken(encoder: Encoder, source: Path, tmp_path: Path) -> None:
    shutil.copytree(encoder.folder, tmp_path / "encoders" / ".export-4711")
    assert find_encoder(str(source), tmp_path) is None
    shutil.copytree(encoder.folder, tmp_path / "encoders" / "tiny-0123")
    (tmp_path / "encoders" / "tiny-0123" / "model.onnx").unlink()
    assert find_encoder(str(source), tmp_path) is None


def test_a_damaged_export_says_to_delete_it(encoder: Encoder, tmp_path: Path) -> None:
    folder = shutil.copytree(encoder.folder, tmp_path / "damaged")
    (folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(EncoderError, match="delete that folder and run again"):
        load_export(folder).encode(["rock"])


def test_a_folder_that_is_no_model_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match=r"^.* is no encoder: .*$") as caught:
        prepare_encoder(str(tmp_path), tmp_path / "models")
    assert "\n" not in str(caught.value)
    with pytest.raises(EncoderError, match="there is no encoder folder"):
        prepare_encoder(str(tmp_path / "nowhere"), tmp_path / "models")


def test_a_model_that_cannot_be_loaded_is_an_error_of_one_line(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(EncoderError, match="cannot be exported to ONNX") as caught:
        prepare_encoder(str(tmp_path / "broken"), tmp_path / "models")
    assert "\n" not in str(caught.value)
    assert [path.name for path in (tmp_path / "models" / "encoders").iterdir()] == [".lock"]


def test_without_network_an_unknown_name_says_what_to_do(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from recsys.errors import EncoderError
from recsys.titles import onnx_export
from recsys.titles.encoder import prepare_encoder
onnx_export._in_package = lambda name: None
for name in ("nobody/nothing", "all-MiniLM-L6-v2"):
    try:
        prepare_encoder(name, Path(sys.argv[1]))
    except EncoderError as error:
        print(error)
"""
    lines = run_python(code, str(tmp_path), HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert lines == [
        "cannot get the encoder nobody/nothing: HF_HUB_OFFLINE is set; "
        "check the name, or give a folder with --encoder PATH",
        "cannot get the encoder sentence-transformers/all-MiniLM-L6-v2: HF_HUB_OFFLINE is set; "
        "run pip install 'recsys[offline]', or give a folder with --encoder PATH",
    ]


def test_encoding_with_an_export_imports_no_network_library(
    encoder: Encoder, source: Path, models_folder: Path
) -> None:
    code = """
import sys
from pathlib import Path
from recsys.titles.encoder import prepare_encoder
print(prepare_encoder(sys.argv[1], Path(sys.argv[2])).encode(["rock"]).shape)
print({"torch", "transformers", "sentence_transformers", "huggingface_hub"} & set(sys.modules))
"""
    assert run_python(code, str(source), str(models_folder)) == ["(1, 32)", "set()"]
