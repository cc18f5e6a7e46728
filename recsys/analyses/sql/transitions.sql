-- Songs that follow each other in most tracklists, of everybody, of a DJ, or after a song.
--
-- dj text = null: whose tracklists
-- song text = null: after which song
-- n integer = 20: how many
WITH played AS (
  SELECT DISTINCT p.tracklist_id, p.position, p.song_id
    FROM plays AS p
   WHERE p.song_id IS NOT NULL AND (%(dj)s::text IS NULL OR p.dj_id = (SELECT find_dj(%(dj)s)))
), pair AS (
  SELECT a.song_id AS before, b.song_id AS after, count(DISTINCT a.tracklist_id) AS tracklists
    FROM played AS a JOIN played AS b ON b.tracklist_id = a.tracklist_id AND b.position = a.position + 1
   WHERE a.song_id <> b.song_id AND (%(song)s::text IS NULL OR a.song_id = (SELECT find_song(%(song)s)))
   GROUP BY a.song_id, b.song_id
   ORDER BY tracklists DESC, a.song_id, b.song_id
   LIMIT %(n)s
)
SELECT a.song, b.song AS next_song, p.tracklists
  FROM pair AS p JOIN songs AS a ON a.song_id = p.before JOIN songs AS b ON b.song_id = p.after
 ORDER BY p.tracklists DESC, a.song_id, b.song_id
