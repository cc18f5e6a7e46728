-- Songs that go with a song, by the vectors of a tracklist model, best first: also those that never shared a tracklist.
-- Where a model has no likeness of its own, songs are compared in the space that they share with the DJs.
CREATE OR REPLACE FUNCTION nearest_songs(song bigint, n integer DEFAULT 10, model bigint DEFAULT NULL)
RETURNS TABLE (
  rank integer, track_id bigint, song_id bigint, title text, version text, artist text, uri text, duration_ms integer,
  score double precision, playlists integer, tracklists integer
)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  chosen bigint := coalesce(model, current_model('tracklist-recommender'));
BEGIN
  RETURN QUERY
    WITH near AS (
      SELECT f.id, f.similarity
        FROM (
         SELECT 'likeness' AS kind, e.embedding FROM song_likeness AS e
          WHERE e.model_id = chosen AND e.song_id = nearest_songs.song
          UNION ALL
         SELECT 'song', e.embedding FROM song_embedding AS e
          WHERE e.model_id = chosen AND e.song_id = nearest_songs.song
            AND NOT EXISTS (SELECT FROM song_likeness AS any_song WHERE any_song.model_id = chosen)
       ) AS own
       CROSS JOIN LATERAL nearest_embedded(own.kind, own.embedding, greatest(n, 0) + 1, chosen) AS f
       WHERE f.id <> nearest_songs.song
    )
    SELECT (row_number() OVER (ORDER BY near.similarity DESC, near.id))::integer, st.track_id, near.id, s.title, s.version,
           s.artist, t.uri, t.duration_ms, near.similarity::double precision, coalesce(st.playlists, 0),
           coalesce(st.tracklists, 0)
      FROM near JOIN song AS s ON s.id = near.id LEFT JOIN song_stats AS st ON st.song_id = near.id
      LEFT JOIN track AS t ON t.id = st.track_id
     ORDER BY 1
     LIMIT greatest(n, 0);
END
$$;
