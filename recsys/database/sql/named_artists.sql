-- The artists whom a title names: runs of its words that are the whole name of an artist, the longest ones, with their
-- shares of all votes. For `voters`, which sets the search path.
--
-- share = artist * meant * (words of the name / words of the title), scaled so that all artists together have at most
-- .9; under a tenth nobody is meant, for an obscure artist's few tracks would take it whole ("late night drive" is not
-- Night's). `artist` is a parameter of the vote. A title that names nobody exactly may be a misspelt name as a whole
-- where `tolerant`: see `near_name`; its share is then times the likeness.
CREATE OR REPLACE FUNCTION named_artists(title text, model bigint, artist double precision, tolerant boolean DEFAULT false)
RETURNS TABLE (
  artist_id bigint, similarity real, playlists integer, share double precision, track_ids integer[], weights real[]
)
LANGUAGE sql STABLE ROWS 2
AS $$
  WITH word AS (
    SELECT w.word, w.place, count(*) OVER () AS words
      FROM regexp_split_to_table(normal_title(named_artists.title), '\s+') WITH ORDINALITY AS w (word, place)
     LIMIT 20
  ), run AS (
    SELECT f.place AS first, l.place AS last, f.words,
           plain_name_key((SELECT string_agg(m.word, ' ' ORDER BY m.place)
                             FROM word AS m WHERE m.place BETWEEN f.place AND l.place)) AS key
      FROM word AS f JOIN word AS l ON l.place BETWEEN f.place AND f.place + 5
  ), exact AS (
    SELECT r.first, r.last, r.words, 1::real AS likeness, p.artist_id, p.playlists, p.meant, p.track_ids, p.weights
      FROM run AS r JOIN artist_profile AS p ON p.model_id = named_artists.model AND p.key = r.key
  ), found AS (
    SELECT * FROM exact
     UNION ALL
    SELECT 1, 1, 1, n.likeness, p.artist_id, p.playlists, p.meant, p.track_ids, p.weights
      FROM near_name(named_artists.title, named_artists.model, 'artist') AS n
      JOIN artist_profile AS p ON p.model_id = named_artists.model AND p.key = n.key
     WHERE tolerant AND NOT EXISTS (SELECT FROM exact)
  ), named AS (
    SELECT DISTINCT ON (f.artist_id) f.*,
           named_artists.artist * f.meant * f.likeness * (f.last - f.first + 1) / f.words AS share
      FROM found AS f
     WHERE NOT EXISTS (SELECT FROM found AS o
                        WHERE o.first <= f.first AND o.last >= f.last AND o.last - o.first > f.last - f.first)
     ORDER BY f.artist_id, f.last - f.first DESC
  )
  SELECT n.artist_id, (n.likeness * (n.last - n.first + 1) / n.words)::real, n.playlists,
         n.share * least(1, .9 / sum(n.share) OVER ()), n.track_ids, n.weights
    FROM named AS n
   WHERE n.share > .1
$$;
