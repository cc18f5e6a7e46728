-- A parameter of the vote: as it was fitted for the model by `recsys titles tune`, or else our default.
CREATE OR REPLACE FUNCTION vote_parameter(model bigint, name text) RETURNS double precision
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
  SELECT coalesce(
    (SELECT (m.config -> 'parameters' ->> vote_parameter.name)::double precision FROM model AS m
      WHERE m.id = vote_parameter.model),
    ('{"titles": 100, "temperature": 0.2, "smoothing": 0.3, "heard": 500, "artist": 1.0, "spelling": 0.8}'::jsonb
      ->> vote_parameter.name)::double precision)
$$;
