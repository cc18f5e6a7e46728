-- Who voted for each of some tracks, largest share of the track's score first. `kind` is title, artist or song, which the
-- title names, or learned, of the nearest title (see `voters`).
CREATE OR REPLACE FUNCTION explain_vote(
  query vector, tracks bigint[], method text DEFAULT 'soft', titles integer DEFAULT NULL,
  temperature real DEFAULT NULL, smoothing real DEFAULT NULL, heard integer DEFAULT NULL, model bigint DEFAULT NULL,
  title_text text DEFAULT NULL
)
RETURNS TABLE (track_id bigint, kind text, name text, similarity real, share double precision)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  WITH chosen AS (SELECT coalesce(explain_vote.model, current_model('title-recommender')) AS id),
  voice AS (
    SELECT b.track, b.kind, b.title_id, b.artist_id, b.song_id, b.similarity, b.weight
      FROM (SELECT unnest(v.track_ids)::bigint AS track, v.kind, v.title_id, v.artist_id, v.song_id, v.similarity,
                   unnest(v.weights) * v.weight AS weight
              FROM chosen
              CROSS JOIN voters(query, titles, temperature, smoothing, heard, chosen.id, title_text) AS v
             WHERE method = 'soft') AS b
     WHERE b.track = ANY (tracks)
     UNION ALL
    SELECT pt.track_id, 'title', n.title_id, NULL, NULL, n.similarity, count(DISTINCT n.playlist_id)
      FROM chosen
      CROSS JOIN nearest_playlists(query, 50, chosen.id) AS n
      JOIN playlist_track AS pt USING (playlist_id)
     WHERE method = 'seed' AND pt.track_id = ANY (tracks)
     GROUP BY pt.track_id, n.title_id, n.similarity
  )
  SELECT v.track, v.kind, coalesce(t.name, a.name, s.title), v.similarity,
         v.weight / nullif(sum(v.weight) OVER (PARTITION BY v.track), 0)
    FROM voice AS v LEFT JOIN title AS t ON t.id = v.title_id LEFT JOIN artist AS a ON a.id = v.artist_id
         LEFT JOIN song AS s ON s.id = v.song_id
   ORDER BY v.track, v.weight DESC, v.kind, 3
$$;
