-- Who votes for a query vector, by `kind`: the artists or songs that `title_text` names where it is given, what was learned
-- of the nearest title, and the nearest titles. `share` is a voter's part of all votes. See `voters` for the weights.
CREATE OR REPLACE FUNCTION title_voters(
  query vector, titles integer DEFAULT NULL, temperature real DEFAULT NULL, smoothing real DEFAULT NULL,
  model bigint DEFAULT NULL, title_text text DEFAULT NULL
)
RETURNS TABLE (
  kind text, title_id bigint, artist_id bigint, song_id bigint, similarity real, playlists integer, weight double precision,
  share double precision
)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 100
SET search_path FROM CURRENT
AS $$
  SELECT v.kind, v.title_id, v.artist_id, v.song_id, v.similarity, v.playlists, v.weight,
         v.weight * (SELECT sum(w::double precision) FROM unnest(v.weights) AS w)
    FROM voters(query, titles, temperature, smoothing, NULL, coalesce(model, current_model('title-recommender')),
                title_text) AS v
   ORDER BY v.kind, v.similarity DESC, v.title_id
$$;
