-- DJs who play what a DJ plays, by the vectors of a tracklist model, best first; `songs` is how many both played; asked by id
-- or by name.
CREATE OR REPLACE FUNCTION similar_djs(dj bigint, n integer DEFAULT 10, model bigint DEFAULT NULL)
RETURNS TABLE (rank integer, dj_id bigint, name text, similarity real, songs integer, tracklists integer)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  WITH own AS MATERIALIZED (
    SELECT DISTINCT tt.song_id FROM tracklist_dj AS td JOIN tracklist_track AS tt USING (tracklist_id)
     WHERE td.dj_id = similar_djs.dj AND tt.song_id IS NOT NULL
  )
  SELECT near.rank, near.id, d.name, near.similarity,
         (SELECT count(DISTINCT tt.song_id)::integer
            FROM tracklist_dj AS td JOIN tracklist_track AS tt USING (tracklist_id) JOIN own USING (song_id)
           WHERE td.dj_id = near.id),
         (SELECT count(*)::integer FROM tracklist_dj AS td WHERE td.dj_id = near.id)
    FROM neighbours_of('dj', similar_djs.dj, n, model) AS near LEFT JOIN dj AS d ON d.id = near.id
   ORDER BY 1
$$;

CREATE OR REPLACE FUNCTION similar_djs(dj text, n integer DEFAULT 10, model bigint DEFAULT NULL)
RETURNS TABLE (rank integer, dj_id bigint, name text, similarity real, songs integer, tracklists integer)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  SELECT * FROM similar_djs(find_dj(similar_djs.dj), n, model)
$$;
