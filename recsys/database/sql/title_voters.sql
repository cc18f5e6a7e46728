-- Who votes for a query vector, and with what weight: the nearest titles, softly weighted.
--
-- weight = exp((similarity - best similarity) / temperature) / playlists ^ smoothing (MODELS A3: w(q, t) / n(t)^b);
-- `share` is the title's part of all weight.
CREATE FUNCTION title_voters(
  query vector, titles integer DEFAULT 100, temperature real DEFAULT 0.1, smoothing real DEFAULT 0.3,
  model bigint DEFAULT NULL
)
RETURNS TABLE (title_id bigint, similarity real, playlists integer, weight double precision, share double precision)
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
  SELECT w.title_id, w.similarity, w.playlists, w.weight,
         w.weight * w.playlists / sum(w.weight * w.playlists) OVER ()
    FROM (SELECT n.title_id, n.similarity, p.playlists,
                 exp((n.similarity - max(n.similarity) OVER ()) / temperature) / power(p.playlists, smoothing) AS weight
            FROM nearest_titles(query, titles, model) AS n
            JOIN title_profile AS p
              ON p.model_id = coalesce(model, current_model('title-encoder')) AND p.title_id = n.title_id) AS w
   ORDER BY w.similarity DESC, w.title_id
$$;
