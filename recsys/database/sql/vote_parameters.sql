-- The parameters of a recommender's vote: as they were fitted by `recsys titles tune`, or else our defaults.
CREATE OR REPLACE FUNCTION vote_parameters(model bigint) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
  SELECT '{"titles": 20, "temperature": 0.15, "smoothing": 0.0, "heard": 1000, "learned": 0.2, "artist": 3.0, "song": 0.5, "spelling": 1.0}'::jsonb
         || coalesce((SELECT m.config -> 'parameters' FROM model AS m WHERE m.id = vote_parameters.model), '{}')
$$;
