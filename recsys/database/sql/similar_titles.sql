-- Titles of a meaning like a title's that is known, best first, with how many playlists carry them; no rows for an unseen
-- one, which must be embedded first.
CREATE OR REPLACE FUNCTION similar_titles(title text, n integer DEFAULT 10)
RETURNS TABLE (rank integer, title_id bigint, title text, similarity real, playlists integer)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  SELECT (row_number() OVER (ORDER BY near.similarity DESC, near.title_id))::integer, near.title_id, t.name,
         near.similarity, (SELECT count(*)::integer FROM playlist AS p WHERE p.title_id = near.title_id)
    FROM title_vector(normal_title($1)) AS q
   CROSS JOIN LATERAL nearest_titles(q, $2 + 1) AS near JOIN title AS t ON t.id = near.title_id
   WHERE q IS NOT NULL AND t.name <> normal_title($1)
   ORDER BY 1
   LIMIT greatest($2, 0)
$$;
