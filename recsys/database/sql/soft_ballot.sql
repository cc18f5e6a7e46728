-- Every track that is voted for: score = sum over voters of weight(voter) * weight(voter, track).
-- Rounded to single precision: the order in which a sum is added up shall not decide between equal tracks.
-- For `vote`, which sets the search path.
CREATE OR REPLACE FUNCTION soft_ballot(
  query vector, titles integer, temperature real, smoothing real, heard integer, model bigint, title text
)
RETURNS TABLE (track bigint, score double precision, voters bigint)
LANGUAGE sql STABLE
AS $$
  SELECT b.track::bigint, sum(b.weight)::real::double precision, count(*)
    FROM (SELECT unnest(v.track_ids) AS track, unnest(v.weights) * v.weight AS weight
            FROM voters(query, titles, temperature, smoothing, heard, model, title) AS v) AS b
   GROUP BY b.track
$$;
