-- What is nearest to a song, artist or DJ by the vectors of a tracklist model, best first, ties by id; nothing where the
-- model does not know it. kind: as for `nearest_embedded`; where a model has no likeness of songs of its own, 'likeness'
-- compares them in the space that they share with the DJs.
CREATE OR REPLACE FUNCTION neighbours_of(kind text, asked bigint, n integer DEFAULT 10, model bigint DEFAULT NULL)
RETURNS TABLE (rank integer, id bigint, similarity real)
LANGUAGE plpgsql STABLE ROWS 10
SET search_path FROM CURRENT
AS $$
DECLARE
  chosen bigint := coalesce(model, current_model('tracklist-recommender'));
  own vector;
BEGIN
  IF kind = 'likeness' AND NOT EXISTS (SELECT FROM song_likeness AS e WHERE e.model_id = chosen) THEN
    kind := 'song';
  END IF;
  own := CASE kind
    WHEN 'song' THEN (SELECT e.embedding FROM song_embedding AS e WHERE e.model_id = chosen AND e.song_id = asked)
    WHEN 'likeness' THEN (SELECT e.embedding FROM song_likeness AS e WHERE e.model_id = chosen AND e.song_id = asked)
    WHEN 'artist' THEN (SELECT e.embedding FROM artist_embedding AS e WHERE e.model_id = chosen AND e.artist_id = asked)
    WHEN 'dj' THEN (SELECT e.embedding FROM dj_embedding AS e WHERE e.model_id = chosen AND e.dj_id = asked)
  END;
  IF own IS NOT NULL THEN
    RETURN QUERY
      SELECT (row_number() OVER (ORDER BY f.similarity DESC, f.id))::integer, f.id, f.similarity
        FROM nearest_embedded(kind, own, greatest(n, 0) + 1, chosen) AS f
       WHERE f.id <> asked
       ORDER BY 1
       LIMIT greatest(n, 0);
  END IF;
END
$$;
