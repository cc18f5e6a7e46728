"""Fine-tuning on made-up playlists with a tiny encoder: what it learns, writes, and leaves alone."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from recsys.errors import EncoderError, NotReadyError, SettingsError, SourceError
from recsys.titles.finetune import (
    TRAINING_FILE,
    FinetuneOptions,
    FinetuneSummary,
    Loss,
    chosen_options,
    file_hash,
    finetune,
    load_encoder,
)
from recsys.titles.finetune_data import LengthGroupedSampler, TitleCollator, Tokens, make_examples
from recsys.titles.finetune_losses import TitleLoss, make_loss
from recsys.titles.finetune_scores import ValidationScores, encode_titles
from recsys.titles.snapshot import TitleSnapshot, make_snapshot

pytestmark = pytest.mark.usefixtures("one_thread")

KINDS = (("summer chill", "happy party mix", "pop songs 2017", "x"), ("sad sleep", "sleep music for the night", "jazz"))
TITLES = [title for kind in KINDS for title in kind]
SONGS = 12
"""Songs of each kind; every playlist holds three."""


def world(playlists: int = 160, *, with_clusters: bool = True, with_validation: bool = True) -> TitleSnapshot:
    """Playlists of two kinds that share neither titles, songs nor clusters; every fifth is for validation."""
    rng = np.random.default_rng(0)
    title = rng.integers(len(TITLES), size=playlists)
    kind = (title >= len(KINDS[0])).astype(int)
    tracks = np.sort([rng.permutation(SONGS)[:3] for _ in range(playlists)], axis=1) + SONGS * kind[:, None]
    part = np.where(np.arange(playlists) % 5 == 4, 1 if with_validation else 0, 0)
    cluster = 7 * kind if with_clusters else np.full(playlists, -1)
    starts = 3 * np.arange(playlists + 1)
    return make_snapshot(TITLES, title, part, cluster, starts, tracks.ravel(), np.arange(2 * SONGS))


def options(loss: Loss = "cross-entropy", **changed: object) -> FinetuneOptions:
    settings: dict[str, object] = {
        "epochs": 3,
        "batch_size": 16,
        "learning_rate": 5e-3,
        "head_learning_rate": 5e-2,
        "device": "cpu",
    }
    return FinetuneOptions(loss=loss, **(settings | changed))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> FinetuneSummary:
    """FT-C once, for the tests that only read it."""
    return finetune(encoder_folder, world(), options(), tmp_path_factory.mktemp("trained") / "ft-c")


def test_the_loss_falls_and_the_head_tells_clusters_apart(trained: FinetuneSummary) -> None:
    curve = json.loads((trained.folder / "curve.json").read_text(encoding="utf-8"))
    losses = [entry["loss"] for entry in curve if "loss" in entry]
    assert losses[-1] < losses[0] / 2
    assert trained.scores["accuracy"] > 0.8  # the larger cluster has .57
    assert (trained.examples, trained.distinct_titles, trained.epochs) == (128, len(TITLES), 3)
    assert trained.best_epoch in (1, 2, 3)


def test_what_is_written_says_what_it_is(trained: FinetuneSummary) -> None:
    record = json.loads((trained.folder / TRAINING_FILE).read_text(encoding="utf-8"))
    assert record["kind"] == "title-encoder"
    assert record["dimension"] == 32
    assert record["snapshot"]["content_hash"] == world().content_hash == trained.snapshot_hash
    assert (record["options"]["loss"], record["options"]["batch_size"]) == ("cross-entropy", 16)
    assert record["metrics"] == trained.scores
    assert record["files"]["model.safetensors"] == file_hash(trained.folder / "model.safetensors")
    assert {file.relative_to(trained.folder).as_posix() for file in trained.folder.rglob("*") if file.is_file()} == {
        *record["files"],
        TRAINING_FILE,
    }
    card = (trained.folder / "README.md").read_text(encoding="utf-8")
    assert f"* Snapshot `{trained.snapshot_hash}`" in card
    assert "160 playlists (128 train, 32 validation, 0 test)" in card
    assert (trained.folder / "curve.png").stat().st_size > 1000


def test_the_same_seed_gives_the_same_weights(trained: FinetuneSummary, encoder_folder: Path, tmp_path: Path) -> None:
    again = finetune(encoder_folder, world(), options(), tmp_path / "again")
    weights = load_file(again.folder / "model.safetensors")
    assert all(torch.equal(weights[name], w) for name, w in load_file(trained.folder / "model.safetensors").items())
    assert again.scores == trained.scores
    start = load_file(encoder_folder / "model.safetensors")
    assert not torch.equal(weights[next(iter(start))], start[next(iter(start))])


def test_an_interruption_leaves_nothing(encoder_folder: Path, tmp_path: Path) -> None:
    def interrupt(_step: str, done: int, _all: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(encoder_folder, world(), options(), tmp_path / "out", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_not_overwritten(encoder_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SourceError, match="holds something else"):
        finetune(encoder_folder, world(), options(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("loss", ["triplet", "tracks"])
def test_other_losses_train_too(loss: Loss, encoder_folder: Path, tmp_path: Path) -> None:
    done = finetune(encoder_folder, world(), options(loss, epochs=1), tmp_path / "out")
    assert list(done.scores) == ["r_precision"]
    assert done.best_epoch == 1
    assert (done.folder / TRAINING_FILE).is_file()


def test_without_validation_the_last_epoch_is_kept(encoder_folder: Path, tmp_path: Path) -> None:
    done = finetune(encoder_folder, world(40, with_validation=False), options(epochs=1), tmp_path / "out")
    assert (done.best_epoch, done.before, done.scores) == (None, {}, {})


# --- vectors -----------------------------------------------------------------------------------------------------


def test_vectors_are_those_of_encode_whatever_they_are_padded_to(encoder_folder: Path) -> None:
    model = load_encoder(encoder_folder, "cpu")
    titles = [*TITLES, "", "🔥", "a very long title " * 20]
    tokens = Tokens(model, titles)
    expected = model.encode(titles, normalize_embeddings=True)
    together = encode_titles(model, tokens, np.arange(len(titles)))
    alone = torch.cat([encode_titles(model, tokens, np.array([place])) for place in range(len(titles))])
    assert np.allclose(together, expected, atol=1e-5)
    assert np.allclose(alone, expected, atol=1e-5)
    assert tokens.batch(np.array([TITLES.index("x")]))["input_ids"].shape == (1, 3)


def test_weights_in_half_precision_are_trained_in_full(encoder_folder: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    load_encoder(encoder_folder, "cpu").half().save_pretrained(str(half))
    assert {weight.dtype for weight in load_file(half / "model.safetensors").values()} == {torch.float16}
    assert {weight.dtype for weight in load_encoder(half, "cpu").parameters()} == {torch.float32}


def test_a_folder_without_an_encoder_is_named(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(EncoderError, match="name another with --encoder"):
        load_encoder(tmp_path, "cpu")


# --- examples and losses -----------------------------------------------------------------------------------------


def loss_and_gradient(encoder_folder: Path, loss: Loss, deduplicate: bool) -> tuple[float, torch.Tensor]:
    model = load_encoder(encoder_folder, "cpu").eval()
    snapshot = world()
    examples = make_examples(snapshot, loss, 0)
    torch.manual_seed(1)
    made: TitleLoss = make_loss(model, loss, examples, margin=0.5, scale=20.0)
    rows = [
        {f"column {column}": TITLES[place] for column, place in enumerate(titles)} | {"label": label}
        for titles, label in zip(examples.titles[:24].tolist(), examples.labels[:24].tolist(), strict=True)
    ]
    batch = TitleCollator(Tokens(model, TITLES), TITLES, examples, deduplicate=deduplicate)(rows)
    assert len(batch["title_input_ids"]) <= len(TITLES) or not deduplicate
    features = {"input_ids": batch["title_input_ids"], "attention_mask": batch["title_attention_mask"]}
    value = made([features], batch["label"])
    value.backward()
    gradient = torch.cat([p.grad.ravel() for p in made.parameters() if p.grad is not None])
    return value.item(), gradient


@pytest.mark.parametrize("loss", ["cross-entropy", "triplet", "contrastive", "co-occurrence", "tower", "tracks"])
def test_encoding_a_title_once_a_batch_changes_neither_loss_nor_gradient(loss: Loss, encoder_folder: Path) -> None:
    value, gradient = loss_and_gradient(encoder_folder, loss, deduplicate=True)
    every_value, every_gradient = loss_and_gradient(encoder_folder, loss, deduplicate=False)
    assert value == pytest.approx(every_value, rel=1e-4)
    assert torch.allclose(gradient, every_gradient, atol=1e-4)
    assert gradient.abs().max() > 0


def test_pairs_are_of_titles_with_songs_or_a_cluster_in_common() -> None:
    kind = {place: number for number, names in enumerate(KINDS) for place in map(TITLES.index, names)}
    for loss in ("contrastive", "co-occurrence"):
        pairs = make_examples(world(), loss, 0).titles.tolist()
        assert len(pairs) > 50
        assert all(one != other and kind[one] == kind[other] for one, other in pairs)


def test_clusters_need_labels_and_an_even_batch(encoder_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="recsys titles cluster"):
        make_examples(world(with_clusters=False), "triplet", 0)
    with pytest.raises(SettingsError, match="even batch size"):
        finetune(encoder_folder, world(), options("triplet", batch_size=5), tmp_path / "out")


def test_the_batch_follows_the_examples_and_the_rate_the_batch() -> None:
    assert [chosen_options(FinetuneOptions(), count).batch_size for count in (100, 6_040, 473_340, 10**8)] == [
        32,
        32,
        2048,
        2048,
    ]
    assert chosen_options(FinetuneOptions(batch_size=8), 100).learning_rate == pytest.approx(2e-5)
    assert chosen_options(FinetuneOptions(batch_size=2048), 100).learning_rate == pytest.approx(3.2e-4)


def test_batches_hold_titles_of_like_length_and_every_example_once() -> None:
    lengths = np.random.default_rng(0).integers(3, 20, size=1000)
    sampler = LengthGroupedSampler(range(1000), lengths=lengths, window=8, batch_size=32, drop_last=False, seed=3)
    batches = list(sampler)
    assert sorted(place for batch in batches for place in batch) == list(range(1000))
    assert len(batches) == len(sampler)
    assert np.mean([np.ptp(lengths[batch]) for batch in batches]) < 4
    assert batches == list(sampler)
    sampler.set_epoch(1)
    assert batches != list(sampler)


def test_r_precision_is_that_of_a_vote_of_the_nearest_titles(encoder_folder: Path) -> None:
    # Playlist 2 holds songs 0 and 1; its title's own train playlist, the nearest, holds 0 and 2.
    snapshot = make_snapshot(
        ["rock", "zzz", "zzz"][:2], [0, 1, 0], [0, 0, 1], [-1] * 3, [0, 2, 4, 6], [0, 2, 3, 4, 0, 1], range(5)
    )
    model = load_encoder(encoder_folder, "cpu")
    tokens, examples = Tokens(model, snapshot.titles), make_examples(snapshot, "tracks", 0)
    loss = make_loss(model, "tracks", examples, margin=0.5, scale=20.0)
    scores = ValidationScores(snapshot, tokens, examples, loss, 10, 0)
    assert scores(model) == {"r_precision": 0.5}


def test_training_needs_torch_and_nothing_else_of_ours() -> None:
    code = (
        "import sys\n"
        "for name in ('psycopg', 'msgspec', 'pydantic', 'pydantic_settings', 'sqlalchemy', 'platformdirs', 'typer'):\n"
        "    sys.modules[name] = None\n"
        "from recsys.titles.training import main\n"
        "sys.exit(main(['--snapshot', 'nowhere', '--encoder', 'nowhere', '--output', 'nowhere']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("recsys: nowhere holds no snapshot: write one with `recsys titles snapshot nowhere`\n")
