-- Tracks that stand in most playlists.
--
-- n integer = 20: how many
SELECT artist, title, playlists, uri
  FROM tracks
 ORDER BY playlists DESC, track_id
 LIMIT %(n)s
