-- The most played clusters of songs, of the tracklist model that answers.
--
-- level integer = 2: 0 for the smallest clusters, 2 for the largest
-- n integer = 20: how many
SELECT c.cluster, c.songs, c.plays, c.top_artists AS artists
  FROM song_cluster_stats AS c JOIN models AS m ON m.model_id = c.model_id AND m.is_current
 WHERE c.level = %(level)s
 ORDER BY c.plays DESC, c.cluster
 LIMIT %(n)s
