-- Tracks for a title that is already known; no rows for an unseen one, which must be embedded first.
CREATE OR REPLACE FUNCTION recommend_for_title(title text, n integer DEFAULT 10)
RETURNS TABLE (
  rank integer, track_id bigint, song_id bigint, title text, version text, artist text, uri text, duration_ms integer,
  score double precision, voters integer
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  SELECT v.* FROM title_vector(normal_title($1)) AS q, LATERAL vote(q, $2, title_text => $1) AS v WHERE q IS NOT NULL
$$;
