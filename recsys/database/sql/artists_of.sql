-- The artists of a song by their names, as it credits them: main ones, then featured ones; who remixed it is none.
CREATE OR REPLACE FUNCTION artists_of(song bigint) RETURNS text[]
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
  SELECT ARRAY(
    SELECT a.name
      FROM song AS s JOIN song_artist AS sa ON sa.song_id = s.id JOIN artist AS a ON a.id = sa.artist_id
     WHERE s.id = artists_of.song AND sa.role <> 'remixer'
     ORDER BY sa.role = 'featured', strpos(s.artist, a.name), a.id
  )
$$;
