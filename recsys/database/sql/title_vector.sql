-- The stored unit vector of a title that is already known (normalised as `title.name` is); NULL for an unseen one.
CREATE OR REPLACE FUNCTION title_vector(title text, model bigint DEFAULT NULL) RETURNS vector
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
  SELECT e.embedding
    FROM title AS t
    JOIN title_embedding AS e
      ON e.title_id = t.id AND e.model_id = coalesce(title_vector.model, current_model('title-encoder'))
   WHERE t.name = title_vector.title
$$;
