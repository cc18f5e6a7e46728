-- Songs that were played for the first time since a day, most played first.
--
-- since date = null: the day; a month before the last tracklist where it is not given
-- n integer = 20: how many
WITH first AS (
  SELECT p.song_id, p.song, min(p.played_on) AS first_played, count(DISTINCT p.tracklist_id) AS tracklists,
         count(DISTINCT p.dj_id) AS djs
    FROM plays AS p
   WHERE p.song_id IS NOT NULL
   GROUP BY p.song_id, p.song
)
SELECT song, first_played, tracklists, djs
  FROM first
 WHERE first_played >= coalesce(%(since)s::date, (SELECT max(played_on) FROM tracklists) - interval '1 month')
 ORDER BY tracklists DESC, djs DESC, first_played, song_id
 LIMIT %(n)s
