-- Who votes, with weights and the part of their profiles that is heard: the artists whom the title names, or else the
-- songs, what was learned of the nearest title (in recommenders that were adapted), and the nearest titles. For `vote`,
-- `title_voters` and `explain_vote`, which set the search path.
--
-- A title's nearness = exp((similarity - best similarity) / temperature), its weight = nearness / playlists ^ smoothing
-- (MODELS A3: w(q, t) / n(t)^b), heard with its first heard * nearness tracks: what a faint voice says far down its
-- profile costs time and changes little (benchmarks/title_quality.py, "heard"). Similarity is the cosine of the
-- vectors, or the likeness in spelling (spelt_titles) where that is larger; of a title that votes itself the spelling is
-- not asked, for its own voice is the loudest and no misspelling of another.
-- An artist's share is how far titles that name him mean him, times the part of the title's words that his name is; the
-- songs' how often playlists of their name hold them. Names are read tolerantly where the title is not known. Of what is
-- left over, the tracks that the adapter expects in playlists of the nearest title, which is the title itself where it
-- is known, have `learned` times their probability; the rest is shared out among the titles, by their weights.
CREATE OR REPLACE FUNCTION voters(
  query vector, titles integer, temperature real, smoothing real, heard integer, model bigint, title text
)
RETURNS TABLE (
  kind text, title_id bigint, artist_id bigint, song_id bigint, similarity real, playlists integer,
  weight double precision, track_ids integer[], weights real[]
)
LANGUAGE plpgsql STABLE ROWS 100
AS $$
#variable_conflict use_column
DECLARE
  fitted jsonb := vote_parameters(model);
  k integer := coalesce(titles, (fitted ->> 'titles')::integer);
  t double precision := coalesce(temperature, (fitted ->> 'temperature')::double precision);
  b double precision := coalesce(smoothing, (fitted ->> 'smoothing')::double precision);
  l double precision := (fitted ->> 'learned')::double precision;
  h double precision := coalesce(heard, (fitted ->> 'heard')::double precision);
  is_known boolean := EXISTS (SELECT FROM title AS n JOIN title_profile AS p ON p.title_id = n.id
                               WHERE n.name = normal_title(title) AND p.model_id = voters.model);
BEGIN
  RETURN QUERY
    WITH named AS MATERIALIZED (
      SELECT 'artist' AS kind, a.artist_id, NULL::bigint AS song_id, a.similarity, a.playlists, a.share, a.track_ids,
             a.weights
        FROM named_artists(title, model, (fitted ->> 'artist')::double precision, NOT is_known) AS a
       WHERE title IS NOT NULL
    ), called AS MATERIALIZED (
      SELECT * FROM named
       UNION ALL
      SELECT 'song', NULL, s.song_id, s.similarity, s.playlists, s.share, s.track_ids, s.weights
        FROM named_songs(title, model, (fitted ->> 'song')::double precision, NOT is_known) AS s
       WHERE title IS NOT NULL AND NOT EXISTS (SELECT FROM named)
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
    ), unnamed AS MATERIALIZED (
      SELECT 1 - coalesce(sum(c.share), 0) AS share FROM called AS c
    ), expected AS MATERIALIZED (
      SELECT n.title_id, n.similarity, n.playlists, l * u.share AS weight, p.track_ids, p.weights
        FROM unnamed AS u
        CROSS JOIN (SELECT * FROM near AS n ORDER BY n.similarity DESC, n.title_id LIMIT 1) AS n
        JOIN learned_profile AS p ON p.model_id = voters.model AND p.title_id = n.title_id
       WHERE l > 0
    ), scale AS (
      SELECT ((SELECT u.share FROM unnamed AS u)
              - coalesce((SELECT sum(e.weight * w) FROM expected AS e, unnest(e.weights) AS w), 0))
             / nullif(sum(n.weight * (SELECT sum(w::double precision) FROM unnest(n.weights) AS w)), 0) AS factor
        FROM near AS n
    )
    SELECT c.kind, NULL::bigint, c.artist_id, c.song_id, c.similarity, c.playlists, c.share, c.track_ids, c.weights
      FROM called AS c
     UNION ALL
    SELECT 'learned', e.title_id, NULL, NULL, e.similarity, e.playlists, e.weight, e.track_ids, e.weights
      FROM expected AS e
     UNION ALL
    SELECT 'title', n.title_id, NULL, NULL, n.similarity, n.playlists, n.weight * scale.factor, n.track_ids, n.weights
      FROM near AS n CROSS JOIN scale;
END
$$;
