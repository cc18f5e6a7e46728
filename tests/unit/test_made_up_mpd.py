import gzip
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from recsys.names import normal_title

_SCRIPT = Path(__file__).parents[2] / "benchmarks" / "made_up_mpd.py"
_TRACK_FIELDS = {
    "pos": int,
    "artist_name": str,
    "track_uri": str,
    "artist_uri": str,
    "track_name": str,
    "album_uri": str,
    "duration_ms": int,
    "album_name": str,
}
_PLAYLIST_FIELDS = {
    "name": str,
    "collaborative": str,
    "pid": int,
    "modified_at": int,
    "num_tracks": int,
    "num_albums": int,
    "num_followers": int,
    "num_edits": int,
    "duration_ms": int,
    "num_artists": int,
    "tracks": list,
}


@pytest.fixture(scope="module")
def made_up_mpd() -> ModuleType:
    spec = importlib.util.spec_from_file_location("made_up_mpd", _SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(made_up_mpd: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mpd")
    made_up_mpd.write_made_up_mpd(folder, playlists=60)
    return folder


@pytest.fixture(scope="module")
def playlists(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "mpd.slice.0-59.json").read_bytes())["playlists"]
    return found


def _types(record: dict[str, Any]) -> dict[str, type]:
    return {key: type(value) for key, value in record.items()}


def test_a_small_set_is_one_slice_named_by_its_pids(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == ["mpd.slice.0-59.json"]
    info = json.loads((folder / "mpd.slice.0-59.json").read_bytes())["info"]
    assert info["slice"] == "0-59"
    assert info.keys() == {"slice", "version", "generated_on"}


def test_playlists_and_tracks_have_the_official_fields(playlists: list[dict[str, Any]]) -> None:
    assert [playlist["pid"] for playlist in playlists] == list(range(60))
    for playlist in playlists:
        assert _types({k: v for k, v in playlist.items() if k != "description"}) == _PLAYLIST_FIELDS
        assert playlist["collaborative"] in ("true", "false")
        for track in playlist["tracks"]:
            assert _types(track) == _TRACK_FIELDS
            assert re.fullmatch("spotify:track:[0-9A-Za-z]{22}", track["track_uri"])
            assert re.fullmatch("spotify:artist:[0-9A-Za-z]{22}", track["artist_uri"])
            assert re.fullmatch("spotify:album:[0-9A-Za-z]{22}", track["album_uri"])


def test_counts_agree_with_the_tracks(playlists: list[dict[str, Any]]) -> None:
    for playlist in playlists:
        tracks = playlist["tracks"]
        assert 5 <= len(tracks) <= 250
        assert playlist["num_tracks"] == len(tracks)
        assert [track["pos"] for track in tracks] == list(range(len(tracks)))
        assert playlist["num_artists"] == len({track["artist_uri"] for track in tracks})
        assert playlist["num_albums"] == len({track["album_uri"] for track in tracks})
        assert playlist["duration_ms"] == sum(track["duration_ms"] for track in tracks)


def test_a_uri_always_means_the_same_track(playlists: list[dict[str, Any]]) -> None:
    seen: dict[str, dict[str, Any]] = {}
    for playlist in playlists:
        for track in playlist["tracks"]:
            described = {key: value for key, value in track.items() if key != "pos"}
            assert seen.setdefault(track["track_uri"], described) == described


def test_a_seed_decides_every_byte(made_up_mpd: ModuleType, folder: Path, tmp_path: Path) -> None:
    made_up_mpd.write_made_up_mpd(tmp_path / "again", playlists=60, seed=0)
    made_up_mpd.write_made_up_mpd(tmp_path / "other", playlists=60, seed=1)
    first, again, other = (
        (path / "mpd.slice.0-59.json").read_bytes() for path in (folder, tmp_path / "again", tmp_path / "other")
    )
    assert first == again
    assert first != other


def test_the_reduced_format_keeps_the_same_tracks(
    made_up_mpd: ModuleType, playlists: list[dict[str, Any]], tmp_path: Path
) -> None:
    made_up_mpd.write_made_up_mpd(tmp_path, playlists=60, gzip=True, reduced=True)
    reduced = json.loads(gzip.decompress((tmp_path / "mpd.slice.0-59.json.gz").read_bytes()))["playlists"]
    kept = ("pos", "artist_name", "track_uri", "track_name")
    for full, small in zip(playlists, reduced, strict=True):
        assert small["tracks"] == [{key: track[key] for key in kept} for track in full["tracks"]]


def test_slices_hold_a_thousand_playlists_each(made_up_mpd: ModuleType, tmp_path: Path) -> None:
    made_up_mpd.write_made_up_mpd(tmp_path, playlists=1003)
    sizes = {path.name: len(json.loads(path.read_bytes())["playlists"]) for path in tmp_path.iterdir()}
    assert sizes == {"mpd.slice.0-999.json": 1000, "mpd.slice.1000-1002.json": 3}


def test_two_sets_do_not_mix_in_a_folder(made_up_mpd: ModuleType, tmp_path: Path) -> None:
    made_up_mpd.write_made_up_mpd(tmp_path, playlists=20)
    made_up_mpd.write_made_up_mpd(tmp_path, playlists=20)
    with pytest.raises(FileExistsError, match=r"mpd\.slice\.0-19\.json"):
        made_up_mpd.write_made_up_mpd(tmp_path, playlists=10)


def test_every_spelling_of_a_title_normalises_to_it(made_up_mpd: ModuleType) -> None:
    marks = [0.8 + step / 200 for step in range(40)]
    for title in made_up_mpd._titles().names[::50]:
        spellings = {made_up_mpd._spelling(title, [case, mark]) for case in (0.1, 0.4, 0.6, 0.95) for mark in marks}
        assert len(spellings) > 12
        assert {normal_title(spelling) for spelling in spellings} == {title}


def test_a_title_of_a_genre_pulls_its_tracks_together(made_up_mpd: ModuleType, tmp_path: Path) -> None:
    made_up_mpd.write_made_up_mpd(tmp_path, playlists=3000)
    by_title: dict[str, list[set[str]]] = {"country": [], "jazz": []}
    for path in tmp_path.iterdir():
        for playlist in json.loads(path.read_bytes())["playlists"]:
            if (title := normal_title(playlist["name"])) in by_title:
                by_title[title].append({track["artist_uri"] for track in playlist["tracks"]})
    country, jazz = (set().union(*lists) for lists in by_title.values())
    half = len(by_title["country"]) // 2
    one, other = (set().union(*lists) for lists in (by_title["country"][:half], by_title["country"][half:]))
    assert half >= 5
    assert len(one & other) / len(other) > 2 * len(country & jazz) / len(jazz)
