-- The id of the song that a URI, "Artist - Title", "Artist - Title (Version)" or a title alone means, case aside; an error
-- that names those that are meant or nearest where it is not one.
CREATE OR REPLACE FUNCTION find_song(name text) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  asked text := lower(find_song.name);
  found bigint[] := ARRAY(SELECT t.song_id FROM track AS t WHERE t.uri = find_song.name);
  listed text;
BEGIN
  IF found = '{}' THEN
    found := ARRAY(SELECT s.song_id FROM songs AS s WHERE lower(s.song) = asked ORDER BY s.playlists + s.tracklists DESC, 1
                    LIMIT 1);
  END IF;
  IF found = '{}' THEN
    found := ARRAY(SELECT s.song_id FROM songs AS s WHERE lower(s.title) = asked
                    ORDER BY s.playlists + s.tracklists DESC, 1 LIMIT 6);
  END IF;
  IF cardinality(found) = 1 THEN
    RETURN found[1];
  END IF;
  SELECT string_agg('"' || a.song || '"', ', ') INTO listed
    FROM (SELECT s.song FROM songs AS s
           WHERE found = '{}' OR s.song_id = ANY (found)
           ORDER BY array_position(found, s.song_id), similarity(s.song, find_song.name) DESC, s.song_id
           LIMIT CASE found WHEN '{}' THEN 3 ELSE 6 END) AS a;
  IF found = '{}' THEN
    RAISE EXCEPTION 'no song is called "%"%', find_song.name, coalesce('; the nearest are: ' || listed, '')
      USING ERRCODE = 'undefined_object';
  END IF;
  RAISE EXCEPTION 'several songs are called "%", name one: %', find_song.name, listed USING ERRCODE = 'undefined_object';
END
$$;
