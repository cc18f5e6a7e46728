-- The paper's vote: every track of the 50 nearest playlists, counted.
-- For `vote`, which sets the search path.
CREATE OR REPLACE FUNCTION seed_ballot(query vector, model bigint)
RETURNS TABLE (track bigint, score double precision, voters bigint)
LANGUAGE sql STABLE
AS $$
  SELECT pt.track_id, count(DISTINCT pt.playlist_id)::double precision, count(DISTINCT n.title_id)
    FROM nearest_playlists(query, 50, model) AS n JOIN playlist_track AS pt USING (playlist_id)
   GROUP BY pt.track_id
$$;
