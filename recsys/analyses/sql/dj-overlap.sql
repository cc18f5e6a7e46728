-- DJs who play most of the songs that a DJ plays; overlap is the part that is common of all songs of both.
--
-- dj text: the DJ's name
-- n integer = 20: how many
WITH own AS MATERIALIZED (
  SELECT DISTINCT p.song_id FROM plays AS p WHERE p.dj_id = (SELECT find_dj(%(dj)s)) AND p.song_id IS NOT NULL
), shared AS (
  SELECT p.dj_id, p.dj, count(DISTINCT p.song_id) AS songs
    FROM own JOIN plays AS p USING (song_id)
   WHERE p.dj_id <> (SELECT find_dj(%(dj)s))
   GROUP BY p.dj_id, p.dj
   ORDER BY songs DESC, p.dj_id
   LIMIT %(n)s
)
SELECT s.dj, s.songs AS songs_of_both, o.songs AS songs_of_other,
       round(s.songs::numeric / ((SELECT count(*) FROM own) + o.songs - s.songs), 3) AS overlap
  FROM shared AS s
 CROSS JOIN LATERAL (SELECT count(DISTINCT p.song_id) AS songs FROM plays AS p WHERE p.dj_id = s.dj_id) AS o
 ORDER BY s.songs DESC, s.dj_id
