-- Artists whose songs stand in the same tracklists as an artist's, by the vectors of a tracklist model, best first; asked by
-- id or by name.
CREATE OR REPLACE FUNCTION similar_artists(artist bigint, n integer DEFAULT 10, model bigint DEFAULT NULL)
RETURNS TABLE (rank integer, artist_id bigint, name text, similarity real, tracklists integer)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  SELECT near.rank, near.id, a.name, near.similarity,
         (SELECT count(DISTINCT tt.tracklist_id)::integer
            FROM song_artist AS sa JOIN tracklist_track AS tt USING (song_id) WHERE sa.artist_id = near.id)
    FROM neighbours_of('artist', similar_artists.artist, n, model) AS near LEFT JOIN artist AS a ON a.id = near.id
   ORDER BY 1
$$;

CREATE OR REPLACE FUNCTION similar_artists(artist text, n integer DEFAULT 10, model bigint DEFAULT NULL)
RETURNS TABLE (rank integer, artist_id bigint, name text, similarity real, tracklists integer)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  SELECT * FROM similar_artists(find_artist(similar_artists.artist), n, model)
$$;
