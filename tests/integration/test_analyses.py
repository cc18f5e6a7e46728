"""Named analyses: ours have rows for a role that may only read, and what is asked wrongly is said in one line."""

import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from recsys.analyses import analyses, filled_in, find_analysis, run_analysis
from recsys.config import Settings
from recsys.errors import DatabaseError, NotMigratedError, ParameterError, RecsysError, UnknownNameError

ASKED = {
    "artist-djs": {"artist": "moby"},
    "dj-overlap": {"dj": "Adam Beyer"},
    "dj-songs": {"dj": "Adam Beyer"},
    "dj-years": {"dj": "Adam Beyer"},
    "rising-artists": {"earlier": "2013", "later": "2016", "least": "1"},
    "title-overlap": {"title": "Deep House"},
    "new-songs": {"since": "2013-01-01"},
}
"""What must be given, or has no rows in the world without it."""

NAMES = sorted(analyses(Settings()))


@pytest.fixture
def settings(surface: str, tmp_path: Path) -> Settings:
    (tmp_path / "queries").mkdir()
    return Settings(DATABASE_URL=surface, home=tmp_path)


def own(settings: Settings, name: str, text: str) -> None:
    (settings.queries_folder / f"{name}.sql").write_text(text, encoding="utf-8")


def answer(settings: Settings, name: str, **given: str) -> list[dict[str, Any]]:
    analysis = find_analysis(settings, name)
    with run_analysis(settings, analysis, analysis.values(given)) as result:
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


@pytest.mark.parametrize("name", NAMES)
def test_an_analysis_of_ours_has_rows_for_a_reader_and_says_what_it_tells(settings: Settings, name: str) -> None:
    analysis = find_analysis(settings, name)
    assert analysis.description.endswith(".")
    assert answer(settings, name, **ASKED.get(name, {}))


def test_there_are_songs_of_an_artist_and_transitions_after_a_song(settings: Settings) -> None:
    found = answer(settings, "top-songs", artist="Carl Cox")
    assert {(row["song"], row["playlists"], row["tracklists"]) for row in found} == {
        ("Carl Cox - Phuture 2000", 3, 3),
        ("Carl Cox - Phuture 2001", 2, 3),
    }
    [after] = answer(settings, "transitions", song="Digital - Deadline", dj="Adam Beyer")
    assert after == {"song": "Digital - Deadline", "next_song": "Moby - Porcelain", "tracklists": 2}


def test_a_dj_s_years_tell_what_was_new(settings: Settings) -> None:
    """He played the same five songs twice."""
    found = [tuple(row.values()) for row in answer(settings, "dj-years", dj="adam beyer")]
    assert found == [(2013, 1, 5, 5, 100), (2016, 1, 5, 5, 0)]


def test_songs_of_nearly_one_spelling_are_found(settings: Settings) -> None:
    [pair] = answer(settings, "near-spellings")
    assert (pair["song"], pair["other_song"]) == ("Carl Cox - Phuture 2000", "Carl Cox - Phuture 2001")
    assert answer(settings, "near-spellings", likeness="0.9") == []


def test_rejected_records_are_counted_by_reason_with_an_example(settings: Settings) -> None:
    found = answer(settings, "rejected")
    assert {(row["source"], row["records"]) for row in found} == {("playlists", 1), ("tracklists", 1)}
    assert all(row["example"].endswith("line 5") or row["example"].endswith("line 4") for row in found)


# --- one's own -------------------------------------------------------------------------------------------------

TYPED = """-- Every type
-- of parameter.
--
-- whole integer: a whole number
-- part number = 0.5: a number
-- word text = a = b: a word
-- day date = null: a day
-- is_so boolean = yes: whether it is so
-- A remark that declares nothing.
SELECT %(whole)s AS whole, %(part)s AS part, %(word)s::text AS word, %(day)s::date AS day, %(is_so)s AS is_so,
       5 %% 3 AS left
"""


def test_one_s_own_takes_typed_values_which_are_bound(settings: Settings) -> None:
    own(settings, "typed", TYPED)
    analysis = find_analysis(settings, "typed")
    assert analysis.description == "Every type of parameter."
    assert analysis.file == settings.queries_folder / "typed.sql"
    assert answer(settings, "typed", whole="3") == [
        {"whole": 3, "part": 0.5, "word": "a = b", "day": None, "is_so": True, "left": 2}
    ]
    [row] = answer(settings, "typed", whole="-1", part="1e3", word="'; DROP", day="2019-03-01", is_so="no")
    assert tuple(row.values()) == (-1, 1000.0, "'; DROP", datetime.date(2019, 3, 1), False, 2)
    filled = filled_in(settings, analysis, analysis.values({"whole": "3", "word": "it's"}))
    assert "SELECT 3 AS whole, 0.5 AS part, 'it''s'::text AS word, NULL::date AS day, true AS is_so" in filled


def test_the_example_of_the_page_is_one(settings: Settings) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sql.md").read_text(encoding="utf-8")
    own(settings, "alone", page.partition("\nYour own are files")[2].partition("```text\n")[2].partition("```")[0])
    analysis = find_analysis(settings, "alone")
    assert [parameter.name for parameter in analysis.parameters] == ["dj", "least", "since"]
    assert answer(settings, "alone", dj="Bailey", least="1") == []


def test_one_s_own_stands_in_for_ours(settings: Settings) -> None:
    own(settings, "overview", "-- Mine.\nSELECT 1 AS mine")
    assert answer(settings, "overview") == [{"mine": 1}]
    assert len(analyses(settings)) == len(NAMES)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("typed", {}, "typed needs whole=..: a whole number"),
        ("typed", {"whole": "1.5"}, "whole is an integer, not '1.5'"),
        ("typed", {"whole": ""}, "whole is an integer, not ''"),
        ("typed", {"whole": "1", "part": "half"}, "part is a number, not 'half'"),
        ("typed", {"whole": "1", "day": "1.3.2019"}, "day is a date, such as 2019-03-01, not '1.3.2019'"),
        ("typed", {"whole": "1", "is_so": "perhaps"}, "is_so is a boolean: yes or no, not 'perhaps'"),
        ("typed", {"size": "1"}, "typed has no parameter size: it has whole, part, word, day, is_so"),
        ("overview", {"n": "1"}, "overview has no parameter n: it has none"),
        ("strange", {"x": "1"}, "{folder}/strange.sql: x is money, not one of integer, number, text, date, boolean"),
        ("undeclared", {}, "{folder}/undeclared.sql uses %(y)s, which its header does not declare"),
    ],
)
def test_parameters_without_a_meaning_are_refused(
    settings: Settings, name: str, given: dict[str, str], said: str
) -> None:
    own(settings, "typed", TYPED)
    own(settings, "strange", "-- Strange.\n--\n-- x money: what it costs\nSELECT %(x)s")
    own(settings, "undeclared", "-- Undeclared, with a percent sign: %%(x)s.\nSELECT %(y)s")
    with pytest.raises(ParameterError) as error:
        find_analysis(settings, name).values(given)
    assert str(error.value) == said.format(folder=settings.queries_folder)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT * FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT * FROM playlist", "permission denied for table playlist"),
        ("SELECT 1 / 0", "division by zero"),
        ("SELECT 1; SELECT 2", "cannot insert multiple commands into a prepared statement"),
        ("UPDATE models SET name = 'mine'", 'syntax error at or near "UPDATE"'),
        ("SELECT nextval('x')", 'relation "x" does not exist'),
        ("SELECT 5 %x", "only '%s', '%b', '%t' are allowed as placeholders, got '%x'"),
        ("", "syntax error at end of input"),
    ],
)
def test_a_statement_that_the_server_refuses_is_an_error_of_its_file(
    settings: Settings, statement: str, said: str
) -> None:
    own(settings, "wrong", statement)
    with pytest.raises(RecsysError) as error:
        answer(settings, "wrong")
    assert str(error.value) == f"{settings.queries_folder}/wrong.sql: {said}"


def test_an_analysis_cannot_write_even_where_its_role_may(settings: Settings, database: str) -> None:
    own(settings, "writes", "SELECT setval('counter', 5)")
    owner = settings.model_copy(update={"database_url": database})
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE counter")
        with pytest.raises(RecsysError, match="cannot execute setval\\(\\) in a read-only transaction"):
            answer(owner, "writes")


def test_a_statement_that_takes_too_long_is_stopped(settings: Settings) -> None:
    own(settings, "slow", "SELECT pg_sleep(5)")
    with (
        pytest.raises(RecsysError, match=r"^slow took longer than 0.05 seconds: give it more with --timeout$"),
        run_analysis(settings, find_analysis(settings, "slow"), {}, timeout=0.05) as result,
    ):
        list(result.rows)


def test_ours_over_an_old_schema_says_what_to_run(settings: Settings, empty_database: str) -> None:
    old = settings.model_copy(update={"database_url": empty_database})
    with pytest.raises(NotMigratedError, match="run `recsys db upgrade`"):
        answer(old, "overview")


def test_what_the_server_s_functions_refuse_is_said(settings: Settings) -> None:
    with pytest.raises(RecsysError, match=r'^dj-songs: no DJ is called "Nobody"; the nearest are: '):
        answer(settings, "dj-songs", dj="Nobody")


def test_a_name_that_is_not_utf_8_is_unknown(settings: Settings) -> None:
    with pytest.raises(RecsysError, match=r'^dj-songs: no DJ is called "Baile\?x"; the nearest are: "Bailey", '):
        answer(settings, "dj-songs", dj="Baile\udcffx")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("top-title", "no analysis is called 'top-title'; the nearest are: top-titles, top-"),
        ("xyz", "no analysis is called 'xyz': recsys query lists what there is"),
    ],
)
def test_an_unknown_analysis_is_answered_with_the_nearest(settings: Settings, name: str, said: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        find_analysis(settings, name)
    assert str(error.value).startswith(said)


def test_a_server_out_of_reach_is_named(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://127.0.0.1:9/music"})
    with pytest.raises(DatabaseError, match=r"cannot reach the database 127\.0\.0\.1:9/music"):
        answer(away, "overview")
