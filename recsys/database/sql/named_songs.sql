-- The songs that a title names: those whose whole name the title is, one row for all of a name, with their share of all
-- votes, song * meant and at most .9. For `voters`, which sets the search path.
--
-- `song` is a parameter of the vote. Where `tolerant`, a title that is nobody's name may be nearly one (`near_name`), its
-- share times the likeness.
CREATE OR REPLACE FUNCTION named_songs(title text, model bigint, song double precision, tolerant boolean DEFAULT false)
RETURNS TABLE (
  song_id bigint, similarity real, playlists integer, share double precision, track_ids integer[], weights real[]
)
LANGUAGE sql STABLE ROWS 1
AS $$
  WITH exact AS (
    SELECT p.key, 1::real AS likeness
      FROM song_profile AS p
     WHERE p.model_id = named_songs.model AND p.key = plain_name_key(normal_title(named_songs.title))
  ), found AS (
    SELECT e.key, e.likeness FROM exact AS e
     UNION ALL
    SELECT n.key, n.likeness
      FROM near_name(named_songs.title, named_songs.model, 'song') AS n
     WHERE tolerant AND NOT EXISTS (SELECT FROM exact)
  )
  SELECT p.song_id, f.likeness, p.playlists, least(named_songs.song * p.meant * f.likeness, .9), p.track_ids, p.weights
    FROM found AS f JOIN song_profile AS p ON p.model_id = named_songs.model AND p.key = f.key
   WHERE named_songs.song * p.meant > 0
$$;
