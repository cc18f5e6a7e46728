-- Titles that most playlists carry.
--
-- n integer = 20: how many
SELECT title, playlists, entries, followers
  FROM title_stats
 ORDER BY playlists DESC, title
 LIMIT %(n)s
