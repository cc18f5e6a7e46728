-- The id of the artist of a name, case, accents and punctuation aside; an error that names the nearest ones where there is
-- none.
CREATE OR REPLACE FUNCTION find_artist(name text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  SELECT find_named('artist', find_artist.name)
$$;
