-- The nearest titles with their voices: weights and the part of their profiles that is heard. For `vote`,
-- `title_voters` and `explain_vote`, which set the search path; kept free of SET so that the planner can fold it in.
--
-- nearness = exp((similarity - best similarity) / temperature), weight = nearness / playlists ^ smoothing (MODELS A3:
-- w(q, t) / n(t)^b). A title is heard with its first heard * nearness tracks: what a faint voice says far down its
-- profile costs time and changes little (benchmarks/title_quality.py, "heard").
CREATE OR REPLACE FUNCTION voters(
  query vector, titles integer, temperature real, smoothing real, heard integer, model bigint
)
RETURNS TABLE (
  title_id bigint, similarity real, playlists integer, weight double precision, track_ids integer[], holders real[]
)
LANGUAGE sql STABLE ROWS 100
AS $$
  SELECT n.title_id, n.similarity, n.playlists, n.nearness / power(n.playlists, smoothing),
         n.track_ids[:ceil(heard * n.nearness)], n.weights[:ceil(heard * n.nearness)]
    FROM (SELECT f.title_id, f.similarity, p.playlists, p.track_ids, p.weights,
                 exp(greatest((f.similarity - max(f.similarity) OVER ()) / temperature::double precision, -700))
                   AS nearness
            FROM nearest_titles(query, titles, model) AS f
            JOIN title_profile AS p ON p.model_id = model AND p.title_id = f.title_id) AS n
$$;
