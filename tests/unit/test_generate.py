"""Lists by the generator's formulas, against the same written down in plain loops; never a song twice."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recsys.errors import SettingsError
from recsys.sequences.candidates import LEAST_PROBABILITY, PLACES, membership_matrix, memberships
from recsys.sequences.generate import CONTEXT, Wanted, generate
from recsys.sequences.levels import Candidates, Knobs, Levels, cluster_scores, cut, scaled_softmax
from tests.fake_sequence import FakeSequence

SIZES = (6, 4, 2)
SONGS = 30


def likeliest(members: Sequence[sparse.csr_matrix]) -> tuple[np.ndarray, ...]:
    return tuple(one.toarray().argmax(axis=1) for one in members)


def candidates(
    songs: int = SONGS, seed: int = 0, *, has_user: bool = True, beginning: tuple[int, ...] = (3,), by: int = 0
) -> Candidates:
    """All songs but every fifth one, with random scores and clusters; `by` artists have them in turn, if any."""
    random = np.random.default_rng(seed)
    rows = np.array([row for row in range(songs) if row % 5 != 4])
    count = len(rows)
    members = []
    for size in SIZES:
        assignment = random.dirichlet(np.full(size, 0.5), count)
        members.append(sparse.csr_matrix(np.where(assignment >= 0.05, assignment, 0)))
    return Candidates(
        songs=rows,
        seed_scores=random.uniform(0.2, 2, count),
        user_scores=random.uniform(0.2, 2.2, count) if has_user else None,
        members=tuple(members),
        likeliest=likeliest(members),
        beginning=np.array(beginning),
        artists=sparse.csr_matrix(np.eye(by)[np.arange(count) % by]) if by else None,
    )


# --- the formulas ----------------------------------------------------------------------------------------------


def plain_cluster_score(weights: list[float], scores: list[float]) -> float:
    best = sorted((weight * score for weight, score in zip(weights, scores, strict=True)), reverse=True)[:15]
    return sum(best) / 15


def plain_joined(seed: float, user: float | None, weight: float) -> float:
    return seed**3 if user is None else (seed**3 + weight * user**3) / (1 + weight)


def plain_distribution(
    logits: list[float], scores: list[float], largest: float, temperature: float, threshold: float
) -> list[float]:
    """MODELS C6, point 3, word by word; the threshold is halved while it leaves nothing."""
    scaled = [logit * temperature for logit in logits]
    shift = math.log(1000) - max(scaled)
    scaled = [logit + shift for logit in scaled]
    scaled = [min(logit, logit * min(score / largest, 1)) for logit, score in zip(scaled, scores, strict=True)]
    total = sum(math.exp(logit) for logit in scaled)
    chances = [math.exp(logit) / total for logit in scaled]
    while max(chances) < threshold:
        threshold /= 2
    kept = [chance if chance >= threshold else 0 for chance in chances]
    return [chance / sum(kept) for chance in kept]


def plain_choice(chances: list[float], draw: float) -> int:
    return next(place for place, total in enumerate(itertools.accumulate(chances)) if total > draw)


class Plain:
    """One list at a time, one song at a time."""

    def __init__(self, model: FakeSequence, given: Candidates, wanted: Wanted) -> None:
        self.model, self.given, self.wanted = model, given, wanted
        drawn = [place for place in range(len(given)) if place not in given.beginning]
        weight = wanted.knobs.user_weight
        self.cluster_scores = []
        for level, size in enumerate(SIZES):
            dense = given.members[level].toarray()
            scores = []
            for cluster in range(size):
                weights = [float(dense[place, cluster]) for place in drawn]
                seed = plain_cluster_score(weights, [given.seed_scores[place] for place in drawn])
                user = (
                    None
                    if given.user_scores is None
                    else plain_cluster_score(weights, [given.user_scores[place] for place in drawn])
                )
                scores.append(plain_joined(seed, user, weight))
            self.cluster_scores.append(scores)
        self.song_scores = [
            plain_joined(seed, None if given.user_scores is None else given.user_scores[place], weight)
            for place, seed in enumerate(given.seed_scores)
        ]
        self.largest = max(self.song_scores[place] for place in drawn)

    def list_number(self, number: int) -> tuple[list[int], list[list[float]]]:
        given, wanted = self.given, self.wanted
        draws = np.random.default_rng([wanted.seed, number]).random((wanted.length - len(given.beginning), 4))
        made: list[int] = []
        logs: list[list[float]] = []
        for place in given.beginning.tolist():
            logs.append(self.of_given(made, place))
            made.append(place)
        for draw in draws:
            if len(made) < 3:
                joint = {
                    place: given.seed_scores[place]
                    * (1 if given.user_scores is None else given.user_scores[place] ** math.log2(1 + self.weight))
                    for place in self.open(made)
                }
                best = sorted(joint, key=lambda place: -joint[place])[:10]
                place = best[int(draw[3] * len(best))]
                logs.append(self.of_given(made, place))
            else:
                place, told = self.drawn(made, draw)
                logs.append(told)
            made.append(place)
        return made, logs

    @property
    def weight(self) -> float:
        return self.wanted.knobs.user_weight

    def open(self, made: list[int]) -> list[int]:
        return [place for place in range(len(self.given)) if place not in {*made, *self.given.beginning.tolist()}]

    def hidden(self, made: list[int]) -> np.ndarray:
        rows = self.given.songs[made[-CONTEXT:]].reshape(1, -1)
        return self.model.read(rows, np.array([self.wanted.dj]))

    def level(self, made: list[int], level: int, teacher: int | None, *, is_cut: bool) -> list[float]:
        told = None if teacher is None else np.array([teacher])
        logits = self.model.cluster_logits(self.hidden(made), level, told)[0].tolist()
        scores = self.cluster_scores[level]
        knobs = self.wanted.knobs
        threshold = knobs.thresholds[2 - level] if is_cut else 0
        return plain_distribution(logits, scores, max(scores), knobs.temperatures[2 - level], threshold)

    def songs(self, made: list[int], teacher: int, among: list[int], *, is_cut: bool) -> list[float]:
        logits = self.model.song_logits(self.hidden(made), np.array([teacher]))[0]
        own = [float(logits[self.given.songs[place]]) for place in among]
        scores = [self.song_scores[place] for place in among]
        return plain_distribution(own, scores, self.largest, 1, self.wanted.knobs.thresholds[3] if is_cut else 0)

    def drawn(self, made: list[int], draw: np.ndarray) -> tuple[int, list[float]]:
        teacher, logs = None, []
        for step, level in enumerate((2, 1, 0)):
            chances = self.level(made, level, teacher, is_cut=True)
            teacher = plain_choice(chances, draw[step])
            logs.append(math.log(chances[teacher]))
        among = self.open(made)
        assert teacher is not None
        chances = self.songs(made, teacher, among, is_cut=True)
        chosen = plain_choice(chances, draw[3])
        return among[chosen], [*logs, math.log(chances[chosen])]

    def of_given(self, made: list[int], place: int) -> list[float]:
        teacher, logs = None, []
        for level in (2, 1, 0):
            chances = self.level(made, level, teacher, is_cut=False)
            teacher = int(self.given.members[level].toarray()[place].argmax())
            logs.append(math.log(chances[teacher]))
        among = sorted({*self.open(made), place})
        assert teacher is not None
        return [*logs, math.log(self.songs(made, teacher, among, is_cut=False)[among.index(place)])]


KNOBS = (
    Knobs(),
    Knobs(user_weight=0.3, temperatures=(0.5, 2, 1.3), thresholds=(0.2, 0.1, 0.02, 0.03)),
    Knobs(user_weight=0, thresholds=(0.9, 0.9, 0.9, 0.9)),
    Knobs(user_weight=4, thresholds=(0, 0, 0, 0)),
)


@pytest.mark.parametrize("knobs", KNOBS)
@pytest.mark.parametrize("has_user", [True, False])
@pytest.mark.parametrize("beginning", [(3,), (7, 2), (1, 20, 4, 9)])
def test_lists_are_those_of_the_plain_loops(knobs: Knobs, has_user: bool, beginning: tuple[int, ...]) -> None:
    model, given = FakeSequence(SONGS, SIZES), candidates(has_user=has_user, beginning=beginning)
    wanted = Wanted(length=9, lists=4, seed=5, dj=2, knobs=knobs)
    made = generate(model, given, wanted)
    plain = Plain(model, given, wanted)
    for number in range(4):
        songs, logs = plain.list_number(number)
        assert made.songs[number].tolist() == songs
        np.testing.assert_allclose(made.log_probabilities[number], logs, atol=1e-5)


def test_a_long_list_is_read_by_its_last_15_songs() -> None:
    model, given = FakeSequence(60, SIZES), candidates(60)
    wanted = Wanted(length=25, knobs=Knobs(thresholds=(0, 0, 0, 0)))
    songs, logs = Plain(model, given, wanted).list_number(0)
    made = generate(model, given, wanted)
    assert made.songs[0].tolist() == songs
    np.testing.assert_allclose(made.log_probabilities[0], logs, atol=1e-5)


def test_a_softmax_scaled_by_hand() -> None:
    """Logits 1 and 3 become log 1000 - 2 and log 1000; of half the score the larger counts half, log 31.6."""
    [found] = scaled_softmax(np.array([[1.0, 3.0]]), np.array([1.0, 0.5]))
    first, second = 1000 * math.exp(-2), math.sqrt(1000)
    assert found == pytest.approx([first / (first + second), second / (first + second)])


def test_a_logit_under_0_is_not_scaled_upwards() -> None:
    [found] = scaled_softmax(np.array([[0.0, -10.0]]), np.array([1.0, 0.1]))
    assert found[1] == pytest.approx(math.exp(-10) / (1 + math.exp(-10)))


def test_what_is_cut_by_hand() -> None:
    """.4 and .3 reach .25; of .1 ten times nothing reaches .35, nor .175, but .0875."""
    kept, halved = cut(np.array([[0.4, 0.3, 0.2, 0.1, 0, 0, 0, 0, 0, 0]]), 0.25)
    assert kept[0, :3].tolist() == pytest.approx([4 / 7, 3 / 7, 0])
    assert not halved.any()
    kept, halved = cut(np.full((1, 10), 0.1), 0.35)
    assert kept.tolist() == [pytest.approx([0.1] * 10)]
    assert halved.tolist() == [True]


def test_a_cluster_counts_the_mean_of_its_15_best_songs() -> None:
    """Twenty songs of score 1 to 20 that belong by half: the best fifteen have a mean of 13, halved."""
    members = sparse.csr_matrix(np.column_stack([np.full(20, 0.5), np.arange(20) == 3]))
    found = cluster_scores(members, np.arange(1, 21, dtype=float))
    assert found.tolist() == pytest.approx([13 / 2, 4 / 15])


# --- what always holds -----------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    length=st.integers(1, 24),
    lists=st.integers(1, 5),
    has_beam=st.booleans(),
    limit=st.sampled_from([None, 1, 2]),
)
def test_no_song_comes_twice_and_no_artist_too_often(
    seed: int, length: int, lists: int, has_beam: bool, limit: int | None
) -> None:
    given, model = candidates(seed=seed, by=5), FakeSequence(SONGS, SIZES, seed)
    made = generate(model, given, Wanted(length, lists, seed, has_beam, limit))
    assert made.songs.shape[1] == length
    assert made.songs.shape[0] == lists or (has_beam and made.songs.shape[0] < lists)
    most = len(given) if limit is None else min(len(given), 5 * limit)
    for songs, logs in zip(made.songs.tolist(), made.log_probabilities, strict=True):
        there = [song for song in songs if song >= 0]
        assert songs == there + [-1] * (length - len(there))
        assert len(set(there)) == len(there) == min(length, most)
        assert there[0] == 3
        if limit is not None:
            assert max(np.bincount(np.array(there) % 5)) <= limit
        assert (logs[: len(there)] <= 1e-12).all()
        assert np.isnan(logs[len(there) :]).all()


def test_the_same_seed_draws_the_same_lists_and_more_lists_begin_with_them() -> None:
    given, model = candidates(), FakeSequence(SONGS, SIZES)
    few, many = (generate(model, given, Wanted(lists=lists, seed=9)).songs for lists in (3, 8))
    assert few.tolist() == many[:3].tolist()
    other = generate(model, given, Wanted(lists=3, seed=10)).songs
    assert other.tolist() != few.tolist()
    assert len({tuple(songs) for songs in many.tolist()}) > 1


def test_what_the_user_likes_comes_when_only_that_counts() -> None:
    """Half of the songs is liked; with all weight on likes the others hardly come, with none they do."""
    given = candidates(60, has_user=True)
    liked = np.arange(len(given)) % 2 == 0
    given = Candidates(
        given.songs,
        np.full(len(given), 1.0),
        np.where(liked, 2.2, 0.1),
        given.members,
        given.likeliest,
        given.beginning,
    )
    model = FakeSequence(60, SIZES, scale=0.5)

    def share(weight: float) -> float:
        wanted = Wanted(length=10, lists=20, knobs=Knobs(user_weight=weight))
        return float(liked[generate(model, given, wanted).songs[:, 3:]].mean())

    assert share(1000) > 0.9
    assert 0.3 < share(0) < 0.7


def test_thresholds_that_leave_nothing_are_halved_and_counted() -> None:
    given, model = candidates(), FakeSequence(SONGS, SIZES)
    wanted = Wanted(length=6, lists=7, knobs=Knobs(thresholds=(0, 0, 0, 1)))
    made = generate(model, given, wanted)
    assert made.halved.tolist() == [0, 0, 0, 3 * 7]
    assert (made.songs >= 0).all()


def test_a_model_without_clusters_draws_songs_alone() -> None:
    given, model = candidates(), FakeSequence(SONGS, ())
    given = Candidates(given.songs, given.seed_scores, None, (), (), given.beginning)
    made = generate(model, given, Wanted(length=8, lists=2))
    assert made.log_probabilities.shape == (2, 8, 1)
    assert all(len(set(songs)) == 8 for songs in made.songs.tolist())


# --- the likeliest lists ---------------------------------------------------------------------------------------


def test_the_search_finds_the_highest_sum() -> None:
    """Of six songs, all lists of five that begin with the first and the two of the highest joint scores."""
    random = np.random.default_rng(4)
    members = tuple(sparse.csr_matrix(random.dirichlet(np.ones(size), 6)) for size in (3, 2, 2))
    given = Candidates(
        np.arange(6), random.uniform(1, 2, 6), random.uniform(1, 2, 6), members, likeliest(members), np.array([0])
    )
    model = FakeSequence(6, (3, 2, 2))
    knobs = Knobs(thresholds=(0, 0, 0, 0))
    made = generate(model, given, Wanted(5, 3, has_beam=True, knobs=knobs))
    levels = Levels(model, given, knobs)  # type: ignore[arg-type]
    warm = [place for place in np.argsort(-given.joint_scores(1)) if place != 0][:2]
    left = [place for place in range(6) if place not in (0, *warm)]
    sums = {}
    for order in itertools.permutations(left, 2):
        songs, best = [0, *warm], 0.0
        for song in order:
            hidden = model.read(np.array([songs]), np.array([-1]))
            allowed = np.array([[place not in songs for place in range(6)]])
            paths = []
            for path in itertools.product(range(2), range(2), range(3)):
                total, teacher = 0.0, None
                for level, cluster in zip((2, 1, 0), path, strict=True):
                    told = None if teacher is None else np.array([teacher])
                    total += math.log(levels.of_clusters(hidden, level, told)[0, cluster])
                    teacher = cluster
                assert teacher is not None
                paths.append(total + math.log(levels.of_songs(hidden, np.array([teacher]), allowed)[0, song]))
            best += max(paths)
            songs = [*songs, song]
        sums[tuple(songs)] = best
    expected = sorted(sums, key=lambda songs: -sums[songs])[:3]
    assert [tuple(songs) for songs in made.songs.tolist()] == expected
    found = made.log_probabilities[:, 3:].sum(axis=(1, 2))
    assert found.tolist() == pytest.approx([sums[songs] for songs in expected])


def test_a_search_is_no_worse_than_what_is_drawn() -> None:
    given, model = candidates(), FakeSequence(SONGS, SIZES)
    drawn = generate(model, given, Wanted(length=8, lists=50))
    [best] = generate(model, given, Wanted(length=8, has_beam=True)).log_probabilities
    assert best[3:].sum() >= drawn.log_probabilities[:, 3:].sum(axis=(1, 2)).max()


# --- what makes no sense, and what is kept of clusters ----------------------------------------------------------


def test_a_list_shorter_than_its_beginning_is_refused() -> None:
    given, model = candidates(beginning=(1, 2, 3)), FakeSequence(SONGS, SIZES)
    with pytest.raises(SettingsError, match="a list of 2 cannot begin with 3 songs"):
        generate(model, given, Wanted(length=2))
    assert generate(model, given, Wanted(length=3)).songs.tolist() == [[1, 2, 3]]
    with pytest.raises(SettingsError, match="artists must be given"):
        generate(model, given, Wanted(max_per_artist=1))


def test_the_likeliest_clusters_are_kept_and_go_there_and_back() -> None:
    assignment = np.array([[0.5, 0.3, 0.1, 0.06, 0.04], [0.01, 0.96, 0.02, 0.01, 0], [0.2] * 5], dtype=np.float32)
    clusters, chances = memberships(assignment)
    assert clusters.tolist() == [[0, 1, 2], [1, -1, -1], [0, 1, 2]]
    np.testing.assert_allclose(chances, [[0.5, 0.3, 0.1], [0.96, 0, 0], [0.2, 0.2, 0.2]])
    dense = membership_matrix(clusters, chances, 5).toarray()
    np.testing.assert_allclose(dense, np.where((assignment >= LEAST_PROBABILITY) & (dense > 0), assignment, 0))
    assert (dense > 0).sum() == 7
    clusters, _ = memberships(np.full((2, 40), 1 / 40, dtype=np.float32))
    assert clusters.tolist() == [[0, -1, -1]] * 2
    clusters, chances = memberships(np.array([[0.4, 0.6]], dtype=np.float32))
    assert clusters.shape == chances.shape == (1, PLACES)
    assert clusters.tolist() == [[1, 0, -1]]
