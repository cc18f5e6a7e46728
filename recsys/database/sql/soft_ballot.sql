-- Every track that the nearest titles vote for: score = sum over titles of weight(title) * n(title, track).
-- For `vote`, which sets the search path; kept free of SET so that the planner can fold it in.
CREATE FUNCTION soft_ballot(query vector, titles integer, temperature real, smoothing real, model bigint)
RETURNS TABLE (track bigint, score double precision, voters bigint)
LANGUAGE sql STABLE
AS $$
  SELECT b.track, sum(b.weight), count(*)
    FROM (SELECT unnest(p.track_ids)::bigint AS track, unnest(p.weights) * v.weight AS weight
            FROM title_voters(query, titles, temperature, smoothing, model) AS v
            JOIN title_profile AS p ON p.model_id = model AND p.title_id = v.title_id) AS b
   GROUP BY b.track
$$;
