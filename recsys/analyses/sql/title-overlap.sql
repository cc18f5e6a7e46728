-- How much the playlists of a title have in common, the likest pairs first.
--
-- title text: the title
-- most integer = 200: playlists that are compared, those of most entries
-- n integer = 20: how many pairs
WITH member AS MATERIALIZED (
  SELECT playlist_id, name
    FROM playlists
   WHERE title = normal_title(%(title)s)
   ORDER BY entries DESC, playlist_id
   LIMIT %(most)s
), held AS MATERIALIZED (
  SELECT DISTINCT m.playlist_id, e.song_id FROM member AS m JOIN playlist_entries AS e USING (playlist_id)
), size AS (
  SELECT playlist_id, count(*) AS songs FROM held GROUP BY playlist_id
), pair AS (
  SELECT a.playlist_id AS one, b.playlist_id AS other, count(*) AS songs
    FROM held AS a JOIN held AS b ON b.song_id = a.song_id AND b.playlist_id > a.playlist_id
   GROUP BY a.playlist_id, b.playlist_id
)
SELECT p.one AS playlist_id, p.other AS other_id, p.songs AS songs_of_both, a.songs, b.songs AS songs_of_other,
       round(p.songs::numeric / (a.songs + b.songs - p.songs), 3) AS overlap
  FROM pair AS p JOIN size AS a ON a.playlist_id = p.one JOIN size AS b ON b.playlist_id = p.other
 ORDER BY overlap DESC, p.one, p.other
 LIMIT %(n)s
