"""A language model behind a stand-in endpoint: what it is asked, what is borne, and what is found of its answer."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from recsys.catalog import find_song, ingest
from recsys.config import Settings, load_settings
from recsys.database import connect
from recsys.errors import NotReadyError, SettingsError
from recsys.evaluation.llm import Example, LlmAnswer, LlmRecommender, match, prompt, read_examples
from recsys.evaluation.llm_answers import read_answer
from recsys.evaluation.llm_endpoint import EndpointError
from recsys.evaluation.titles import evaluate_titles
from recsys.titles import embed_titles
from recsys.titles.splits import make_split
from tests.worlds import entry, playlist, write_lines

KEY = "sk-not-a-key-0123456789"


def said(text: object) -> bytes:
    """What an endpoint sends when its model says a text."""
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0
    breaks_off: bool = False


@dataclass
class StandIn:
    """Sends its replies one after the other, the last one again and again, and keeps what it was asked."""

    url: str
    replies: list[Reply] = field(default_factory=lambda: [Reply(said("Oasis - Wonderwall"))])
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("no_proxy", "*")
    stand_in = StandIn("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            stand_in.asked.append(json.loads(self.rfile.read(length)))
            stand_in.headers.append(dict(self.headers))
            stand_in.paths.append(self.path)
            reply = stand_in.replies[0] if len(stand_in.replies) == 1 else stand_in.replies.pop(0)
            time.sleep(reply.pause)
            if reply.breaks_off:
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield stand_in
    server.shutdown()
    thread.join()
    server.server_close()


SONGS = [
    entry("Oasis", "Wonderwall", "spotify:track:0000000000000000000001"),
    entry("Radiohead", "Creep"),
    entry("Queen", "Bohemian Rhapsody - Remastered 2011"),
    entry("Stardust", "Music Sounds Better With You"),
    entry("Stardust", "Music Sounds Better With You (Zed Remix)"),
    entry("Moby", "Porcelain (Live in Berlin)"),
    entry("Ludwig van Beethoven", "Symphony No. 5"),
    entry("Simon & Garfunkel", "The Sound of Silence"),
    entry("Ben E. King", "Stand by Me"),
]


@pytest.fixture(autouse=True)
def _no_endpoint_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RECSYS_LLM_URL", "RECSYS_LLM_MODEL", "RECSYS_LLM_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def songs(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[psycopg.Connection]:
    folder = tmp_path_factory.mktemp("songs")
    settings = Settings(DATABASE_URL=shared_database, home=folder / "home")
    lists = [playlist("p", "all of it", SONGS), playlist("q", "two", SONGS[:2]), playlist("r", "two more", SONGS[1:3])]
    ingest(settings, "playlists", [write_lines(folder / "p.jsonl", lists)])
    with connect(settings, autocommit=True) as connection:
        yield connection


def recommender(stand_in: StandIn, shots: int = 0, waits: list[float] | None = None, **changes: Any) -> LlmRecommender:
    settings = Settings(llm_url=stand_in.url, llm_model="small", llm_key=KEY)
    wait = (lambda _: None) if waits is None else waits.append
    return LlmRecommender(settings, shots, wait=wait, **changes)  # type: ignore[arg-type]


def track(connection: psycopg.Connection, name: str) -> int:
    song = find_song(connection, name).id
    row = connection.execute("SELECT id FROM track WHERE song_id = %s", (song,)).fetchone()
    assert row is not None
    return int(row[0])


# --- what is found -------------------------------------------------------------------------------------------------


def test_an_answer_gives_the_tracks_of_its_songs_in_order(songs: psycopg.Connection, stand_in: StandIn) -> None:
    stand_in.replies = [
        Reply(said("1. Radiohead - Creep\n2. Nobody - Nothing\n3. Wonderwall by Oasis\n4. Creep by Radiohead"))
    ]
    found = recommender(stand_in).answer(songs, "90s", 10)
    expected = [track(songs, "Radiohead - Creep"), track(songs, "Oasis - Wonderwall")]
    assert found == LlmAnswer("90s", expected, named=4, unmatched=["Nobody - Nothing"])


def test_no_more_tracks_are_taken_than_were_asked_for(songs: psycopg.Connection, stand_in: StandIn) -> None:
    stand_in.replies = [Reply(said("Radiohead - Creep\nOasis - Wonderwall"))]
    assert recommender(stand_in).answer(songs, "90s", 1).track_ids == [track(songs, "Radiohead - Creep")]


def test_an_answer_without_songs_gives_no_tracks(songs: psycopg.Connection, stand_in: StandIn) -> None:
    stand_in.replies = [Reply(said("I cannot do that."))]
    assert recommender(stand_in).answer(songs, "90s") == LlmAnswer("90s", [], 0, [])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("OASIS - wonderwall", "Oasis - Wonderwall"),
        ("Wonderwall - Oasis", "Oasis - Wonderwall"),
        ("Oasis - Wonder Wall (Remastered)", "Oasis - Wonderwall"),
        ("Oasis - Wonderwalls", "Oasis - Wonderwall"),
        ("Radioheads - Creep", "Radiohead - Creep"),
        ("Queen - Bohemian Rapsody", "Queen - Bohemian Rhapsody"),
        ("Simon and Garfunkel - Sound of Silence", "Simon & Garfunkel - The Sound of Silence"),
        ("Stardust - Music Sounds Better With You", "Stardust - Music Sounds Better With You"),
        ("Stardust - Music Sounds Better With You (Zed Remix)", "Stardust - Music Sounds Better With You (Zed Remix)"),
        ("Stardust - Music Sound Better With You", "Stardust - Music Sounds Better With You"),
        ("Moby - Porcelain", "Moby - Porcelain (Live in Berlin)"),
        ("Ludwig von Beethoven - Symphony No. 5", "Ludwig van Beethoven - Symphony No. 5"),
        ("Stand by Me by Ben E. King", "Ben E. King - Stand by Me"),
    ],
)
def test_a_song_is_found_by_its_name_or_one_that_is_alike(songs: psycopg.Connection, written: str, meant: str) -> None:
    assert match(songs, read_answer(written)) == [track(songs, meant)]


@pytest.mark.parametrize(
    "written",
    [
        "Oasis - Live Forever",
        "Radiohead - Wonderwall",
        "Somebody Else - Creep",
        "Stardust - Music Sounds Better With You (Other Remix)",
        "Ludwig van Beethoven - Symphony No. 9",
        "🙂 - 🙃",
    ],
)
def test_another_song_is_not_found(songs: psycopg.Connection, written: str) -> None:
    assert match(songs, read_answer(written)) == [None]


def test_nothing_named_is_nothing_found(songs: psycopg.Connection) -> None:
    assert match(songs, []) == []


# --- what is asked -------------------------------------------------------------------------------------------------


def test_the_endpoint_is_asked_for_songs_for_the_title(songs: psycopg.Connection, stand_in: StandIn) -> None:
    recommender(stand_in).answer(songs, 'my "90s"\nmix', 25)
    assert stand_in.paths == ["/v1/chat/completions"]
    [asked] = stand_in.asked
    assert (asked["model"], asked["temperature"]) == ("small", 0)
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert asked["messages"][-1]["content"] == 'Title: "my "90s" mix"\nSongs: 25'
    assert stand_in.headers[0]["Authorization"] == f"Bearer {KEY}"


EXAMPLE = Example("sad", ("R.E.M. - Everybody Hurts", "Adele - Someone Like You"))


def test_an_example_is_a_question_with_its_answer() -> None:
    messages = prompt("happy", 10, [EXAMPLE])
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[1]["content"] == 'Title: "sad"\nSongs: 2'
    assert messages[2]["content"] == "R.E.M. - Everybody Hurts\nAdele - Someone Like You"


@pytest.mark.parametrize(("shots", "messages"), [(0, 2), (1, 4), (5, 12)])
def test_as_many_examples_are_shown_as_shots(
    songs: psycopg.Connection, stand_in: StandIn, shots: int, messages: int
) -> None:
    recommender(stand_in, shots).answer(songs, "90s", 10, [EXAMPLE] * 6)
    assert len(stand_in.asked[0]["messages"]) == messages


def test_too_few_examples_are_refused_before_anything_is_asked(songs: psycopg.Connection, stand_in: StandIn) -> None:
    with pytest.raises(NotReadyError, match="5-shot prompt needs as many examples, not 1"):
        recommender(stand_in, 5).answer(songs, "90s", 10, [EXAMPLE])
    assert stand_in.asked == []


def test_an_endpoint_without_a_key_is_sent_none(songs: psycopg.Connection, stand_in: StandIn) -> None:
    LlmRecommender(Settings(llm_url=stand_in.url + "/", llm_model="small"), 0).answer(songs, "90s")
    assert "Authorization" not in stand_in.headers[0]
    assert stand_in.paths == ["/v1/chat/completions"]


def test_a_model_without_a_temperature_is_asked_without_one(songs: psycopg.Connection, stand_in: StandIn) -> None:
    refusal = json.dumps({"error": {"message": "Unsupported value: 'temperature' does not support 0"}}).encode()
    stand_in.replies = [Reply(refusal, 400), Reply(said("Oasis - Wonderwall"))]
    assert recommender(stand_in).answer(songs, "90s").named == 1
    assert "temperature" not in stand_in.asked[1]


def test_a_text_in_parts_is_one_text(songs: psycopg.Connection, stand_in: StandIn) -> None:
    parts = [{"type": "text", "text": "Oasis - "}, {"type": "text", "text": "Wonderwall"}]
    stand_in.replies = [Reply(said(parts))]
    assert recommender(stand_in).answer(songs, "90s").track_ids == [track(songs, "Oasis - Wonderwall")]


# --- examples from the train part ----------------------------------------------------------------------------------


def test_examples_are_playlists_with_their_first_songs(songs: psycopg.Connection) -> None:
    examples = read_examples(songs, None, 3, songs=2)
    assert {example.title: example.songs for example in examples} == {
        "all of it": ("Oasis - Wonderwall", "Radiohead - Creep"),
        "two": ("Oasis - Wonderwall", "Radiohead - Creep"),
        "two more": ("Radiohead - Creep", "Queen - Bohemian Rhapsody"),
    }


def test_the_same_seed_draws_the_same_examples(songs: psycopg.Connection) -> None:
    drawn = [tuple(e.title for e in read_examples(songs, None, 3, songs=2, seed=seed)) for seed in range(8)]
    again = [tuple(e.title for e in read_examples(songs, None, 3, songs=2, seed=seed)) for seed in range(8)]
    assert drawn == again
    assert len(set(drawn)) > 1


def test_examples_are_of_the_train_part(songs: psycopg.Connection) -> None:
    with songs.transaction(force_rollback=True):
        songs.execute("INSERT INTO split (id, name, protocol, seed) VALUES (1, 'main', 'clean', 0)")
        songs.execute(
            "INSERT INTO playlist_split SELECT 1, id, CASE name WHEN 'two' THEN 'train' ELSE 'test' END FROM playlist"
        )
        assert [example.title for example in read_examples(songs, 1, 1, songs=2)] == ["two"]
        with pytest.raises(NotReadyError, match=r"there are 1: .*recsys ingest"):
            read_examples(songs, 1, 5, songs=2)


# --- patience ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_a_busy_endpoint_is_asked_again_later(songs: psycopg.Connection, stand_in: StandIn, status: int) -> None:
    stand_in.replies = [Reply(status=status), Reply(status=status), Reply(said("Oasis - Wonderwall"))]
    waits: list[float] = []
    assert recommender(stand_in, waits=waits).answer(songs, "90s").named == 1
    assert waits == [1, 2]


@pytest.mark.parametrize(("asked_for", "expected"), [("7", 7), ("0", 1), ("100000", 60), ("Wed, 21 Oct 2026", 1)])
def test_the_endpoint_says_how_long_to_wait(
    songs: psycopg.Connection, stand_in: StandIn, asked_for: str, expected: float
) -> None:
    stand_in.replies = [Reply(status=429, headers={"Retry-After": asked_for}), Reply(said("Oasis - Wonderwall"))]
    waits: list[float] = []
    recommender(stand_in, waits=waits).answer(songs, "90s")
    assert waits == [expected]


def test_a_connection_that_breaks_off_is_tried_again(songs: psycopg.Connection, stand_in: StandIn) -> None:
    short = Reply(said("Oasis"), headers={"Content-Length": "5000"})
    stand_in.replies = [Reply(breaks_off=True), short, Reply(said("Oasis - Wonderwall"))]
    assert recommender(stand_in).answer(songs, "90s").named == 1
    assert len(stand_in.asked) == 3


def test_patience_ends(songs: psycopg.Connection, stand_in: StandIn) -> None:
    stand_in.replies = [Reply(b'{"error": {"message": "too many\\nrequests"}}', 429)]
    with pytest.raises(EndpointError, match=r"status 429 \(too many requests\): wait"):
        recommender(stand_in, attempts=3).answer(songs, "90s")
    assert len(stand_in.asked) == 3


def test_an_endpoint_that_is_silent_is_given_up(songs: psycopg.Connection, stand_in: StandIn) -> None:
    stand_in.replies = [Reply(said("Oasis - Wonderwall"), pause=0.5)]
    with pytest.raises(EndpointError, match="did not answer in time, 2 times"):
        recommender(stand_in, attempts=2, timeout=0.1).answer(songs, "90s")


# --- errors --------------------------------------------------------------------------------------------------------


def test_without_an_endpoint_it_is_said_what_to_set() -> None:
    with pytest.raises(SettingsError, match="set RECSYS_LLM_URL"):
        LlmRecommender(Settings(), 0)
    with pytest.raises(SettingsError, match="set RECSYS_LLM_MODEL"):
        LlmRecommender(Settings(llm_url="http://localhost/v1"), 0)


def test_an_endpoint_that_is_down_is_named(songs: psycopg.Connection, stand_in: StandIn) -> None:
    down = LlmRecommender(Settings(llm_url="http://127.0.0.1:9/v1", llm_model="small"), 0)
    with pytest.raises(EndpointError, match=r"cannot reach .* at http://127.0.0.1:9/v1: Connection refused"):
        down.answer(songs, "90s")


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(b'{"error": "no key"}', 401), r"status 401 \(no key\): set RECSYS_LLM_KEY"),
        (Reply(b"<html>", 403), "status 403: set RECSYS_LLM_KEY"),
        (Reply(b'{"error": {"message": "no model"}}', 404), r"\(no model\): check RECSYS_LLM_URL.* RECSYS_LLM_MODEL"),
        (Reply(status=302, headers={"Location": "http://127.0.0.1:9/"}), "status 302: check RECSYS_LLM_URL"),
        (Reply(b"<html>hello</html>"), "not as OpenAI's chat completions do: check RECSYS_LLM_URL"),
        (Reply(b'{"choices": []}'), "not as OpenAI's chat completions do"),
        (Reply(said(None)), "not as OpenAI's chat completions do"),
        (Reply(b"[" * 100_000), "not as OpenAI's chat completions do"),
    ],
)
def test_an_endpoint_that_refuses_or_is_none_gives_one_line(
    songs: psycopg.Connection, stand_in: StandIn, reply: Reply, message: str
) -> None:
    stand_in.replies = [reply]
    with pytest.raises(EndpointError, match=message) as caught:
        recommender(stand_in).answer(songs, "90s")
    assert "\n" not in str(caught.value)
    assert len(stand_in.asked) == 1


def test_the_key_is_never_shown(songs: psycopg.Connection, stand_in: StandIn) -> None:
    stand_in.replies = [Reply(json.dumps({"error": {"message": f"wrong key {KEY}"}}).encode(), 401)]
    with pytest.raises(EndpointError, match="wrong key …") as caught:
        recommender(stand_in).answer(songs, "90s")
    assert KEY not in str(caught.value)
    assert KEY not in repr(Settings(llm_key=KEY))


@pytest.mark.parametrize("key", ["one\ntwo", "schlüssel"])
def test_a_key_that_cannot_be_one_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match="RECSYS_LLM_KEY holds characters"):
        LlmRecommender(Settings(llm_url="http://localhost/v1", llm_model="small", llm_key=key), 0)


@pytest.mark.parametrize("url", ["http://localhost:port/v1", "http://[::1/v1", "http://a b/v1"])
def test_a_url_that_is_none_is_named(songs: psycopg.Connection, url: str) -> None:
    with pytest.raises(SettingsError, match="RECSYS_LLM_URL is not a valid URL"):
        LlmRecommender(Settings(llm_url=url, llm_model="small"), 0).answer(songs, "90s")


def test_the_settings_come_from_the_environment_and_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"RECSYS_LLM_URL=http://localhost:11434/v1\nRECSYS_LLM_KEY={KEY}\nRECSYS_LLM_MODEL=a\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECSYS_LLM_MODEL", "b")
    settings = load_settings()
    assert (settings.llm_url, settings.llm_model) == ("http://localhost:11434/v1", "b")
    assert settings.llm_key is not None
    assert settings.llm_key.get_secret_value() == KEY


def test_a_url_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError):
        Settings(llm_url="file:///etc/passwd")
    monkeypatch.setenv("RECSYS_LLM_URL", "localhost:11434")
    with pytest.raises(SettingsError, match="RECSYS_LLM_URL: must start with http"):
        load_settings()


# --- in the evaluation ---------------------------------------------------------------------------------------------


@pytest.fixture
def evaluated(database: str, home: Path, encoder_folder: Path, tmp_path: Path, stand_in: StandIn) -> Settings:
    """Twenty playlists of one title with the same two songs, divided, built, and a model to ask."""
    given = {"DATABASE_URL": database, "home": home, "encoder": str(encoder_folder)}
    settings = Settings(**given, llm_url=stand_in.url, llm_model="small")
    lists = [playlist(f"p{number}", "90s", SONGS[:2] * 5 + SONGS[2:3]) for number in range(20)]
    ingest(settings, "playlists", [write_lines(tmp_path / "lists.jsonl", lists)])
    make_split(settings, "clean", seed=1)
    embed_titles(settings, split="clean")
    return settings


def test_a_language_model_is_scored_beside_the_others(evaluated: Settings, stand_in: StandIn) -> None:
    """Of three songs it names the first and the last, and one that is not there: two of three, in R-precision."""
    stand_in.replies = [Reply(said("Oasis - Wonderwall\nNobody - Nothing\nQueen - Bohemian Rhapsody"))]
    results = {result.method: result for result in evaluate_titles(evaluated, "clean", shots=[0, 1])}
    assert [method for method in results if "shot" in method] == ["small, 0-shot", "small, 1-shot"]
    for shots in (0, 1):
        assert results[f"small, {shots}-shot"].mean("r_precision_tracks", 500) == pytest.approx(2 / 3)
    assert results["popularity"].mean("r_precision_tracks", 500) == 1
    # The one title is asked for once with each prompt, and the example is one of its playlists.
    assert [len(asked["messages"]) for asked in stand_in.asked] == [2, 4]
    assert {asked["model"] for asked in stand_in.asked} == {"small"}
    assert "Songs: 66" in stand_in.asked[0]["messages"][-1]["content"]
    with connect(evaluated, autocommit=True) as connection:
        kept = connection.execute("SELECT DISTINCT method FROM leaderboard WHERE method LIKE '%shot'").fetchall()
    assert sorted(kept) == [("small, 0-shot",), ("small, 1-shot",)]


def test_the_evaluation_says_that_no_language_model_is_set(evaluated: Settings) -> None:
    nobody = evaluated.model_copy(update={"llm_url": None})
    with pytest.raises(SettingsError, match="set RECSYS_LLM_URL"):
        evaluate_titles(nobody, "clean", shots=[5])
