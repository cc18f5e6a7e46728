-- Artists whose songs stand in the same tracklists as an artist's, by the vectors of a tracklist model, best first.
CREATE OR REPLACE FUNCTION similar_artists(artist bigint, n integer DEFAULT 10, model bigint DEFAULT NULL)
RETURNS TABLE (rank integer, artist_id bigint, name text, similarity real, tracklists integer)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  chosen bigint := coalesce(model, current_model('tracklist-recommender'));
BEGIN
  RETURN QUERY
    WITH near AS (
      SELECT f.id, f.similarity
        FROM artist_embedding AS e
       CROSS JOIN LATERAL nearest_embedded('artist', e.embedding, greatest(n, 0) + 1, chosen) AS f
       WHERE e.model_id = chosen AND e.artist_id = similar_artists.artist AND f.id <> similar_artists.artist
    )
    SELECT (row_number() OVER (ORDER BY near.similarity DESC, near.id))::integer, near.id, a.name, near.similarity,
           (SELECT count(DISTINCT tt.tracklist_id)::integer
              FROM song_artist AS sa JOIN tracklist_track AS tt USING (song_id) WHERE sa.artist_id = near.id)
      FROM near JOIN artist AS a ON a.id = near.id
     ORDER BY 1
     LIMIT greatest(n, 0);
END
$$;
