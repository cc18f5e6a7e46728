-- Whether a song is a voice alone, as its version or the end of its title says; a title that begins so is a song's name.
CREATE OR REPLACE FUNCTION is_acapella(title text, version text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT coalesce(version, '') ~* '\ma[ ''’]?[ck]+ap+el+as?\M|\macc?ap+(el+)?\M'
         OR title ~* '\S.*(\ma[ ''’]?[ck]+ap+el+as?\M|\macc?ap+(el+)?\M)'
$$;
