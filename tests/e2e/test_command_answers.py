"""Questions to the installed command over a world that is counted by hand."""

import csv
import math
from pathlib import Path

import psycopg
import pytest

from tests.e2e.command import Command, cells, complaint, json_lines, usage_error
from tests.worlds import entry, playlist, write_lines

SEED_COUNTS = {"Alpha": 3, "Beta": 2, "Delta": 2, "Gamma": 1, "Epsilon": 1, "Zeta": 1, "Eta": 1}
"""Each track's playlists: with fewer than 50 of them, all vote. Ties stand in the order in which they were loaded."""


def titles(recsys: Command, *options: str) -> list[str]:
    return [track["title"] for track in json_lines(recsys("recommend", "sleep", "--vote", "seed", "--json", *options))]


def test_a_known_title_is_answered_with_a_table_on_stdout_and_a_note_on_stderr(embedded: Command) -> None:
    done = embedded("recommend", "SLEEP!", "--vote", "seed")
    assert done.returncode == 0
    assert done.stderr == 'a title in the database: "sleep"\n'
    assert cells(done) == [
        ["1", "Alpha", "Ann", "3", "2"],
        ["2", "Beta", "Ann", "2", "1"],
        ["3", "Delta", "Cid", "2", "2"],
        ["4", "Gamma", "Bob", "1", "1"],
        ["5", "Epsilon", "Dot feat. Ann", "1", "1"],
        ["6", "Zeta (Zed Remix)", "Eve", "1", "1"],
        ["7", "Eta", "Eve", "1", "1"],
    ]


def test_an_unseen_title_is_answered_too(embedded: Command) -> None:
    done = embedded("recommend", "Winter songs 🔥", "--vote", "seed")
    assert (done.returncode, done.stderr) == (0, 'a new title: "winter songs 🔥"\n')
    assert {row[1].removesuffix(" (Zed Remix)"): int(row[3]) for row in cells(done)} == SEED_COUNTS


def test_scores_are_shares_of_all_votes_and_near_titles_have_the_most(embedded: Command) -> None:
    tracks = json_lines(embedded("recommend", "sleep", "--json"))
    assert [track["rank"] for track in tracks] == [1, 2, 3, 4, 5, 6, 7]
    scores = [track["score"] for track in tracks]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, rel=1e-5)
    # Delta is in the very playlist and in "road trip", which shares it; nobody else holds Eta.
    assert tracks[0]["title"] == "Delta"
    assert {track["title"] for track in tracks[1:3]} <= {"Epsilon", "Zeta", "Alpha"}
    # Each profile has heard the other titles, so that all four name every track.
    assert {track["voters"] for track in tracks} == {4}


def test_an_explanation_tells_who_is_named_and_what_is_learned(recsys: Command, database: str, tmp_path: Path) -> None:
    """All that is learned of "up" is its own song."""
    lists = [
        *(playlist(n, "up", [entry("Ann", "Up"), entry("Cid", f"Song {n}")]) for n in range(3)),
        *(playlist(n, "bob", [entry("Bob", "One"), entry("Bob", "Two")]) for n in range(3, 6)),
    ]
    recsys("ingest", "playlists", write_lines(tmp_path / "playlists.jsonl", lists))
    assert recsys("titles", "embed").returncode == 0
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO recsys.learned_profile SELECT p.model_id, p.title_id, ARRAY[k.id], '{1}'"
            " FROM recsys.title_profile AS p JOIN recsys.title AS t ON t.id = p.title_id AND t.name = 'up',"
            " recsys.track AS k WHERE k.title = 'Up'"
        )
    done = recsys("recommend", "up", "--explain", "-n", "1")
    [score] = [row[3] for row in cells(done) if row[0] == "1"]
    # The name has half of the votes, its own song a fifth of them; a fifth of the other half is what is learned.
    share = f"{0.1 / float(score):.0%}"
    shown = {line.split("  ")[-1].strip() for line in done.stdout.splitlines() if "%" in line}
    assert shown >= {f"{share} Up (named)", f"{share} up (learned)"}
    assert {note.partition(" ")[2] for note in shown} == {"up (1.00)", "Up (named)", "up (learned)"}
    [line] = json_lines(recsys("recommend", "up", "--explain", "--json", "-n", "1"))
    assert {(voter["title"], voter["kind"]) for voter in line["voted_by"]} == {
        ("up", "title"),
        ("Up", "song"),
        ("up", "learned"),
    }
    done = recsys("recommend", "bob", "--explain", "-n", "1")
    assert " Bob (named)" in done.stdout
    [line] = json_lines(recsys("recommend", "bob", "--explain", "--json", "-n", "1"))
    assert {voter["title"]: voter["kind"] for voter in line["voted_by"]}["Bob"] == "artist"


def test_each_json_line_is_a_track(embedded: Command) -> None:
    done = embedded("recommend", "sleep", "--vote", "seed", "--json")
    alpha, *_, zeta, eta = json_lines(done)
    assert alpha == {
        "rank": 1,
        "track_id": 1,
        "song_id": 1,
        "title": "Alpha",
        "version": None,
        "artist": "Ann",
        "uri": "spotify:track:a",
        "duration_ms": 61_000,
        "score": 3.0,
        "voters": 2,
        "voted_by": [],
    }
    assert (zeta["title"], zeta["version"]) == ("Zeta", "Zed Remix")
    assert (eta["uri"], eta["duration_ms"]) == (None, None)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-n", "2"], ["Alpha", "Beta"]),
        (["--exclude-artist", "ANN"], ["Delta", "Gamma", "Zeta", "Eta"]),  # Epsilon features her
        (["--exclude-artist", "Zed", "--exclude-artist", "Bob"], ["Alpha", "Beta", "Delta", "Epsilon", "Eta"]),
        (["--exclude-track", "ann - alpha", "--exclude-track", "spotify:track:b", "-n", "2"], ["Delta", "Gamma"]),
        (["--max-per-artist", "1"], ["Alpha", "Delta", "Gamma", "Epsilon", "Zeta"]),
    ],
)
def test_filters_act_before_the_cut(embedded: Command, options: list[str], expected: list[str]) -> None:
    assert titles(embedded, *options) == expected


def test_an_answer_without_tracks_is_an_empty_answer(embedded: Command) -> None:
    everyone = [option for name in ("Ann", "Bob", "Cid", "Eve") for option in ("--exclude-artist", name)]
    assert titles(embedded, *everyone) == []
    done = embedded("recommend", "sleep", *everyone)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("no track is left: ")


def test_an_explanation_names_the_titles_that_voted(embedded: Command) -> None:
    question = ["recommend", "sleep", "--vote", "seed", "--explain", "-n", "3"]
    alpha, beta, delta = json_lines(embedded(*question, "--json"))
    near = {voter["title"]: voter["similarity"] for track in (alpha, beta, delta) for voter in track["voted_by"]}
    assert near["sleep"] == pytest.approx(1, abs=1e-5)
    assert max(near["summer mix"], near["road trip"]) < 1
    assert [(voter["title"], voter["share"]) for voter in alpha["voted_by"]] == [
        ("summer mix", pytest.approx(2 / 3)),
        ("road trip", pytest.approx(1 / 3)),
    ]
    assert cells(embedded(*question)) == [
        ["1", "Alpha", "Ann", "3", "2", f"67% summer mix ({near['summer mix']:.2f})"],
        [f"33% road trip ({near['road trip']:.2f})"],
        ["2", "Beta", "Ann", "2", "1", f"100% summer mix ({near['summer mix']:.2f})"],
        ["3", "Delta", "Cid", "2", "2", f"50% road trip ({near['road trip']:.2f})"],
        ["50% sleep (1.00)"],
    ]


def test_a_list_is_written_as_csv(embedded: Command) -> None:
    done = embedded("recommend", "sleep", "--vote", "seed", "--format", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    head, first, *_, zeta, eta = csv.reader(done.stdout.splitlines())
    assert head == ["rank", "artist", "title", "uri", "score"]
    assert first == ["1", "Ann", "Alpha", "spotify:track:a", "3"]
    assert zeta == ["6", "Eve", "Zeta (Zed Remix)", "spotify:track:z", "1"]
    assert eta == ["7", "Eve", "Eta", "", "1"]


def test_a_list_of_uris_says_what_it_leaves_out(embedded: Command) -> None:
    done = embedded("recommend", "sleep", "--vote", "seed", "--format", "uris")
    assert done.stdout.split() == [f"spotify:track:{letter}" for letter in "abdcez"]
    assert done.stderr == "1 of 7 tracks has no URI and is left out\n"


def test_a_player_reads_the_list(embedded: Command) -> None:
    done = embedded("recommend", "Sleep", "--vote", "seed", "--format", "m3u8", "--exclude-artist", "Zed")
    assert done.stdout.splitlines()[:4] == ["#EXTM3U", "#PLAYLIST:Sleep", "#EXTINF:61,Ann - Alpha", "spotify:track:a"]
    assert done.stdout.splitlines()[-2:] == ["#EXTINF:-1,Eve - Eta", "Eve - Eta"]


def test_a_list_goes_to_a_file(embedded: Command, tmp_path: Path) -> None:
    question = ["recommend", "sleep", "--vote", "seed"]
    file = tmp_path / "夏 list.csv"
    done = embedded(*question, "-o", file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"written: {file}\n")
    assert file.read_text(encoding="utf-8") == embedded(*question, "--format", "csv", "-o", "-").stdout


def test_songs_that_were_played_together(embedded: Command) -> None:
    done = embedded("similar", "track", "Ann - Alpha")
    assert done.stderr == "played together with Ann - Alpha\n"
    assert cells(done) == [
        ["1", "Beta", "Ann", "0.255", "2", "0"],  # 2 / (sqrt(4 * 2) + 5)
        ["2", "Delta", "Cid", "0.236", "1", "1"],  # 2 / (sqrt(4 * 3) + 5)
        ["3", "Gamma", "Bob", "0.143", "1", "0"],  # 1 / (sqrt(4 * 1) + 5)
    ]


def test_a_song_has_many_names(embedded: Command) -> None:
    names = ("alpha", "https://open.spotify.com/track/a?si=1")
    best = [json_lines(embedded("similar", "track", name, "-n", "1", "--json")) for name in names]
    score = pytest.approx(2 / (math.sqrt(8) + 5))
    beta = {"rank": 1, "track_id": 2, "song_id": 2, "title": "Beta", "version": None, "artist": "Ann"}
    beta |= {"uri": "spotify:track:b", "duration_ms": None, "score": score, "playlists": 2, "tracklists": 0}
    assert best == [[beta]] * 2


def test_a_song_that_stands_alone_is_said_to(embedded: Command) -> None:
    for options in ((), ("--json",), ("--format", "csv")):
        said = complaint(embedded("similar", "track", "Eve - Eta", *options))
        assert said == "Eve - Eta stands in no list with another song"


def test_titles_of_a_similar_meaning(embedded: Command) -> None:
    found = json_lines(embedded("similar", "title", "Sleep", "--json"))
    assert {line["title"]: line["playlists"] for line in found} == {"summer mix": 2, "road trip": 1, "eve only": 1}
    similarities = [line["similarity"] for line in found]
    assert similarities == sorted(similarities, reverse=True)
    assert cells(embedded("similar", "title", "sleep", "-n", "1")) == [
        [found[0]["title"], f"{similarities[0]:.3f}", str(found[0]["playlists"])]
    ]


def test_given_songs_go_on_with_and_without_a_title(embedded: Command) -> None:
    alone = json_lines(embedded("recommend", "--seed-track", "Ann - Alpha", "--json"))
    assert alone[0]["title"] in ("Beta", "Gamma", "Delta")
    assert "Alpha" not in {track["title"] for track in alone}
    both = json_lines(embedded("recommend", "sleep", "--seed-track", "spotify:track:a", "--json"))
    assert {"Delta", "Epsilon", "Zeta"} <= {track["title"] for track in both}
    assert "Alpha" not in {track["title"] for track in both}
    assert "give a title, a song with --seed-track, a DJ" in usage_error(embedded("recommend"))
    assert "--vote" in usage_error(embedded("recommend", "--seed-track", "spotify:track:a", "--explain"))
