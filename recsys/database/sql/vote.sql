-- Tracks for a query vector, best first, ties by the track's id.
--
-- method 'soft': the nearest titles vote with their profiles, and the artists whom `title_text` names with theirs, a song
-- once, as its most held track (soft_ballot): scores are shares of all votes;
-- method 'seed': the tracks of the 50 nearest playlists are counted, as the paper does (seed_ballot).
-- What is not given is as it was fitted by `recsys titles tune` (the model's parameters), or else our default.
-- Filters act before the cut: songs and artists (in any role) that must not appear, and at most `max_per_artist`
-- songs of one main artist.
CREATE OR REPLACE FUNCTION vote(
  query vector, n integer DEFAULT 10, method text DEFAULT 'soft', titles integer DEFAULT NULL,
  temperature real DEFAULT NULL, smoothing real DEFAULT NULL, heard integer DEFAULT NULL,
  exclude_songs bigint[] DEFAULT '{}', exclude_artists bigint[] DEFAULT '{}', max_per_artist integer DEFAULT NULL,
  model bigint DEFAULT NULL, title_text text DEFAULT NULL
)
RETURNS TABLE (
  rank integer, track_id bigint, song_id bigint, title text, version text, artist text, uri text, duration_ms integer,
  score double precision, voters integer
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  chosen bigint := coalesce(model, current_model('title-recommender'));
  has_exclusions boolean;
BEGIN
  IF method IS NULL OR method NOT IN ('soft', 'seed') THEN
    RAISE EXCEPTION 'no vote is called %: there are soft and seed', coalesce(method, 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF temperature <= 0 THEN
    RAISE EXCEPTION 'the temperature must be above 0, not %', temperature USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF NOT EXISTS (SELECT FROM model AS m WHERE m.id = chosen AND m.kind = 'title-recommender') THEN
    RAISE EXCEPTION 'there is no title model %', chosen USING ERRCODE = 'undefined_object';
  END IF;
  n := greatest(coalesce(n, 10), 0);
  exclude_songs := array_remove(coalesce(exclude_songs, '{}'), NULL);
  exclude_artists := array_remove(coalesce(exclude_artists, '{}'), NULL);
  has_exclusions := cardinality(exclude_songs) + cardinality(exclude_artists) > 0;
  RETURN QUERY
  WITH ballot AS MATERIALIZED (
    SELECT b.track, b.score, b.voters
      FROM (SELECT * FROM soft_ballot(query, titles, temperature, smoothing, heard, chosen, title_text)
             WHERE method = 'soft'
            UNION ALL
            SELECT * FROM seed_ballot(query, chosen) WHERE method = 'seed') AS b
     WHERE NOT has_exclusions
        OR EXISTS (SELECT FROM track AS t
                    WHERE t.id = b.track AND t.song_id NOT IN (SELECT unnest(exclude_songs))
                      AND NOT EXISTS (SELECT FROM song_artist AS sa
                                       WHERE sa.song_id = t.song_id AND sa.artist_id = ANY (exclude_artists)))
  ), winner AS (
    SELECT b.track, b.score, b.voters
      FROM ballot AS b
     WHERE max_per_artist IS NULL
        OR b.track NOT IN (
             SELECT place.track
               FROM (SELECT c.track, row_number() OVER (PARTITION BY sa.artist_id ORDER BY c.score DESC, c.track) AS nth
                       FROM ballot AS c
                       JOIN track AS t ON t.id = c.track
                       JOIN song_artist AS sa ON sa.song_id = t.song_id AND sa.role = 'main') AS place
              WHERE place.nth > max_per_artist)
     ORDER BY b.score DESC, b.track
     LIMIT greatest(n, 0)
  )
  SELECT row_number() OVER (ORDER BY w.score DESC, w.track)::integer, w.track, t.song_id, s.title, s.version, s.artist,
         t.uri, t.duration_ms, w.score, w.voters::integer
    FROM winner AS w JOIN track AS t ON t.id = w.track JOIN song AS s ON s.id = t.song_id
   ORDER BY w.score DESC, w.track;
END
$$;
