-- The key of a name as recsys.names makes it, for names of letters with or without accents, digits, & and +.
CREATE OR REPLACE FUNCTION plain_name_key(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT regexp_replace(
           regexp_replace(
             regexp_replace(regexp_replace(lower(normalize(name, NFKD)), '[\u0300-\u036f]', '', 'g'), '[&+]', 'and', 'g'),
             '^the (?=.)', ''),
           '[^[:alnum:]]', '', 'g')
$$;
