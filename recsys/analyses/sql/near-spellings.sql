-- Songs of one artist whose titles begin alike and are spelt nearly alike, and might be one song.
--
-- likeness number = 0.7: share of trigrams in common, at least
-- artist text = null: whose songs
-- n integer = 20: how many
WITH named AS MATERIALIZED (
  SELECT c.artist_id, s.song_id, s.song, lower(s.title) AS title, coalesce(s.version, '') AS version,
         s.playlists + s.tracklists AS lists
    FROM credits AS c JOIN songs AS s USING (song_id)
   WHERE c.role = 'main' AND (%(artist)s::text IS NULL OR c.artist_id = (SELECT find_artist(%(artist)s)))
)
SELECT DISTINCT a.song, b.song AS other_song, round(similarity(a.title, b.title)::numeric, 2) AS likeness,
       a.lists, b.lists AS lists_of_other
  FROM named AS a
  JOIN named AS b ON b.artist_id = a.artist_id AND b.version = a.version AND left(b.title, 1) = left(a.title, 1)
   AND b.song_id <> a.song_id AND (b.lists, -b.song_id) < (a.lists, -a.song_id)
 WHERE similarity(a.title, b.title) >= %(likeness)s
 ORDER BY likeness DESC, a.lists DESC, a.song, b.song
 LIMIT %(n)s
