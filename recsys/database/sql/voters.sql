-- Who votes, with weights and the part of their profiles that is heard: the nearest titles, then the artists whom the
-- title names. For `vote`, `title_voters` and `explain_vote`, which set the search path.
--
-- A title's nearness = exp((similarity - best similarity) / temperature), its weight = nearness / playlists ^ smoothing
-- (MODELS A3: w(q, t) / n(t)^b), heard with its first heard * nearness tracks: what a faint voice says far down its
-- profile costs time and changes little (benchmarks/title_quality.py, "heard"). Similarity is the cosine of the
-- vectors, or the likeness in spelling (spelt_titles) where that is larger.
-- An artist's share is how far titles that name him mean him, times the part of the title's words that his name is;
-- what is left over of the whole is shared out among the titles, in proportion to their weights.
CREATE OR REPLACE FUNCTION voters(
  query vector, titles integer, temperature real, smoothing real, heard integer, model bigint, title text
)
RETURNS TABLE (
  title_id bigint, artist_id bigint, similarity real, playlists integer, weight double precision, track_ids integer[],
  weights real[]
)
LANGUAGE plpgsql STABLE ROWS 100
AS $$
#variable_conflict use_column
DECLARE
  k integer := coalesce(titles, vote_parameter(model, 'titles'));
  t double precision := coalesce(temperature, vote_parameter(model, 'temperature'));
  b double precision := coalesce(smoothing, vote_parameter(model, 'smoothing'));
  h double precision := coalesce(heard, vote_parameter(model, 'heard'));
  left_over double precision := 1;
BEGIN
  IF title IS NOT NULL THEN
    RETURN QUERY
      SELECT NULL::bigint, a.artist_id, a.similarity, a.playlists, a.share, a.track_ids, a.weights
        FROM named_artists(title, model) AS a;
    left_over := 1 - (SELECT coalesce(sum(a.share), 0) FROM named_artists(title, model) AS a);
  END IF;
  RETURN QUERY
    WITH found AS MATERIALIZED (
      SELECT f.title_id, max(f.similarity) AS similarity
        FROM (SELECT * FROM nearest_titles(query, k, model)
              UNION ALL
              SELECT * FROM spelt_titles(title, model) WHERE title IS NOT NULL) AS f
       GROUP BY f.title_id
    ), near AS MATERIALIZED (
      SELECT f.title_id, f.similarity, p.playlists, f.nearness / power(p.playlists, b) AS weight,
             p.track_ids[:ceil(h * f.nearness)] AS track_ids, p.weights[:ceil(h * f.nearness)] AS weights
        FROM (SELECT f.title_id, f.similarity,
                     exp(greatest((f.similarity - max(f.similarity) OVER ()) / t, -700)) AS nearness
                FROM found AS f) AS f
        JOIN title_profile AS p ON p.model_id = model AND p.title_id = f.title_id
    ), mass AS (
      SELECT sum(n.weight * (SELECT sum(w) FROM unnest(n.weights) AS w)) AS whole FROM near AS n
    )
    SELECT n.title_id, NULL::bigint, n.similarity, n.playlists, n.weight * left_over / nullif(mass.whole, 0),
           n.track_ids, n.weights
      FROM near AS n CROSS JOIN mass;
END
$$;
