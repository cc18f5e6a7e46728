-- What is nearest to a unit vector by cosine under a tracklist model, best first; ties by id.
--
-- kind: 'song' (in one space with 'dj'), 'likeness' (songs by songs), 'artist' or 'dj'. Up to 5,000 rows every vector is
-- compared, above that an HNSW index answers, with ef_search over the rows wanted. A partial index cannot serve a
-- parameter, so the statement is planned with the model's id.
CREATE OR REPLACE FUNCTION nearest_embedded(kind text, query vector, k integer DEFAULT 10, model bigint DEFAULT NULL)
RETURNS TABLE (id bigint, similarity real)
LANGUAGE plpgsql STABLE ROWS 100
SET search_path FROM CURRENT
AS $$
DECLARE
  chosen bigint := coalesce(model, current_model('tracklist-recommender'));
  embedded text := CASE kind
    WHEN 'song' THEN 'song_embedding' WHEN 'likeness' THEN 'song_likeness'
    WHEN 'artist' THEN 'artist_embedding' WHEN 'dj' THEN 'dj_embedding' END;
  own_search text := current_setting('hnsw.ef_search', true);
  own_scan text := current_setting('hnsw.iterative_scan', true);
BEGIN
  k := greatest(coalesce(k, 10), 0);
  IF embedded IS NULL THEN
    RAISE EXCEPTION '% is not embedded: song, likeness, artist and dj are', kind USING ERRCODE = 'undefined_object';
  END IF;
  PERFORM set_config('hnsw.ef_search', least(greatest(2 * k, 100), 1000)::text, true),
          set_config('hnsw.iterative_scan', 'strict_order', true);
  RETURN QUERY EXECUTE format(
    'SELECT found.id, least(found.similarity, 1)::real FROM (SELECT e.%1$I AS id,'
    ' -(e.embedding::vector(%2$s) <#> $1) AS similarity FROM %3$I AS e WHERE e.model_id = %4$s'
    ' ORDER BY e.embedding::vector(%2$s) <#> $1 LIMIT $2) AS found ORDER BY found.similarity DESC, found.id',
    CASE kind WHEN 'artist' THEN 'artist_id' WHEN 'dj' THEN 'dj_id' ELSE 'song_id' END,
    vector_dims(query), embedded, chosen) USING query, k;
  PERFORM set_config('hnsw.ef_search', coalesce(own_search, '40'), true),
          set_config('hnsw.iterative_scan', coalesce(own_scan, 'off'), true);
END
$$;
