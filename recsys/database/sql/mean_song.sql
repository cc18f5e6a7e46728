-- The unit vector of the weighted mean of songs under a tracklist model, weights 1 where none are given; NULL where it knows
-- none of them. For `generator_candidates`, which sets the search path.
CREATE OR REPLACE FUNCTION mean_song(model bigint, songs bigint[], weights double precision[]) RETURNS vector
LANGUAGE sql STABLE
AS $$
  SELECT l2_normalize(sum(e.embedding * array_fill(coalesce(w.weight, 1)::real, ARRAY[vector_dims(e.embedding)])::vector))
    FROM unnest(songs, weights) AS w (song_id, weight)
    JOIN song_embedding AS e ON e.model_id = mean_song.model AND e.song_id = w.song_id
$$;
