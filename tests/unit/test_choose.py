"""Which lists are written: identity, repetition, dated states."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog.choose import Choice, Counts, Met, Stored, choose, content_hash
from recsys.catalog.resolve import entry_key
from recsys.sources import Entry, Playlist, Tracklist


def state(songs: str, day: int | None = None, external_id: str = "p", place: str = "") -> Playlist:
    """A playlist of the songs that the letters name, on a day of June."""
    entries: list[Entry | None] = [Entry(letter, "Ann", f"u:{letter}") for letter in songs]
    snapshot = None if day is None else date(2017, 6, day)
    return Playlist(external_id, "road trip", entries, "file", place, snapshot=snapshot)


def hash_of(record: Playlist | Tracklist) -> int:
    return content_hash(record, [entry_key(entry) for entry in record.entries])


def stored(songs: str, day: int | None = None, list_id: int = 7) -> Stored:
    record = state(songs, day)
    return Stored(list_id, hash_of(record), record.snapshot)


def written(choice: Choice) -> list[tuple[int | None, str, int | None]]:
    """Id, songs and day of what is to be written."""
    made = []
    for item in choice.accepted.values():
        assert isinstance(item.record, Playlist)
        day = item.record.snapshot
        made.append((item.id, "".join(entry.title for entry in item.record.entries if entry), day and day.day))
    return made


def test_a_list_whose_id_is_new_is_written() -> None:
    choice = choose([state("ab", 3)], {}, {})
    assert written(choice) == [(None, "ab", 3)]
    assert choice.counts == Counts(read=1, stored=1)


def test_equal_content_is_left_alone() -> None:
    choice = choose([state("ab", 3)], {"p": stored("ab", 3)}, {})
    assert (choice.accepted, choice.newer_days) == ({}, {})
    assert choice.counts == Counts(read=1, already_there=1)


def test_a_later_state_replaces_an_earlier_one_under_its_id() -> None:
    choice = choose([state("abc", 4)], {"p": stored("ab", 3)}, {})
    assert written(choice) == [(7, "abc", 4)]
    assert choice.counts == Counts(read=1, replaced=1)


def test_an_earlier_state_never_replaces_a_later_one() -> None:
    for late in (state("abc", 2), state("abc")):
        choice = choose([late], {"p": stored("ab", 3)}, {})
        assert (choice.accepted, choice.newer_days) == ({}, {})
        assert choice.counts == Counts(read=1, already_there=1)


def test_a_dated_state_replaces_one_without_a_day() -> None:
    assert written(choose([state("abc", 1)], {"p": stored("ab")}, {})) == [(7, "abc", 1)]


def test_the_day_moves_on_where_the_content_stays() -> None:
    choice = choose([state("ab", 9), state("ab", 5)], {"p": stored("ab", 3)}, {})
    assert choice.accepted == {}
    assert choice.newer_days == {7: date(2017, 6, 9)}
    assert choice.counts == Counts(read=2, already_there=2)


def test_the_day_of_a_list_that_waits_to_be_written_moves_on_too() -> None:
    choice = choose([state("ab", 3), state("ab", 9), state("c", 5)], {}, {})
    assert written(choice) == [(None, "ab", 9)]
    assert choice.newer_days == {}
    assert choice.counts == Counts(read=3, stored=1, already_there=2)


def test_a_new_run_replaces_what_an_earlier_one_stored_without_a_day() -> None:
    choice = choose([state("xy")], {"p": stored("ab")}, {})
    assert written(choice) == [(7, "xy", None)]
    assert choice.counts == Counts(read=1, replaced=1)


def test_within_a_run_the_first_of_an_id_stays_and_the_second_is_rejected() -> None:
    met: Met = {}
    choice = choose([state("ab", place="line 1"), state("xy", place="line 2"), state("ab", place="line 3")], {}, met)
    assert written(choice) == [(None, "ab", None)]
    assert choice.counts == Counts(read=3, stored=1, already_there=1, rejected=1)
    [rejected] = choice.rejected
    assert (rejected.file, rejected.place) == ("file", "line 2")
    assert rejected.reason == "the id came before with other content"
    next_batch = choose([state("xy", place="line 4")], {"p": stored("ab")}, met)
    assert (next_batch.accepted, next_batch.rejected[0].place) == ({}, "line 4")


def test_within_a_run_a_later_state_still_replaces_an_earlier_one() -> None:
    choice = choose([state("ab", 3), state("xy", 4), state("z", 4)], {}, {})
    assert written(choice) == [(None, "xy", 4)]
    assert choice.counts == Counts(read=3, stored=1, replaced=1, rejected=1)


def test_what_is_written_keeps_the_order_of_first_appearance() -> None:
    order = [state("a", 1, "q"), state("b", 1, "p"), state("c", 1, "r"), state("d", 2, "q")]
    choice = choose(order, {"p": stored("z", 1)}, {})
    assert list(choice.accepted) == ["q", "p", "r"]
    assert written(choice) == [(None, "d", 2), (7, "b", 1), (None, "c", 1)]


def test_content_is_everything_that_is_stored_but_the_day() -> None:
    base = state("ab", 3)
    assert hash_of(base) == hash_of(state("ab", 4))
    others = [state("ba", 3), state("a", 3), state("abb", 3)]
    for field, value in (("name", "Road Trip"), ("description", "long"), ("followers", 2)):
        others.append(state("ab", 3))
        setattr(others[-1], field, value)
    others.append(state("ab", 3))
    others[-1].entries.insert(1, None)
    assert len({hash_of(record) for record in [base, *others]}) == 1 + len(others)


def test_a_tracklist_differs_by_its_djs_day_tags_and_cues() -> None:
    def mix(**changes: object) -> Tracklist:
        made = Tracklist("t", "Mix", ("Ann",), [Entry("A", "Ann", cue_seconds=60)], "file", "line 1")
        for name, value in changes.items():
            setattr(made, name, value)
        return made

    others = [
        mix(djs=("Ann", "Bob")),
        mix(played_on=date(2017, 6, 1)),
        mix(tags=("Techno",)),
        mix(entries=[Entry("A", "Ann", cue_seconds=61)]),
        mix(entries=[Entry("A", "Ann", cue_seconds=0)]),
        mix(entries=[Entry("A", "Ann")]),
        mix(entries=[Entry("A", "Bob", cue_seconds=60)]),
    ]
    assert hash_of(mix()) == hash_of(mix(file="other", place="line 9"))
    assert len({hash_of(record) for record in [mix(), *others]}) == 8


class Store:
    """A database of one list, as far as `choose` needs it."""

    def __init__(self) -> None:
        self.found: Stored | None = None
        self.rejected: dict[str, str] = {}

    def load(self, batches: Sequence[Sequence[Playlist]]) -> None:
        """One run, which forgets what was rejected before in what it reads."""
        met: Met = {}
        for batch in batches:
            choice = choose(batch, {} if self.found is None else {"p": self.found}, met)
            for item in choice.accepted.values():
                assert isinstance(item.record, Playlist)
                self.found = Stored(7, item.content_hash, item.record.snapshot)
            for day in choice.newer_days.values():
                assert self.found is not None
                self.found = Stored(7, self.found.content_hash, day)
            for record in batch:
                self.rejected.pop(record.place, None)
            self.rejected |= {record.place: record.reason for record in choice.rejected}
            counts = choice.counts
            assert counts.read == counts.stored + counts.replaced + counts.already_there + counts.rejected


STATES = st.tuples(st.sampled_from("abc"), st.none() | st.integers(1, 3))
RUN = st.lists(st.lists(STATES, max_size=3), max_size=5)


def numbered(run: list[list[tuple[str, int | None]]]) -> list[list[Playlist]]:
    return [
        [state(songs, day, place=f"{number}.{place}") for place, (songs, day) in enumerate(batch)]
        for number, batch in enumerate(run)
    ]


@given(before=RUN, run=RUN, killed_at=st.lists(st.integers(0, 5), max_size=3))
def test_a_run_that_was_killed_between_batches_and_run_again_ends_as_if_it_had_not_been(
    before: list[list[tuple[str, int | None]]], run: list[list[tuple[str, int | None]]], killed_at: list[int]
) -> None:
    whole, torn = Store(), Store()
    for store in (whole, torn):
        store.load(numbered(before))
        store.rejected.clear()
    for batches in killed_at:
        torn.load(numbered(run)[:batches])
    whole.load(numbered(run))
    torn.load(numbered(run))
    assert torn.found == whole.found
    assert torn.rejected == whole.rejected


@given(days=st.permutations(range(1, 7)), cuts=st.lists(st.integers(0, 6), max_size=3))
def test_dated_states_in_any_order_and_any_runs_end_in_the_last_one(days: list[int], cuts: list[int]) -> None:
    store = Store()
    places = sorted({0, *cuts, 6})
    for start, end in pairwise(places):
        store.load([[state("abcabc"[day - 1], day)] for day in days[start:end]])
    assert store.found == stored("c", 6)
