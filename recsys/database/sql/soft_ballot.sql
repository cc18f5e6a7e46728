-- Every track that the nearest titles vote for: score = sum over titles of weight(title) * n(title, track).
-- Rounded to single precision: the order in which a sum is added up shall not decide between equal tracks.
-- For `vote`, which sets the search path.
CREATE OR REPLACE FUNCTION soft_ballot(
  query vector, titles integer, temperature real, smoothing real, heard integer, model bigint
)
RETURNS TABLE (track bigint, score double precision, voters bigint)
LANGUAGE sql STABLE
AS $$
  SELECT b.track::bigint, sum(b.weight)::real::double precision, count(*)
    FROM (SELECT unnest(v.track_ids) AS track, unnest(v.holders) * v.weight AS weight
            FROM voters(query, titles, temperature, smoothing, heard, model) AS v) AS b
   GROUP BY b.track
$$;
