-- Whose vectors a recommender compares titles by: its own where it has adapted them (`adapter` in its configuration), or
-- else those of its encoder; NULL for what is no recommender. For functions that set the search path.
CREATE OR REPLACE FUNCTION vectors_of(recommender bigint) RETURNS bigint
LANGUAGE sql STABLE
AS $$
  SELECT CASE WHEN m.config ? 'adapter' THEN m.id ELSE (m.config ->> 'encoder')::bigint END
    FROM model AS m
   WHERE m.id = recommender AND m.kind = 'title-recommender'
$$;
