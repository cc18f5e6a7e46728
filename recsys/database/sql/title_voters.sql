-- Who votes for a query vector: the nearest titles, softly weighted. `share` is a title's part of all weight, counted
-- over its playlists. See `voters` for the weight.
CREATE OR REPLACE FUNCTION title_voters(
  query vector, titles integer DEFAULT 100, temperature real DEFAULT 0.2, smoothing real DEFAULT 0.3,
  model bigint DEFAULT NULL
)
RETURNS TABLE (title_id bigint, similarity real, playlists integer, weight double precision, share double precision)
LANGUAGE sql STABLE ROWS 100
SET search_path FROM CURRENT
AS $$
  SELECT v.title_id, v.similarity, v.playlists, v.weight, v.weight * v.playlists / sum(v.weight * v.playlists) OVER ()
    FROM voters(query, titles, temperature, smoothing, 0, coalesce(model, current_model('title-encoder'))) AS v
   ORDER BY v.similarity DESC, v.title_id
$$;
