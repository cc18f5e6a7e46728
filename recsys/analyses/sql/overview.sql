-- What the catalogue holds.
SELECT 'playlists' AS what, count(*) AS count FROM playlists
 UNION ALL
SELECT 'their entries', count(*) FROM playlist_entries
 UNION ALL
SELECT 'their titles', count(*) FROM title_stats
 UNION ALL
SELECT 'tracklists', count(*) FROM tracklists
 UNION ALL
SELECT 'their entries', count(DISTINCT (tracklist_id, position)) FROM plays
 UNION ALL
SELECT 'DJs', count(DISTINCT dj_id) FROM plays
 UNION ALL
SELECT 'songs', count(*) FROM songs
 UNION ALL
SELECT 'tracks', count(*) FROM tracks
 UNION ALL
SELECT 'artists', count(*) FROM artist_stats
 UNION ALL
SELECT 'rejected records', count(*) FROM rejected_records
