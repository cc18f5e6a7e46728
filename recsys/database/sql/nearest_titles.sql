-- The titles nearest to a unit vector by cosine, best first, among those that vote in a recommender; ties by id.
--
-- Compared are the vectors of `vectors_of`. Up to 5,000 titles every vector is compared. Above that their HNSW index
-- answers, with ef_search well over the rows wanted (at pgvector's default of 40 at most 40 rows come back), going on
-- until enough of the titles found vote; should it bring fewer rows than asked for, every vector is compared after all. A
-- partial index cannot serve a parameter, so the statement is planned with the id of whose vectors they are.
CREATE OR REPLACE FUNCTION nearest_titles(query vector, k integer DEFAULT 50, model bigint DEFAULT NULL)
RETURNS TABLE (title_id bigint, similarity real)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100
SET search_path FROM CURRENT
AS $$
DECLARE
  chosen bigint := coalesce(model, current_model('title-recommender'));
  compared bigint := vectors_of(chosen);
  dimension integer := (SELECT m.dimension FROM model AS m WHERE m.id = compared);
  own_search text := current_setting('hnsw.ef_search', true);
  own_scan text := current_setting('hnsw.iterative_scan', true);
  ids bigint[];
  similarities real[];
BEGIN
  k := greatest(coalesce(k, 50), 0);
  IF query IS NULL THEN
    RAISE EXCEPTION 'there is no query vector: title_vector() of an unseen title is NULL'
      USING ERRCODE = 'null_value_not_allowed';
  ELSIF dimension IS NULL THEN
    RAISE EXCEPTION 'there is no title model %', chosen USING ERRCODE = 'undefined_object';
  ELSIF dimension <> vector_dims(query) THEN
    RAISE EXCEPTION 'title model % has % dimensions, the query has %', chosen, dimension, vector_dims(query)
      USING ERRCODE = 'data_exception';
  END IF;
  IF to_regclass(format('title_embedding_hnsw_%s', compared)) IS NOT NULL THEN
    PERFORM set_config('hnsw.ef_search', least(greatest(2 * k, 100), 1000)::text, true),
            set_config('hnsw.iterative_scan', 'strict_order', true);
    EXECUTE format(
      'SELECT array_agg(title_id), array_agg(similarity) FROM (SELECT e.title_id,'
      ' least(-(e.embedding::vector(%1$s) <#> $1), 1)::real AS similarity FROM title_embedding AS e'
      ' WHERE e.model_id = %2$s'
      ' AND EXISTS (SELECT FROM title_profile AS p WHERE p.model_id = %3$s AND p.title_id = e.title_id)'
      ' ORDER BY e.embedding::vector(%1$s) <#> $1 LIMIT $2) AS found', dimension, compared, chosen)
      INTO ids, similarities USING query, k;
    PERFORM set_config('hnsw.ef_search', coalesce(own_search, '40'), true),
            set_config('hnsw.iterative_scan', coalesce(own_scan, 'off'), true);
  END IF;
  IF coalesce(cardinality(ids), 0) >= k THEN
    RETURN QUERY SELECT unnest(ids), unnest(similarities);
  ELSE
    RETURN QUERY
      SELECT e.title_id, least(-(e.embedding <#> query), 1)::real
        FROM title_embedding AS e
       WHERE e.model_id = compared
         AND EXISTS (SELECT FROM title_profile AS p WHERE p.model_id = chosen AND p.title_id = e.title_id)
       ORDER BY e.embedding <#> query, e.title_id
       LIMIT greatest(k, 0);
  END IF;
END
$$;
