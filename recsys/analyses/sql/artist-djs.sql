-- DJs who play an artist most often.
--
-- artist text: the artist's name
-- n integer = 20: how many
SELECT p.dj, count(DISTINCT (p.tracklist_id, p.position)) AS plays, count(DISTINCT p.song_id) AS songs,
       min(p.played_on) AS first, max(p.played_on) AS last
  FROM credits AS c JOIN plays AS p USING (song_id)
 WHERE c.artist_id = (SELECT find_artist(%(artist)s)) AND p.dj_id IS NOT NULL
 GROUP BY p.dj_id, p.dj
 ORDER BY plays DESC, p.dj_id
 LIMIT %(n)s
