-- Which titles voted for each of some tracks: the title's share of the track's score, largest first.
CREATE OR REPLACE FUNCTION explain_vote(
  query vector, tracks bigint[], method text DEFAULT 'soft', titles integer DEFAULT 100,
  temperature real DEFAULT 0.2, smoothing real DEFAULT 0.3, heard integer DEFAULT 200, model bigint DEFAULT NULL
)
RETURNS TABLE (track_id bigint, title text, similarity real, share double precision)
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
  WITH chosen AS (SELECT coalesce(explain_vote.model, current_model('title-encoder')) AS id),
  voice AS (
    SELECT b.track, b.title_id, b.similarity, b.weight
      FROM (SELECT unnest(v.track_ids)::bigint AS track, v.title_id, v.similarity,
                   unnest(v.holders) * v.weight AS weight
              FROM chosen CROSS JOIN voters(query, titles, temperature, smoothing, heard, chosen.id) AS v
             WHERE method = 'soft') AS b
     WHERE b.track = ANY (tracks)
     UNION ALL
    SELECT pt.track_id, n.title_id, n.similarity, count(DISTINCT n.playlist_id)
      FROM chosen
      CROSS JOIN nearest_playlists(query, 50, chosen.id) AS n
      JOIN playlist_track AS pt USING (playlist_id)
     WHERE method = 'seed' AND pt.track_id = ANY (tracks)
     GROUP BY pt.track_id, n.title_id, n.similarity
  )
  SELECT v.track, t.name, v.similarity, v.weight / sum(v.weight) OVER (PARTITION BY v.track)
    FROM voice AS v JOIN title AS t ON t.id = v.title_id
   ORDER BY v.track, v.weight DESC, t.name
$$;
