-- Artists whose songs stand in most playlists and tracklists.
--
-- n integer = 20: how many
SELECT name AS artist, songs, entries AS in_playlists, plays AS in_tracklists
  FROM artist_stats
 ORDER BY entries + plays DESC, artist_id
 LIMIT %(n)s
