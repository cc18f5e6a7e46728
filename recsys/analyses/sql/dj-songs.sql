-- What a DJ plays most often, and when.
--
-- dj text: the DJ's name
-- n integer = 20: how many
SELECT p.song, count(DISTINCT p.tracklist_id) AS plays, min(p.played_on) AS first, max(p.played_on) AS last
  FROM plays AS p
 WHERE p.dj_id = (SELECT find_dj(%(dj)s)) AND p.song_id IS NOT NULL
 GROUP BY p.song_id, p.song
 ORDER BY plays DESC, last DESC NULLS LAST, p.song_id
 LIMIT %(n)s
