-- Songs that go with a song, by the vectors of a tracklist model, best first: also those that never shared a tracklist; asked
-- by id or by name.
CREATE OR REPLACE FUNCTION nearest_songs(song bigint, n integer DEFAULT 10, model bigint DEFAULT NULL)
RETURNS TABLE (
  rank integer, track_id bigint, song_id bigint, title text, version text, artist text, uri text, duration_ms integer,
  score double precision, playlists integer, tracklists integer
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  SELECT near.rank, st.track_id, near.id, s.title, s.version, s.artist, t.uri, t.duration_ms,
         near.similarity::double precision, coalesce(st.playlists, 0), coalesce(st.tracklists, 0)
    FROM neighbours_of('likeness', nearest_songs.song, n, model) AS near LEFT JOIN song AS s ON s.id = near.id
    LEFT JOIN song_stats AS st ON st.song_id = near.id LEFT JOIN track AS t ON t.id = st.track_id
   ORDER BY 1
$$;

CREATE OR REPLACE FUNCTION nearest_songs(song text, n integer DEFAULT 10, model bigint DEFAULT NULL)
RETURNS TABLE (
  rank integer, track_id bigint, song_id bigint, title text, version text, artist text, uri text, duration_ms integer,
  score double precision, playlists integer, tracklists integer
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  SELECT * FROM nearest_songs(find_song(nearest_songs.song), n, model)
$$;
