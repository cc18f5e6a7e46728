"""views for reading: every table that answers a question, by the names that people know

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

VIEWS = {
    "songs": """
SELECT s.id AS song_id,
       concat_ws(' - ', nullif(s.artist, ''), s.title || coalesce(' (' || s.version || ')', '')) AS song,
       s.artist, s.title, s.version, st.track_id, t.uri,
       coalesce(st.playlists, 0) AS playlists, coalesce(st.tracklists, 0) AS tracklists
  FROM song AS s LEFT JOIN song_stats AS st ON st.song_id = s.id LEFT JOIN track AS t ON t.id = st.track_id
""",
    "tracks": """
SELECT t.id AS track_id, t.song_id, s.artist, t.title, t.album, t.uri, t.duration_ms,
       coalesce(st.playlists, 0) AS playlists
  FROM track AS t JOIN song AS s ON s.id = t.song_id LEFT JOIN track_stats AS st ON st.track_id = t.id
""",
    "credits": """
SELECT sa.song_id, sa.artist_id, a.name AS artist, sa.role, sa.weight
  FROM song_artist AS sa JOIN artist AS a ON a.id = sa.artist_id
""",
    "artist_stats": """
SELECT a.id AS artist_id, a.name, held.songs, held.entries, held.plays
  FROM artist AS a
 CROSS JOIN LATERAL (
   SELECT count(*)::integer AS songs, coalesce(sum(st.playlists), 0)::bigint AS entries,
          coalesce(sum(st.tracklists), 0)::bigint AS plays
     FROM song_artist AS sa LEFT JOIN song_stats AS st ON st.song_id = sa.song_id
    WHERE sa.artist_id = a.id AND sa.role <> 'remixer'
 ) AS held
""",
    "playlists": """
SELECT p.id AS playlist_id, o.name AS source, p.title_id, t.name AS title, p.name, p.followers, p.snapshot, p.entries
  FROM playlist AS p JOIN source AS o ON o.id = p.source_id LEFT JOIN title AS t ON t.id = p.title_id
""",
    "playlist_entries": """
SELECT pt.playlist_id, pt.position, pt.track_id, t.song_id
  FROM playlist_track AS pt JOIN track AS t ON t.id = pt.track_id
""",
    "tracklists": """
SELECT t.id AS tracklist_id, o.name AS source, t.title, t.played_on,
       ARRAY(SELECT d.name FROM tracklist_dj AS td JOIN dj AS d ON d.id = td.dj_id
              WHERE td.tracklist_id = t.id ORDER BY td.position) AS djs,
       t.tags, t.entries
  FROM tracklist AS t JOIN source AS o ON o.id = t.source_id
""",
    "plays": """
SELECT t.id AS tracklist_id, tt.position, t.played_on, td.dj_id, d.name AS dj, tt.song_id,
       nullif(concat_ws(' - ', nullif(s.artist, ''), s.title || coalesce(' (' || s.version || ')', '')), '') AS song,
       tt.cue_seconds
  FROM tracklist AS t JOIN tracklist_track AS tt ON tt.tracklist_id = t.id
  LEFT JOIN tracklist_dj AS td ON td.tracklist_id = t.id LEFT JOIN dj AS d ON d.id = td.dj_id
  LEFT JOIN song AS s ON s.id = tt.song_id
""",
    "ingest_runs": """
SELECT r.id AS run_id, o.name AS source, o.format, r.started_at, r.finished_at,
       (r.counts ->> 'read')::bigint AS records, (r.counts ->> 'stored')::bigint AS stored,
       (r.counts ->> 'replaced')::bigint AS replaced, (r.counts ->> 'already_there')::bigint AS already_there,
       (r.counts ->> 'rejected')::bigint AS rejected, (r.counts ->> 'entries_stored')::bigint AS entries_stored,
       (r.counts ->> 'entries_rejected')::bigint AS entries_rejected,
       (r.counts ->> 'entries_unidentified')::bigint AS entries_unidentified
  FROM ingest_run AS r JOIN source AS o ON o.id = r.source_id
""",
    "rejected_records": """
SELECT o.name AS source, r.file, r.place, r.reason, r.ingest_run_id AS run_id
  FROM rejected_record AS r JOIN source AS o ON o.id = r.source_id
""",
    "models": """
SELECT m.id AS model_id, m.kind, m.name, m.base, m.dimension, m.is_current, m.metrics, m.created_at, m.profiled_at
  FROM model AS m
""",
}

CLUSTER_STATS = """
CREATE VIEW cluster_stats AS
SELECT c.clustering_id, c.number, c.playlists, c.exact_match, c.is_miscellaneous, c.top_titles,
       avg(p.distance)::real AS mean_distance{}
  FROM cluster AS c LEFT JOIN playlist_cluster AS p ON p.clustering_id = c.clustering_id AND p.cluster = c.number
 GROUP BY c.clustering_id, c.number
"""

IS_CURRENT = ", (SELECT k.is_current FROM clustering AS k WHERE k.id = c.clustering_id) AS is_current"


def upgrade() -> None:
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")
    op.execute(CLUSTER_STATS.format(IS_CURRENT).replace("CREATE", "CREATE OR REPLACE"))


def downgrade() -> None:
    op.execute("DROP VIEW cluster_stats")
    op.execute(CLUSTER_STATS.format(""))
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
