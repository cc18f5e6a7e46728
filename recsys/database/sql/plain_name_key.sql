-- The key of a name as recsys.names makes it, for most names of letters with or without accents, digits, & and +; it knows
-- neither the letters that recsys.names spells out (ø, æ, ł, ß, ..) nor what stands for a word or letter ("n", $, !).
CREATE OR REPLACE FUNCTION plain_name_key(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT regexp_replace(
           regexp_replace(
             regexp_replace(regexp_replace(lower(normalize(name, NFKD)), '[\u0300-\u036f]', '', 'g'), '[&+]', 'and', 'g'),
             '^the (?=.)', ''),
           '[^[:alnum:]]', '', 'g')
$$;
