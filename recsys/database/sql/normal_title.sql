-- A title as `title.name` keeps it: the same normalisation as `recsys.names.normal_title`.
CREATE FUNCTION normal_title(raw text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
  SELECT coalesce(
    nullif(btrim(regexp_replace(translate(lower(raw), '.,/#!$%^*;:{}=_`~()@', '                    '), '\s+', ' ', 'g')), ''),
    btrim(regexp_replace(lower(raw), '\s+', ' ', 'g')))
$$;
