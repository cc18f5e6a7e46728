-- Who voted for each of some tracks: a title's, or a named artist's, share of the track's score, largest first.
CREATE OR REPLACE FUNCTION explain_vote(
  query vector, tracks bigint[], method text DEFAULT 'soft', titles integer DEFAULT NULL,
  temperature real DEFAULT NULL, smoothing real DEFAULT NULL, heard integer DEFAULT NULL, model bigint DEFAULT NULL,
  title_text text DEFAULT NULL
)
RETURNS TABLE (track_id bigint, title text, artist text, similarity real, share double precision)
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
  WITH chosen AS (SELECT coalesce(explain_vote.model, current_model('title-recommender')) AS id),
  voice AS (
    SELECT b.track, b.title_id, b.artist_id, b.similarity, b.weight
      FROM (SELECT unnest(v.track_ids)::bigint AS track, v.title_id, v.artist_id, v.similarity,
                   unnest(v.weights) * v.weight AS weight
              FROM chosen
              CROSS JOIN voters(query, titles, temperature, smoothing, heard, chosen.id, title_text) AS v
             WHERE method = 'soft') AS b
     WHERE b.track = ANY (tracks)
     UNION ALL
    SELECT pt.track_id, n.title_id, NULL, n.similarity, count(DISTINCT n.playlist_id)
      FROM chosen
      CROSS JOIN nearest_playlists(query, 50, chosen.id) AS n
      JOIN playlist_track AS pt USING (playlist_id)
     WHERE method = 'seed' AND pt.track_id = ANY (tracks)
     GROUP BY pt.track_id, n.title_id, n.similarity
  )
  SELECT v.track, t.name, a.name, v.similarity, v.weight / nullif(sum(v.weight) OVER (PARTITION BY v.track), 0)
    FROM voice AS v LEFT JOIN title AS t ON t.id = v.title_id LEFT JOIN artist AS a ON a.id = v.artist_id
   ORDER BY v.track, v.weight DESC, t.name, a.name
$$;
