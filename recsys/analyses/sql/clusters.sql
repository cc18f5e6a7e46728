-- The largest clusters of playlists, with the titles that they carry most often.
--
-- n integer = 20: how many
SELECT number AS cluster, playlists, round(exact_match::numeric, 1) AS exact_match_percent, top_titles AS titles
  FROM cluster_stats
 WHERE is_current
 ORDER BY playlists DESC, number
 LIMIT %(n)s
