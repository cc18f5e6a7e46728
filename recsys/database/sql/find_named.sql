-- The id of the artist or DJ (`kind`) of a name, case, accents and punctuation aside; an error that names the nearest ones
-- where there is none. For `find_artist` and `find_dj`, which set the search path.
CREATE OR REPLACE FUNCTION find_named(kind text, asked text) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT
AS $$
DECLARE
  found bigint;
  nearest text;
BEGIN
  EXECUTE format(
    'SELECT n.id FROM %I AS n WHERE n.key = plain_name_key($1) OR lower(n.name) = lower($1)'
    ' ORDER BY lower(n.name) = lower($1) DESC, n.id LIMIT 1', lower(kind)) INTO found USING asked;
  IF found IS NULL THEN
    EXECUTE format(
      'SELECT string_agg($2 || a.name || $2, $3) FROM (SELECT n.name FROM %I AS n'
      ' ORDER BY similarity(n.name, $1) DESC, n.id LIMIT 3) AS a', lower(kind)) INTO nearest USING asked, '"', ', ';
    RAISE EXCEPTION 'no % is called "%"%', kind, asked, coalesce('; the nearest are: ' || nearest, '')
      USING ERRCODE = 'undefined_object';
  END IF;
  RETURN found;
END
$$;
