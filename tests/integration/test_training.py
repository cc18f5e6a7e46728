"""From the database to a snapshot, a fine-tuned encoder, and back: imported, embedded and asked."""

import json
from pathlib import Path

import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from recsys.errors import RecsysError
from recsys.titles import embed_titles, recommend
from recsys.titles.finetune import FinetuneOptions, finetune
from recsys.titles.snapshot import export_title_snapshot, load_title_snapshot
from recsys.titles.splits import make_split
from recsys.titles.trained import import_model

TITLES = ["summer mix", "road trip", "sleep", "gym", "rock music", "jazz", "party", "chill"]


@pytest.fixture
def world(database: str, tmp_path: Path, encoder_folder: Path) -> Settings:
    """Forty playlists of eight titles, two titles with the same songs, and a clean split."""
    lines = [
        {
            "pid": pid,
            "name": TITLES[pid % 8],
            "tracks": [{"track_name": f"Song {pid % 4} {n}", "artist_name": "Ann"} for n in range(3 + pid % 3)],
        }
        for pid in range(40)
    ]
    file = tmp_path / "playlists.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    settings = Settings(DATABASE_URL=database, home=tmp_path / "home", encoder=str(encoder_folder))
    ingest(settings, "playlists", [file])
    make_split(settings, "clean", seed=0)
    return settings


def test_a_snapshot_holds_the_playlists_and_notices_damage(world: Settings, tmp_path: Path) -> None:
    summary = export_title_snapshot(world, tmp_path / "snapshot", split="clean")
    assert (summary.playlists, summary.titles, summary.train) == (40, 8, 32)
    assert set(load_title_snapshot(tmp_path / "snapshot").titles) == set(TITLES)
    titles = tmp_path / "snapshot" / "titles.json"
    titles.write_text(titles.read_text().replace("gym", "gim"))
    with pytest.raises(RecsysError):
        load_title_snapshot(tmp_path / "snapshot")


def test_a_trained_encoder_comes_home_and_answers(world: Settings, tmp_path: Path, encoder_folder: Path) -> None:
    export_title_snapshot(world, tmp_path / "snapshot", split="clean")
    snapshot = load_title_snapshot(tmp_path / "snapshot")
    options = FinetuneOptions(loss="co-occurrence", epochs=1, batch_size=8, device="cpu")
    summary = finetune(encoder_folder, snapshot, options, tmp_path / "trained")
    assert summary.epochs == 1
    imported = import_model(world, tmp_path / "trained")
    embedded = embed_titles(world, imported.name)
    assert embedded.embedded == 8
    with connect(world, autocommit=True) as connection:
        answer = recommend(connection, "gym", 3)
    assert (answer.is_known, len(answer.tracks)) == (True, 3)
