"""Files of players and DJ software in a database: loaded twice they change nothing, edited they replace."""

from pathlib import Path

import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from recsys.errors import SourceError
from recsys.sources import csv_with_columns

REKORDBOX = """<DJ_PLAYLISTS Version="1.0.0"><COLLECTION Entries="2">
<TRACK TrackID="1" Name="Energy Flash" Artist="Joey Beltram"/><TRACK TrackID="2" Name="Deadline" Artist="Digital"/>
</COLLECTION><PLAYLISTS><NODE Type="0" Name="ROOT">
<NODE Type="0" Name="Gigs"><NODE Type="1" Name="Peak"><TRACK Key="1"/><TRACK Key="2"/></NODE></NODE>
<NODE Type="1" Name="Peak"><TRACK Key="2"/></NODE></NODE></PLAYLISTS></DJ_PLAYLISTS>"""
BOMB = '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><DJ_PLAYLISTS>&b;</DJ_PLAYLISTS>'
SONGS = """
SELECT p.external_id, array_agg(s.title ORDER BY t.position)
  FROM playlist AS p
  JOIN playlist_track AS t ON t.playlist_id = p.id
  JOIN track AS k ON k.id = t.track_id
  JOIN song AS s ON s.id = k.song_id
 GROUP BY 1 ORDER BY 1
"""


def stored(connection: psycopg.Connection) -> list[tuple[str, list[str]]]:
    return [(row[0], row[1]) for row in connection.execute(SONGS).fetchall()]


def test_a_library_is_loaded_once_and_replaced_when_it_was_edited(database: str, tmp_path: Path) -> None:
    settings = Settings(DATABASE_URL=database)
    (tmp_path / "a.xml").write_text(REKORDBOX)
    (tmp_path / "b.xml").write_text(BOMB)
    first = ingest(settings, "rekordbox", [tmp_path])
    assert (first.counts.stored, first.counts.rejected, list(first.first_places.values())) == (
        2,
        1,
        [f"{tmp_path / 'b.xml'}: line 1"],
    )
    again = ingest(settings, "rekordbox", [tmp_path])
    assert (again.counts.stored, again.counts.replaced, again.counts.already_there) == (0, 0, 2)
    with connect(settings) as connection:
        assert stored(connection) == [("Gigs/Peak", ["Energy Flash", "Deadline"]), ("Peak", ["Deadline"])]
    (tmp_path / "a.xml").write_text(REKORDBOX.replace('<TRACK Key="1"/>', ""))
    assert ingest(settings, "rekordbox", [tmp_path / "a.xml"]).counts.replaced == 1
    with connect(settings) as connection:
        assert stored(connection) == [("Gigs/Peak", ["Deadline"]), ("Peak", ["Deadline"])]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m3u", "#EXTM3U\n#EXTINF:1,Joey Beltram - Energy Flash\na.mp3\n#EXTINF:1,'; DROP TABLE song; -- - x\nb.mp3\n"),
        (
            "cue",
            'PERFORMER "Ann"\nTITLE "Mix"\nTRACK 01 AUDIO\nTITLE "Joey Beltram - Energy Flash"\nINDEX 01 00:00:00\n',
        ),
        ("text", "[00:00] Joey Beltram - Energy Flash\n[05:00] ID - ID\n"),
    ],
)
def test_a_list_is_known_again_by_its_file(database: str, tmp_path: Path, name: str, text: str) -> None:
    settings = Settings(DATABASE_URL=database)
    file = tmp_path / f"list.{name}"
    file.write_text(text)
    assert ingest(settings, name, [file]).counts.stored == 1
    again = ingest(settings, name, [file])
    assert (again.counts.stored, again.counts.replaced, again.counts.already_there) == (0, 0, 1)


def test_a_table_with_named_columns_is_loaded_beside_other_tables(database: str, tmp_path: Path) -> None:
    settings = Settings(DATABASE_URL=database)
    file = tmp_path / "list.csv"
    file.write_text("Name,By\nEnergy Flash,Joey Beltram\n")
    columns = csv_with_columns({"title": "Name", "artist": "By"})
    assert ingest(settings, columns, [file]).counts.stored == 1
    assert ingest(settings, columns, [file]).counts.already_there == 1
    with pytest.raises(SourceError, match=r"lacks playlists\.csv"):
        ingest(settings, "csv", [file])
    with connect(settings) as connection:
        assert stored(connection) == [("list.csv", ["Energy Flash"])]
