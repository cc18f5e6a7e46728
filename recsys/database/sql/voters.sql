-- The nearest titles with their voices: weights and the part of their profiles that is heard. For `vote`, `title_voters`
-- and `explain_vote`, which set the search path; kept free of SET so that the planner can fold it in.
--
-- nearness = exp((similarity - best similarity) / temperature), weight = nearness / playlists ^ smoothing (MODELS A3:
-- w(q, t) / n(t)^b). A title is heard with its first 200 * nearness tracks: what a faint voice says far down its profile
-- costs time and changes little.
CREATE FUNCTION voters(query vector, titles integer, temperature real, smoothing real, model bigint)
RETURNS TABLE (
  title_id bigint, similarity real, playlists integer, weight double precision, track_ids integer[], holders real[]
)
LANGUAGE sql STABLE ROWS 100
AS $$
  SELECT n.title_id, n.similarity, p.playlists, n.nearness / power(p.playlists, smoothing),
         p.track_ids[:ceil(200 * n.nearness)], p.weights[:ceil(200 * n.nearness)]
    FROM (SELECT f.title_id, f.similarity, exp((f.similarity - max(f.similarity) OVER ()) / temperature) AS nearness
            FROM nearest_titles(query, titles, model) AS f) AS n
    JOIN title_profile AS p ON p.model_id = model AND p.title_id = n.title_id
$$;
