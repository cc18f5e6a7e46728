"""A world in which every public view and function has rows, with the names that docs/sql.md asks for."""

import json
from pathlib import Path

import psycopg

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from tests.worlds import entry, playlist

DEADLINE = entry("Digital", "Deadline", "spotify:track:deadline")
SONGS = [
    DEADLINE,
    entry("Moby", "Porcelain"),
    entry("Carl Cox", "Phuture 2000"),
    entry("Carl Cox", "Phuture 2001"),
    entry("Atjazz", "Fox Tail"),
]
PLAYLISTS = [
    playlist("1", "Deep House", SONGS[1:]),
    playlist("2", "deep house!", [*SONGS[2:], DEADLINE]),
    playlist("3", "Drum & Bass", SONGS[:2]),
    playlist("4", "Techno", SONGS[1:3]),
]
PLAYED = [("1", "Adam Beyer", "2013-05-01"), ("2", "Adam Beyer", "2016-05-01"), ("3", "Bailey", "2016-06-01")]

MODELS = (
    "INSERT INTO model (id, kind, name, dimension, fingerprint, folder, is_current, config) VALUES"
    " (1, 'title-encoder', 'made up', 2, 'f', '/nowhere', true, '{}'),"
    " (2, 'title-recommender', 'made up', 2, 'f', '/nowhere', true, '{\"encoder\": 1, \"split\": null}'),"
    " (3, 'tracklist-recommender', 'made up', 2, 'f', '/nowhere', true, '{}'),"
    " (4, 'tracklist-model', 'made up', 2, 'f', '/nowhere', true, '{}')",
    "INSERT INTO title_embedding SELECT 1, id, l2_normalize(format('[1,%s]', id)::vector) FROM title",
    "INSERT INTO title_profile SELECT 2, title_id, 1, array_agg(track_id), array_agg(.1)"
    " FROM (SELECT DISTINCT title_id, track_id FROM playlists JOIN playlist_entries USING (playlist_id)) AS held"
    " GROUP BY title_id",
    "INSERT INTO song_embedding SELECT m, id, l2_normalize(format('[1,%s]', id)::vector)"
    " FROM song CROSS JOIN unnest('{3,4}'::int[]) AS m",
    "INSERT INTO artist_embedding SELECT 3, id, l2_normalize(format('[1,%s]', id)::vector) FROM artist",
    "INSERT INTO dj_embedding SELECT m, id, l2_normalize(format('[1,%s]', id)::vector)"
    " FROM dj CROSS JOIN unnest('{3,4}'::int[]) AS m",
    "INSERT INTO dj_forecast SELECT 3, d.id, array_agg(s.id), array_agg(.5), array_agg(false) FROM dj AS d, song AS s"
    " GROUP BY d.id",
    "INSERT INTO song_membership SELECT 4, id, '{0,1,2}', '{1,1,1}' FROM song",
    "INSERT INTO clustering (id, encoder_name, encoder_fingerprint, clusters, is_current)"
    " VALUES (1, 'made up', 'f', 1, true)",
    "INSERT INTO cluster (clustering_id, number, playlists, exact_match, top_titles, centroid)"
    " VALUES (1, 1, 4, 50, '{deep house}', '[1,0]')",
    "INSERT INTO playlist_cluster SELECT 1, id, 1, .5 FROM playlist",
    "INSERT INTO evaluation_run (id, subject, method, part, playlists, seconds)"
    " VALUES (1, 'titles', 'made up', 'test', 4, 1)",
    "INSERT INTO evaluation_metric VALUES (1, 'ndcg', 500, .2, .1, .3)",
)


def fill_surface(settings: Settings, folder: Path) -> None:
    """Load the lists, with a record that is rejected, and put in what models would have learned."""
    tracklists = [
        {
            "id": number,
            "dj": dj,
            "date": day,
            "tracks": [{"artist": s["artist_name"], "title": s["track_name"]} for s in SONGS],
        }
        for number, dj, day in PLAYED
    ]
    for form, records in (("playlists", PLAYLISTS), ("tracklists", tracklists)):
        file = folder / f"{form}.jsonl"
        file.write_text("".join(f"{line}\n" for line in [*map(json.dumps, records), "not JSON"]), encoding="utf-8")
        ingest(settings, form, [file])
    with connect(settings, autocommit=True) as connection:
        for statement in MODELS:
            connection.execute(statement.encode())


def connect_as(url: str, role: str | None = None) -> psycopg.Connection:
    """A connection as the URL's role or another one, with the schema in its search path."""
    named = {} if role is None else {"user": role}
    return psycopg.connect(url, autocommit=True, options="-c search_path=recsys,public", **named)
