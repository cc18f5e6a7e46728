-- Songs that stand in the same playlists and tracklists as a song, best first; asked by id or by name.
--
-- score = together / (sqrt(lists with the one * lists with the other) + 5): the cosine of the two songs' lists, shrunk
-- so that a single shared list says little. A song in more than `sample` playlists is read from that many of them.
CREATE OR REPLACE FUNCTION similar_tracks(song bigint, n integer DEFAULT 10, sample integer DEFAULT 2000)
RETURNS TABLE (
  rank integer, track_id bigint, song_id bigint, title text, version text, artist text, uri text, duration_ms integer,
  score double precision, playlists integer, tracklists integer
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  WITH in_playlists AS MATERIALIZED (
    SELECT DISTINCT pt.playlist_id FROM track AS t JOIN playlist_track AS pt ON pt.track_id = t.id
     WHERE t.song_id = similar_tracks.song ORDER BY pt.playlist_id LIMIT sample
  ), in_tracklists AS MATERIALIZED (
    SELECT DISTINCT tt.tracklist_id FROM tracklist_track AS tt WHERE tt.song_id = similar_tracks.song
     ORDER BY tt.tracklist_id LIMIT sample
  ), beside AS (
    SELECT t.song_id, count(DISTINCT pt.playlist_id) AS playlists, 0 AS tracklists
      FROM in_playlists JOIN playlist_track AS pt USING (playlist_id) JOIN track AS t ON t.id = pt.track_id
     GROUP BY t.song_id
     UNION ALL
    SELECT tt.song_id, 0, count(DISTINCT tt.tracklist_id)
      FROM in_tracklists JOIN tracklist_track AS tt USING (tracklist_id)
     WHERE tt.song_id IS NOT NULL
     GROUP BY tt.song_id
  ), together AS (
    SELECT b.song_id, sum(b.playlists)::integer AS playlists, sum(b.tracklists)::integer AS tracklists
      FROM beside AS b WHERE b.song_id <> similar_tracks.song GROUP BY b.song_id
  ), own AS (
    SELECT (SELECT count(*) FROM in_playlists) + (SELECT count(*) FROM in_tracklists) AS lists
  ), best AS (
    SELECT c.song_id, st.track_id, c.playlists, c.tracklists,
           (c.playlists + c.tracklists) / (sqrt(own.lists * greatest(st.playlists + st.tracklists, 1)) + 5) AS score
      FROM together AS c CROSS JOIN own JOIN song_stats AS st ON st.song_id = c.song_id
     ORDER BY score DESC, c.song_id
     LIMIT greatest(n, 0)
  )
  SELECT (row_number() OVER (ORDER BY b.score DESC, b.song_id))::integer, b.track_id, b.song_id, s.title, s.version,
         s.artist, t.uri, t.duration_ms, b.score, b.playlists, b.tracklists
    FROM best AS b JOIN song AS s ON s.id = b.song_id LEFT JOIN track AS t ON t.id = b.track_id
   ORDER BY 1
$$;

CREATE OR REPLACE FUNCTION similar_tracks(song text, n integer DEFAULT 10, sample integer DEFAULT 2000)
RETURNS TABLE (
  rank integer, track_id bigint, song_id bigint, title text, version text, artist text, uri text, duration_ms integer,
  score double precision, playlists integer, tracklists integer
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  SELECT * FROM similar_tracks(find_song(similar_tracks.song), n, sample)
$$;
