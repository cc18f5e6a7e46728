-- The artist's or song's name (`kind`) that a title as a whole is nearly: of keys of the same first letter and about the
-- same length, in 20 playlists at least, the likest that shares as many trigrams with the title's key of n >= 6 letters
-- as one wrong letter leaves, (n - 2) of n + 4. For `named_artists` and `named_songs`, which have the search path.
-- Planned anew each time: a plan for any title would not use the index of trigrams.
CREATE OR REPLACE FUNCTION near_name(title text, model bigint, kind text)
RETURNS TABLE (key text, likeness real)
LANGUAGE plpgsql STABLE ROWS 1
AS $$
DECLARE
  asked text := plain_name_key(normal_title(title));
  letters integer := length(asked);
BEGIN
  IF letters >= 6 THEN
    RETURN QUERY EXECUTE format(
      'SELECT p.key, similarity(p.key, $1) FROM %I AS p'
      ' WHERE p.key %% $1 AND p.model_id = $2 AND p.playlists >= 20'
      ' AND left(p.key, 1) = left($1, 1) AND length(p.key) BETWEEN $3 - 1 AND $3 + 1'
      ' AND similarity(p.key, $1) > ($3 - 2) / ($3 + 4.0) - .001'
      ' ORDER BY 2 DESC, p.playlists DESC, 1 LIMIT 1',
      CASE kind WHEN 'artist' THEN 'artist_profile' ELSE 'song_profile' END) USING asked, model, letters;
  END IF;
END
$$;
