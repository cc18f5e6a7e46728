-- The songs that a list may be made of, with their clusters, under a tracklist model: those that the list begins with, and
-- the `n` of the highest seed_score * user_score ^ log2(1 + user_weight) that may appear (MODELS C6, point 1).
-- Clusters are as in `song_membership`.
--
-- seed_score = 1 + cosine(song, seeds), 0 to 2; seeds are songs with weights, 1 each where none are given, and their vector
-- is the weighted mean. user_score = 1.1 * (1 + cosine(song, user)), 0 to 2.2; the user is a DJ, or the weighted mean of
-- liked songs, or nobody, and then NULL. Songs and artists (in any role) that are excluded are none of those n, and acapellas
-- are left out of them, unless the list begins with them. Songs that the model does not know count for nothing.
--
-- Each vector is compared, as the order is of two scores. What follows is looked up row by row: the planner takes the rows
-- of a LIMIT of a parameter for many, and would read whole tables.
CREATE OR REPLACE FUNCTION generator_candidates(
  beginning bigint[], seeds bigint[] DEFAULT NULL, seed_weights double precision[] DEFAULT NULL, dj bigint DEFAULT NULL,
  liked bigint[] DEFAULT NULL, liked_weights double precision[] DEFAULT NULL, user_weight double precision DEFAULT 1,
  n integer DEFAULT 1000, exclude_songs bigint[] DEFAULT '{}', exclude_artists bigint[] DEFAULT '{}',
  model bigint DEFAULT NULL
)
RETURNS TABLE (
  song_id bigint, seed_score double precision, user_score double precision, clusters integer[], probabilities real[]
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1000
SET search_path FROM CURRENT
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  chosen bigint := coalesce(model, current_model('tracklist-model'));
  seed vector := mean_song(chosen, coalesce(seeds, beginning), seed_weights);
  listener vector := CASE
    WHEN dj IS NOT NULL THEN (SELECT e.embedding FROM dj_embedding AS e WHERE e.model_id = chosen AND e.dj_id = dj)
    WHEN liked IS NOT NULL THEN mean_song(chosen, liked, liked_weights) END;
  weight double precision := log(2, (1 + greatest(user_weight, 0))::numeric);
BEGIN
  IF seed IS NULL THEN
    RAISE EXCEPTION 'the model % knows none of the seed songs', chosen USING ERRCODE = 'undefined_object';
  END IF;
  IF listener IS NULL AND (dj IS NOT NULL OR liked IS NOT NULL) THEN
    RAISE EXCEPTION 'the model % knows neither the DJ nor any of the liked songs', chosen USING ERRCODE = 'undefined_object';
  END IF;
  beginning := coalesce(beginning, '{}');
  exclude_songs := array_remove(coalesce(exclude_songs, '{}'), NULL)
                   || ARRAY(SELECT sa.song_id FROM song_artist AS sa WHERE sa.artist_id = ANY (exclude_artists));
  RETURN QUERY
    WITH best AS MATERIALIZED (
      SELECT e.song_id, 1 - (e.embedding <#> seed) AS seed_score, 1.1 * (1 - (e.embedding <#> listener)) AS user_score
        FROM song_embedding AS e
       WHERE e.model_id = chosen AND e.song_id NOT IN (SELECT unnest(exclude_songs))
       ORDER BY (1 - (e.embedding <#> seed))
                * CASE WHEN listener IS NULL OR weight = 0 THEN 1
                       WHEN weight = 1 THEN 1 - (e.embedding <#> listener)
                       ELSE power(greatest(1 - (e.embedding <#> listener), 0), weight) END DESC,
                e.song_id
       LIMIT greatest(n, 0)
    ), given AS (
      SELECT e.song_id, 1 - (e.embedding <#> seed) AS seed_score, 1.1 * (1 - (e.embedding <#> listener)) AS user_score
        FROM song_embedding AS e
       WHERE e.model_id = chosen AND e.song_id = ANY (beginning)
    )
    SELECT b.song_id, b.seed_score, b.user_score, m.clusters, m.probabilities
      FROM best AS b JOIN song_membership AS m ON m.model_id = chosen AND m.song_id = b.song_id
     WHERE NOT m.is_acapella AND b.song_id <> ALL (beginning)
     UNION ALL
    SELECT g.song_id, g.seed_score, g.user_score, m.clusters, m.probabilities
      FROM given AS g JOIN song_membership AS m ON m.model_id = chosen AND m.song_id = g.song_id;
END
$$;
