-- DJs who play what a DJ plays, by the vectors of a tracklist model, best first; `songs` is how many both played.
CREATE OR REPLACE FUNCTION similar_djs(dj bigint, n integer DEFAULT 10, model bigint DEFAULT NULL)
RETURNS TABLE (rank integer, dj_id bigint, name text, similarity real, songs integer, tracklists integer)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  chosen bigint := coalesce(model, current_model('tracklist-recommender'));
BEGIN
  RETURN QUERY
    WITH own AS MATERIALIZED (
      SELECT DISTINCT tt.song_id FROM tracklist_dj AS td JOIN tracklist_track AS tt USING (tracklist_id)
       WHERE td.dj_id = similar_djs.dj AND tt.song_id IS NOT NULL
    ), near AS (
      SELECT f.id, f.similarity
        FROM dj_embedding AS e
       CROSS JOIN LATERAL nearest_embedded('dj', e.embedding, greatest(n, 0) + 1, chosen) AS f
       WHERE e.model_id = chosen AND e.dj_id = similar_djs.dj AND f.id <> similar_djs.dj
    )
    SELECT (row_number() OVER (ORDER BY near.similarity DESC, near.id))::integer, near.id, d.name, near.similarity,
           (SELECT count(DISTINCT tt.song_id)::integer
              FROM tracklist_dj AS td JOIN tracklist_track AS tt USING (tracklist_id) JOIN own USING (song_id)
             WHERE td.dj_id = near.id),
           (SELECT count(*)::integer FROM tracklist_dj AS td WHERE td.dj_id = near.id)
      FROM near JOIN dj AS d ON d.id = near.id
     ORDER BY 1
     LIMIT greatest(n, 0);
END
$$;
