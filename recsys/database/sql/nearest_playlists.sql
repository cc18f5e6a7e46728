-- The playlists nearest to a unit vector, of the train part where the model is a split's: a playlist is as near as its
-- title; ties by its id. For `vote`.
CREATE OR REPLACE FUNCTION nearest_playlists(query vector, k integer, model bigint)
RETURNS TABLE (playlist_id bigint, title_id bigint, similarity real)
LANGUAGE sql STABLE ROWS 50
AS $$
  SELECT p.id, p.title_id, n.similarity
    FROM nearest_titles(query, k, model) AS n JOIN playlist AS p ON p.title_id = n.title_id
   WHERE EXISTS (SELECT FROM model AS m
                  WHERE m.id = nearest_playlists.model
                    AND (m.config ->> 'split' IS NULL
                         OR EXISTS (SELECT FROM playlist_split AS s
                                     WHERE s.split_id = (m.config ->> 'split')::bigint AND s.playlist_id = p.id
                                       AND s.part = 'train')))
   ORDER BY n.similarity DESC, p.id
   LIMIT k
$$;
