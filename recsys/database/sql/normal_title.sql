-- A title as `title.name` keeps it: the same normalisation as `recsys.names.normal_title`.
--
-- What counts as a space, and the letters that Python lowers in another way, are named here: they are not left to the
-- locale of the database.
CREATE OR REPLACE FUNCTION normal_title(raw text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
  SELECT coalesce(
    nullif(btrim(regexp_replace(translate(spaced, '.,/#!$%^*;:{}=_`~()@', repeat(' ', 20)), ' +', ' ', 'g')), ''),
    btrim(regexp_replace(spaced, ' +', ' ', 'g')))
    FROM (SELECT translate(
                   lower(regexp_replace(replace(raw, 'İ', E'i\u0307'), '(?<=[[:alpha:]])Σ(?![[:alpha:]])', 'ς', 'g')),
                   E'\t\n\u000b\f\r\u001c\u001d\u001e\u001f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005'
                   '\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000', repeat(' ', 28))) AS t (spaced)
$$;
