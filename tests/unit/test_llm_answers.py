"""Songs are found in whatever form a language model names them."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recsys.evaluation.llm_answers import MAX_LINE, read_answer


def likeliest(text: str) -> list[tuple[str, str]]:
    return [mention.readings[0] for mention in read_answer(text)]


WONDERWALL = ("Oasis", "Wonderwall")
CREEP = ("Radiohead", "Creep")


@pytest.mark.parametrize(
    "line",
    [
        "Oasis - Wonderwall",
        "1. Oasis - Wonderwall",
        "1) Oasis - Wonderwall",
        "1: Oasis - Wonderwall",
        "01 - Oasis - Wonderwall",
        "#1 Oasis - Wonderwall",
        "(1) Oasis - Wonderwall",
        "[1] Oasis - Wonderwall",
        "1.Oasis - Wonderwall",
        "- Oasis - Wonderwall",
        "* Oasis - Wonderwall",
        "• Oasis – Wonderwall",
        "- 1. Oasis - Wonderwall",
        "**1.** **Oasis** - *Wonderwall*",
        "1. `Oasis - Wonderwall`",
        "Oasis — Wonderwall",
        "Oasis—Wonderwall",
        "Oasis -- Wonderwall",
        "Oasis\tWonderwall",
        'Oasis - "Wonderwall"',
        "Oasis - “Wonderwall”",
        '"Wonderwall" by Oasis',
        '"Wonderwall" - Oasis',
        "“Wonderwall”, by Oasis",
        "Wonderwall by Oasis",
        "3. Wonderwall by Oasis (1995)",
        "Oasis - Wonderwall (1995)",
        "  Oasis   -   Wonderwall  ",
    ],
)
def test_a_line_names_a_song(line: str) -> None:
    assert likeliest(line) == [WONDERWALL]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("50 Cent - In Da Club", ("50 Cent", "In Da Club")),
        ("1. 50 Cent - In Da Club", ("50 Cent", "In Da Club")),
        ("311 - Amber", ("311", "Amber")),
        ("Blink-182 - Dammit", ("Blink-182", "Dammit")),
        ("Ben E. King - Stand by Me", ("Ben E. King", "Stand by Me")),
        ("Stand by Me by Ben E. King", ("Ben E. King", "Stand by Me")),
        ('"Stand By Me" by Ben E. King', ("Ben E. King", "Stand By Me")),
        ("Queen - Bohemian Rhapsody - Remastered 2011", ("Queen", "Bohemian Rhapsody - Remastered 2011")),
        ("Moby - Porcelain [Remix]", ("Moby", "Porcelain [Remix]")),
    ],
)
def test_what_belongs_to_a_name_stays_in_it(line: str, expected: tuple[str, str]) -> None:
    assert likeliest(line) == [expected]


def test_a_line_may_also_be_meant_the_other_way_round() -> None:
    [mention] = read_answer("1. Wonderwall - Oasis")
    assert mention.text == "Wonderwall - Oasis"
    assert mention.readings == (("Wonderwall", "Oasis"), WONDERWALL)


def test_what_is_said_around_a_list_is_not_read() -> None:
    answer = """Here is a playlist - made by me - for "rock":

1. Oasis - Wonderwall
2. Radiohead - Creep

Enjoy it - or ask for songs by others."""
    assert likeliest(answer) == [WONDERWALL, CREEP]


def test_lines_without_numbers_are_read_where_there_are_no_others() -> None:
    assert likeliest("Of course, here they are:\nOasis - Wonderwall\n\nRadiohead - Creep\nEnjoy!") == [
        WONDERWALL,
        CREEP,
    ]


@pytest.mark.parametrize(
    "answer",
    [
        '["Oasis - Wonderwall", "Radiohead - Creep"]',
        '[{"artist": "Oasis", "title": "Wonderwall"}, {"artist": "Radiohead", "title": "Creep"}]',
        '{"playlist": "x - y", "songs": [{"Song": "Wonderwall", "Artist": "Oasis"}, "Creep by Radiohead"]}',
        'Here:\n```json\n[{"track_name": "Wonderwall", "artist_name": "Oasis"}, "Radiohead - Creep"]\n```\nEnjoy!',
        '{"artists": ["Oasis"], "name": "Wonderwall"}\n{"artists": ["Radiohead"], "name": "Creep"}',
        'Some [notes] first: ["Oasis - Wonderwall"]\nand then ["Radiohead - Creep"]',
    ],
)
def test_json_names_songs(answer: str) -> None:
    assert likeliest(answer) == [WONDERWALL, CREEP]


def test_json_that_breaks_off_is_read_object_by_object() -> None:
    assert likeliest('[{"artist": "Oasis", "title": "Wonderwall"}, {"artist": "Radiohead", "ti') == [WONDERWALL]


def test_several_artists_of_a_json_object_are_one_credit() -> None:
    assert likeliest('{"title": "Stay", "artists": ["Zedd", "Alessia Cara"]}') == [("Zedd, Alessia Cara", "Stay")]


def test_what_a_model_thinks_is_not_its_answer() -> None:
    assert likeliest("<think>\n1. Nickelback - Photograph\n</think>\nOasis - Wonderwall") == [WONDERWALL]
    assert read_answer("<think>\n1. Nickelback - Photograph\nand so on") == []


@pytest.mark.parametrize(
    "answer",
    ["", "   \n", "I cannot help with that.", "[]", "{}", "[1, null]", "- \n-\n1.", "1. - \n2. by ", "x" * 500],
)
def test_an_answer_without_songs_names_none(answer: str) -> None:
    assert read_answer(answer) == []


def test_a_deeply_nested_answer_is_survived() -> None:
    assert read_answer("[" * 150_000) == []
    assert likeliest('{"a":' * 20_000 + "\nOasis - Wonderwall") == [WONDERWALL]


def test_nothing_that_cannot_be_stored_is_left_in_a_name() -> None:
    [mention] = read_answer('["Oa\\u0000sis - Wonder\\ud800wall"]')
    assert mention.readings[0] == ("Oa sis", "Wonder wall")


PIECES = st.sampled_from(
    ["1. ", "- ", "by", " by ", " - ", "–", '"', "“", "\t", "[", "]", "{", "}", ":", "\n", "(1999)", "*"]
)


@example("by by 1. \t1. ")
@given(st.lists(PIECES | st.text(max_size=6), max_size=30).map("".join))
def test_any_text_is_read(text: str) -> None:
    for mention in read_answer(text):
        assert mention.readings
        assert len(mention.text) <= 2 * MAX_LINE + 3
        for artist, title in mention.readings:
            assert artist.strip()
            assert title.strip()
            assert not any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in artist + title)


WORDS = st.text("abcdefgXYZ", min_size=1, max_size=8).filter(lambda word: word.lower() != "by")
NAMES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
FORMS = st.sampled_from(
    [
        lambda number, artist, title: f"{number}. {artist} - {title}",
        lambda number, artist, title: f"{number}) {title} by {artist}",
        lambda number, artist, title: f'- "{title}" by {artist}',
        lambda number, artist, title: f"* {artist} — {title}",
        lambda number, artist, title: json.dumps({"artist": artist, "title": title}),
    ]
)


@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=10), FORMS)
def test_a_list_in_any_form_is_read_in_its_order(songs: list[tuple[str, str]], form: object) -> None:
    answer = "\n".join(form(number, *song) for number, song in enumerate(songs, 1))  # type: ignore[operator]
    assert likeliest(answer) == songs
