-- The stored unit vector of a title that is already known (normalised as `title.name` is); NULL for an unseen one.
-- `model` is a recommender. Not in SQL: the planner would ask for the current model even where one is named.
CREATE OR REPLACE FUNCTION title_vector(title text, model bigint DEFAULT NULL) RETURNS vector
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
DECLARE
  compared bigint := vectors_of(coalesce(model, current_model('title-recommender')));
BEGIN
  RETURN (SELECT e.embedding
            FROM title AS t JOIN title_embedding AS e ON e.title_id = t.id AND e.model_id = compared
           WHERE t.name = title_vector.title);
END
$$;
