-- What a DJ played year by year, and how much of it was new to him.
--
-- dj text: the DJ's name
WITH played AS (
  SELECT extract(year FROM p.played_on)::integer AS year, p.tracklist_id, p.song_id,
         p.played_on = min(p.played_on) OVER (PARTITION BY p.song_id) AS is_new
    FROM plays AS p
   WHERE p.dj_id = (SELECT find_dj(%(dj)s)) AND p.song_id IS NOT NULL AND p.played_on IS NOT NULL
)
SELECT year, count(DISTINCT tracklist_id) AS tracklists, count(*) AS plays, count(DISTINCT song_id) AS songs,
       round(100.0 * count(*) FILTER (WHERE is_new) / count(*)) AS new_percent
  FROM played
 GROUP BY year
 ORDER BY year
