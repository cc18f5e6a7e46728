"""Sequence networks on a toy world: what they learn, that they go on where they were, and what they answer."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, logsumexp

from recsys.errors import SettingsError, SourceError
from recsys.sequences import sequence_training
from recsys.sequences.encoders import RecurrentEncoder
from recsys.sequences.sequence_data import SequenceData, sequence_data
from recsys.sequences.sequence_model import SequenceModel, load_sequence_model, train_sequence_model
from recsys.sequences.sequence_options import EncoderName, HeadName, SequenceOptions
from recsys.sequences.sequence_training import Trainer, train_sequence
from recsys.sequences.song_features import song_features
from recsys.sequences.training import main
from recsys.tracklists.graph_snapshot import GraphFacts
from tests.toy_sequences import toy_world, write_toy_world

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = SequenceOptions(
    width=16,
    epochs=2,
    batch_size=16,
    learning_rate=3e-3,
    dropout=0.1,
    recurrent_dropout=0.1,
    validation_share=0.1,
    device="cpu",
)


def toy_data(options: SequenceOptions) -> SequenceData:
    snapshot, order = toy_world()
    features = song_features(snapshot, GraphFacts("", "", None, {}, 0, {}), None)
    return sequence_data(snapshot, order, features, options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_world(tmp_path_factory.mktemp("snapshot") / "toy")


@pytest.fixture(scope="module")
def hierarchical(folder: Path) -> SequenceModel:
    output = folder.with_name("hierarchical")
    train_sequence_model(folder, output, replace(TINY, djs=True, quarters=True))
    return load_sequence_model(output).model


VARIANTS: list[tuple[EncoderName, HeadName, bool]] = [
    ("lstm", "hierarchy", True),
    ("transformer", "hierarchy", False),
    ("gru", "softmax", False),
    ("transformer", "softmax", True),
]


@pytest.mark.parametrize(("encoder", "head", "djs"), VARIANTS)
def test_a_network_learns_the_order_of_its_scenes(encoder: EncoderName, head: HeadName, djs: bool) -> None:
    options = replace(
        TINY, encoder=encoder, head=head, djs=djs, quarters=djs, features=djs, width=32, epochs=30, learning_rate=0.01
    )
    _, history = train_sequence(toy_data(options), options)
    assert max(epoch["validation.mrr_20"] for epoch in history) > 0.8
    assert history[-1]["songs"] < history[0]["songs"] / 2


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    weights = []
    for seed in (1, 1, 2):
        options = replace(TINY, seed=seed)
        trainer = Trainer(toy_data(TINY), options, torch.device("cpu"))
        trainer.run_epoch(0)
        weights.append(trainer.weights()["kernel"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_training_that_was_stopped_goes_on_to_the_same_network(tmp_path: Path) -> None:
    options = replace(TINY, epochs=4)
    data = toy_data(options)
    expected, history = train_sequence(data, options)
    train_sequence(data, replace(options, epochs=2), tmp_path / "state")
    gone_on, told = train_sequence(data, options, tmp_path / "state")
    assert told == history
    assert torch.equal(gone_on.frozen.kernel, expected.frozen.kernel)


def test_the_state_of_another_training_is_refused(tmp_path: Path) -> None:
    train_sequence(toy_data(TINY), TINY, tmp_path / "state")
    other = replace(TINY, learning_rate=0.1)
    with pytest.raises(SettingsError, match="name another folder"):
        train_sequence(toy_data(other), other, tmp_path / "state")


def test_the_best_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    options = replace(TINY, epochs=3)
    data = toy_data(options)
    scores = iter([0.1, 0.5, 0.2])
    true = Trainer.run_epoch

    def scored(trainer: Trainer, number: int) -> dict[str, float]:
        return true(trainer, number) | {sequence_training.BEST: next(scores)}

    monkeypatch.setattr(Trainer, "run_epoch", scored)
    best, _ = train_sequence(data, options)
    monkeypatch.undo()
    trainer = Trainer(data, options, torch.device("cpu"))
    for number in range(2):
        trainer.run_epoch(number)
    assert torch.equal(best.frozen.kernel, trainer.foreteller().frozen.kernel)


def test_a_gradient_is_clipped_entry_by_entry() -> None:
    trainer = Trainer(toy_data(TINY), replace(TINY, clip=1e-9), torch.device("cpu"))
    trainer.train_epoch(0)
    for weight in trainer.module.parameters():
        assert weight.grad is not None
        assert float(weight.grad.abs().max()) <= 1e-9


def test_scores_summed_over_all_clusters_are_those_of_brute_force(hierarchical: SequenceModel) -> None:
    hidden = hierarchical.read(np.array([[-1, 2, 4], [5, 7, 9]]), np.array([0, -1]))
    top, middle, low = (hierarchical.sizes[level] for level in (2, 1, 0))
    scores = np.full((2, hierarchical.songs), -np.inf)
    p_top = log_softmax(hierarchical.cluster_logits(hidden, 2), axis=1)
    for a in range(top):
        p_middle = log_softmax(hierarchical.cluster_logits(hidden, 1, np.full(2, a)), axis=1)
        for b in range(middle):
            p_low = log_softmax(hierarchical.cluster_logits(hidden, 0, np.full(2, b)), axis=1)
            for c in range(low):
                p_song = log_softmax(hierarchical.song_logits(hidden, np.full(2, c)), axis=1)
                path = (p_top[:, a] + p_middle[:, b] + p_low[:, c])[:, None] + p_song
                scores = np.logaddexp(scores, path)
    np.testing.assert_allclose(hierarchical.next_scores(hidden, beam=low), scores, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(logsumexp(hierarchical.next_scores(hidden, beam=2), axis=1), 0, atol=1e-5)


def test_songs_read_at_once_and_one_by_one_leave_the_same_state(hierarchical: SequenceModel) -> None:
    state = hierarchical.begin(np.array([2]))
    for song in (4, -1, 6):
        state = hierarchical.step(state, np.array([song]))
    at_once = hierarchical.read(np.array([[-1, -1, 4, -1, 6]]), np.array([2]))
    np.testing.assert_allclose(state.hidden, at_once, atol=1e-5)


def test_a_transformer_steps_as_it_reads_and_forgets_what_is_long_ago(folder: Path) -> None:
    output = folder.with_name("transformer")
    train_sequence_model(folder, output, replace(TINY, encoder="transformer", head="softmax", epochs=1))
    model = load_sequence_model(output).model
    songs = np.arange(20)[None]
    state = model.begin(np.array([0]))
    for song in songs[0]:
        state = model.step(state, np.array([song]))
    np.testing.assert_allclose(state.hidden, model.read(songs[:, -15:], np.array([0])), atol=1e-5)
    assert model.sizes == ()


def test_what_stands_on_the_left_is_padding(hierarchical: SequenceModel) -> None:
    short = hierarchical.read(np.array([[3, 5]]), np.array([0]))
    long = hierarchical.read(np.array([[-1] * 13 + [3, 5]]), np.array([0]))
    np.testing.assert_allclose(short, long, atol=1e-6)
    nothing = hierarchical.read(np.array([[-1, -1]]), np.array([0]))
    np.testing.assert_allclose(nothing, hierarchical.begin(np.array([0])).hidden, atol=1e-6)
    assert hierarchical.read(np.zeros((0, 15), dtype=np.int64), np.zeros(0, dtype=np.int64)).shape == (0, 16)


def test_assignments_of_all_levels_have_sum_one(hierarchical: SequenceModel) -> None:
    for level, count in enumerate(hierarchical.sizes):
        assigned = hierarchical.assignments(level)
        assert assigned.shape == (40, count)
        np.testing.assert_allclose(np.asarray(assigned.sum(axis=1)), 1, atol=1e-5)


def test_some_songs_have_the_logits_that_they_have_among_all(hierarchical: SequenceModel) -> None:
    hidden, teacher, songs = hierarchical.begin(np.array([0])).hidden, np.array([1]), np.array([7, 3])
    every = hierarchical.song_logits(hidden, teacher)
    np.testing.assert_allclose(hierarchical.song_logits(hidden, teacher, songs), every[:, songs], rtol=1e-5)


def test_the_lstm_is_torchs_where_nothing_is_dropped() -> None:
    options = SequenceOptions(width=6)
    torch.manual_seed(0)
    own = RecurrentEncoder(4, options).eval()
    other = torch.nn.LSTM(4, 6, batch_first=True)
    with torch.no_grad():
        for mine, theirs in zip(
            (own.of_input, own.of_state, own.input_bias, own.state_bias), other.all_weights[0], strict=True
        ):
            theirs.copy_(mine)
    told = torch.randn(3, 5, 4)
    torch.testing.assert_close(own(told), other(told)[0])


def test_a_damaged_folder_is_told_apart(folder: Path) -> None:
    output = folder.with_name("damaged")
    train_sequence_model(folder, output, replace(TINY, epochs=1))
    arrays = output / "sequence.safetensors"
    content = bytearray(arrays.read_bytes())
    content[-3] ^= 255
    arrays.write_bytes(bytes(content))
    with pytest.raises(SourceError, match="is damaged"):
        load_sequence_model(output)


def test_a_recommender_that_is_none_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--snapshot", str(folder), "--output", str(folder.with_name("no")), "--recommender", str(folder)]
    assert main(asked) == 1
    assert "holds no tracklist recommender" in capsys.readouterr().err


def test_two_processes_train_as_one_does(folder: Path) -> None:
    asked = ["--snapshot", str(folder), "--encoder", "transformer", "--head", "softmax", "--dropout", "0"]
    asked += ["--epochs", "2", "--batch-size", "16", "--width", "16", "--layers", "1", "--device", "cpu"]
    alone, together = folder.with_name("alone"), folder.with_name("together")
    assert main([*asked, "--output", str(alone)]) == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "recsys.sequences.training", *asked, "--output", str(together)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[2], env=environment)
    hidden = [load_sequence_model(output).model.begin(np.array([0])).hidden for output in (alone, together)]
    np.testing.assert_allclose(hidden[0], hidden[1], atol=1e-3)
