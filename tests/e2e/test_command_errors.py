"""What a person can mend is one line on stderr, without a traceback, and an exit code."""

from pathlib import Path

import pytest

from tests.e2e.command import Command, complaint, usage_error
from tests.e2e.world import Files

QUESTION = ("recommend", "sleep")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("ingest", "serato", "x"),
            "'serato' is not one of mpd, playlists, tracklists, csv, djmix, rekordbox, traktor",
        ),
        (("ingest", "m3u", "x", "--column", "title=a"), "it goes with csv"),
        (("ingest", "csv", "x", "--column", "artist=a"), "name the column of titles: title=HEADER"),
        (
            ("ingest", "csv", "x", "--column", "colour=a"),
            "'colour=a' is not FIELD=HEADER with a field of title, artist",
        ),
        (("ingest", "mpd"), "name the files of the format mpd"),
        (("ingest", "sql", "lists.db"), "sql reads no files: name the queries with --mapping"),
        (("ingest", "mpd", "x", "--full"), "--mapping, --dsn, --init and --full go with sql"),
        (("recommend",), "'TITLE'"),
        (("recommend", "sleep", "--n", "0"), "'--n' / '-n'"),
        (("recommend", "sleep", "--max-per-artist", "0"), "'--max-per-artist'"),
        (("recommend", "sleep", "--vote", "loud"), "'loud' is not one of 'soft', 'seed'"),
        (("similar", "track", "Alpha", "--format", "xml"), "'xml' is not one of 'csv', 'uris', 'links', 'm3u8'"),
        (("listen",), "'listen'"),
        (("recommend", "sleep", "-o", "list.doc"), "the ending of list.doc names no format"),
        (("recommend", "sleep", "--format", "csv", "--json"), "--json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_arguments_are_a_usage_error(embedded: Command, arguments: tuple[str, ...], said: str) -> None:
    assert said in usage_error(embedded(*arguments))


@pytest.mark.parametrize(
    "arguments",
    [QUESTION, ("db", "upgrade")],
    ids=" ".join,
)
def test_a_server_out_of_reach_is_named_without_the_password(embedded: Command, arguments: tuple[str, ...]) -> None:
    lost = embedded.given(DATABASE_URL="postgresql://ann:secret@127.0.0.1:9/music")
    assert complaint(lost(*arguments)) == "cannot reach the database 127.0.0.1:9/music: Connection refused"


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("DATABASE_URL", "mysql://localhost/x", "DATABASE_URL: must start with postgresql:// or postgres://"),
        ("DATABASE_URL", "postgresql://localhost/x?colour=blue", "DATABASE_URL is not a valid URL: "),
        ("RECSYS_SCHEMA", "Bad-Name", "RECSYS_SCHEMA: must be a lower-case identifier"),
        ("RECSYS_DEVICE", "abacus", "RECSYS_DEVICE: "),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(embedded: Command, setting: str, value: str, said: str) -> None:
    assert complaint(embedded.given(**{setting: value})("db", "status")).startswith(said)


def test_before_everything_is_set_up_the_next_step_is_named(recsys: Command, empty_database: str, files: Files) -> None:
    on_empty = recsys.given(DATABASE_URL=empty_database)
    said = "the schema is empty, this version needs 0010: run `recsys db upgrade`"
    assert complaint(on_empty(*QUESTION)) == said
    assert (
        complaint(recsys("titles", "embed")) == "there are no playlist titles to embed: load some with `recsys ingest`"
    )
    assert recsys("ingest", "mpd", files.slices).returncode == 0
    assert complaint(recsys(*QUESTION)) == "no titles are embedded yet: run `recsys titles embed`"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("recommend", " \t"), "the title is blank: give a few words"),
        (("recommend", "sl\x01ep"), "the title holds characters that are not text: give a few words"),
        (("recommend", "\x7f\x1b[2J"), "the title holds characters that are not text: give a few words"),
        (("recommend", "sleep \udcff"), "the title holds characters that are not text: give a few words"),
        (("recommend", "sleep", "--exclude-artist", "An"), "no artist is called 'An'; the nearest are: \"Ann\", "),
        (
            ("recommend", "sleep", "--exclude-track", "Alfa"),
            "no song is called 'Alfa'; the nearest are: \"Ann - Alpha\",",
        ),
        (("similar", "track", "Ann - Omega"), "no song is called 'Ann - Omega'; the nearest are: \"Ann - "),
    ],
    ids=lambda value: ascii(value[1:]) if isinstance(value, tuple) else "",
)
def test_a_name_that_is_not_there_is_one_line(embedded: Command, arguments: tuple[str, ...], said: str) -> None:
    assert complaint(embedded(*arguments)).startswith(said)


def test_files_that_are_not_there_are_named(recsys: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert complaint(recsys("ingest", "mpd", "gone.json")) == "gone.json does not exist"
    assert complaint(recsys("ingest", "mpd", "empty")).startswith("empty holds no MPD slice")


def test_a_source_belongs_to_one_format(embedded: Command) -> None:
    said = complaint(embedded("ingest", "tracklists", "tracklists.jsonl", "--source", "mpd"))
    assert said == "the source mpd was loaded from the format mpd: give these files another --source"


def test_an_encoder_that_is_not_there_is_named(embedded: Command) -> None:
    said = complaint(embedded("titles", "embed", "--encoder", "nobody/no-such-encoder"))
    assert said.startswith("cannot get the encoder nobody/no-such-encoder: ")


def test_an_output_that_cannot_be_written_is_named(embedded: Command, tmp_path: Path) -> None:
    file = tmp_path / "gone" / "list.csv"
    said = complaint(embedded(*QUESTION, "--format", "csv", "-o", file))
    assert said == f"cannot write {file}: No such file or directory"
    assert complaint(embedded(*QUESTION, "--json", "-o", tmp_path)) == f"cannot write {tmp_path}: Is a directory"


def test_a_server_of_ones_own_is_not_started_or_stopped(recsys: Command) -> None:
    for verb in ("start", "stop"):
        assert complaint(recsys("db", verb)).startswith("DATABASE_URL names a server of your own")
