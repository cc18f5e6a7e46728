-- Artists whose share of all plays rose most from one year to another, in points of a percent.
--
-- earlier integer: the first year
-- later integer: the second year
-- least integer = 10: plays in both years together, at least
-- n integer = 20: how many
WITH played AS (
  SELECT DISTINCT p.tracklist_id, p.position, p.song_id, extract(year FROM p.played_on) = %(later)s AS is_later
    FROM plays AS p
   WHERE p.song_id IS NOT NULL AND extract(year FROM p.played_on) IN (%(earlier)s, %(later)s)
), total AS (
  SELECT count(*) FILTER (WHERE NOT is_later) AS earlier, count(*) FILTER (WHERE is_later) AS later FROM played
), counted AS (
  SELECT c.artist_id, c.artist, count(*) FILTER (WHERE NOT p.is_later) AS earlier,
         count(*) FILTER (WHERE p.is_later) AS later
    FROM played AS p JOIN credits AS c USING (song_id)
   WHERE c.role <> 'remixer'
   GROUP BY c.artist_id, c.artist
)
SELECT c.artist, c.earlier AS plays_before, c.later AS plays_after,
       round(100.0 * c.later / t.later - 100.0 * c.earlier / t.earlier, 3) AS points
  FROM counted AS c CROSS JOIN total AS t
 WHERE c.earlier + c.later >= %(least)s AND t.earlier > 0 AND t.later > 0
 ORDER BY points DESC, c.artist_id
 LIMIT %(n)s
