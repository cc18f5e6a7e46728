-- Who votes, with weights and the part of their profiles that is heard: the nearest titles, then the artists whom the
-- title names. For `vote`, `title_voters` and `explain_vote`, which set the search path.
--
-- A title's nearness = exp((similarity - best similarity) / temperature), its weight = nearness / playlists ^ smoothing
-- (MODELS A3: w(q, t) / n(t)^b), heard with its first heard * nearness tracks: what a faint voice says far down its
-- profile costs time and changes little (benchmarks/title_quality.py, "heard"). Similarity is the cosine of the
-- vectors, or the likeness in spelling (spelt_titles) where that is larger; of a title that votes itself the spelling is
-- not asked, for its own voice is the loudest and no misspelling of another.
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
  fitted jsonb := vote_parameters(model);
  k integer := coalesce(titles, (fitted ->> 'titles')::integer);
  t double precision := coalesce(temperature, (fitted ->> 'temperature')::double precision);
  b double precision := coalesce(smoothing, (fitted ->> 'smoothing')::double precision);
  h double precision := coalesce(heard, (fitted ->> 'heard')::double precision);
  is_known boolean := EXISTS (SELECT FROM title AS n JOIN title_profile AS p ON p.title_id = n.id
                               WHERE n.name = normal_title(title) AND p.model_id = voters.model);
BEGIN
  RETURN QUERY
    WITH named AS MATERIALIZED (
      SELECT * FROM named_artists(title, model, (fitted ->> 'artist')::double precision) WHERE title IS NOT NULL
    ), found AS (
      SELECT f.title_id, max(f.similarity) AS similarity
        FROM (SELECT * FROM nearest_titles(query, k, model)
              UNION ALL
              SELECT * FROM spelt_titles(title, model, (fitted ->> 'spelling')::double precision)
               WHERE title IS NOT NULL AND NOT is_known) AS f
       GROUP BY f.title_id
    ), near AS MATERIALIZED (
      SELECT f.title_id, f.similarity, p.playlists, f.nearness / power(p.playlists, b) AS weight,
             p.track_ids[:ceil(h * f.nearness)] AS track_ids, p.weights[:ceil(h * f.nearness)] AS weights
        FROM (SELECT f.title_id, f.similarity,
                     exp(greatest((f.similarity - max(f.similarity) OVER ()) / t, -700)) AS nearness
                FROM found AS f) AS f
        JOIN title_profile AS p ON p.model_id = model AND p.title_id = f.title_id
    ), scale AS (
      SELECT (1 - coalesce((SELECT sum(a.share) FROM named AS a), 0))
             / nullif(sum(n.weight * (SELECT sum(w::double precision) FROM unnest(n.weights) AS w)), 0) AS factor
        FROM near AS n
    )
    SELECT NULL::bigint, a.artist_id, a.similarity, a.playlists, a.share, a.track_ids, a.weights FROM named AS a
     UNION ALL
    SELECT n.title_id, NULL, n.similarity, n.playlists, n.weight * scale.factor, n.track_ids, n.weights
      FROM near AS n CROSS JOIN scale;
END
$$;
