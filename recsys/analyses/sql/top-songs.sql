-- Songs that stand in most playlists and tracklists, of everybody or of an artist.
--
-- artist text = null: whose songs
-- n integer = 20: how many
SELECT s.song, s.playlists, s.tracklists
  FROM songs AS s
 WHERE %(artist)s::text IS NULL
    OR s.song_id IN (SELECT c.song_id FROM credits AS c WHERE c.artist_id = (SELECT find_artist(%(artist)s)))
 ORDER BY s.playlists + s.tracklists DESC, s.song_id
 LIMIT %(n)s
