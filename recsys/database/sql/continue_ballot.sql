-- Every track that given tracks vote for: score = its share of all votes.
--
-- A playlist that holds given tracks is as near as the sum of their weight / (holders + 20), over (entries + 10) ^ .5, with
-- weights of 1 where none are given; the nearest `playlists` vote for their tracks with (nearness / best nearness) ^ (2 - 1 / sqrt(given tracks)): the more
-- is given, the more only the nearest count. Beside them the main artists of the given tracks have `artist_share` of all
-- votes, by the weights of these that are theirs (`artist_profile`). A track in more than `sample` playlists is read from the
-- first of them as they are stored, so that popular tracks cost no more than others.
--
-- `model` is a recommender; one that was built from a split's train part hears only playlists of that part. The current
-- one where none is named; before there is one, every playlist votes and no artist does.
CREATE OR REPLACE FUNCTION continue_ballot(
  seeds bigint[], model bigint DEFAULT NULL, playlists integer DEFAULT 1000, sample integer DEFAULT 2000,
  artist_share double precision DEFAULT 0.1, weights double precision[] DEFAULT NULL
)
RETURNS TABLE (track bigint, score double precision, voters bigint)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
  chosen bigint := coalesce(model, (SELECT m.id FROM model AS m WHERE m.kind = 'title-recommender' AND m.is_current));
  split bigint := (SELECT (m.config ->> 'split')::bigint FROM model AS m WHERE m.id = chosen);
  given bigint[] := ARRAY(SELECT DISTINCT t.id FROM track AS t WHERE t.id = ANY (seeds) ORDER BY t.id);
  worth double precision[] := ARRAY(SELECT coalesce(max(w.weight), 1) FROM unnest(seeds, weights) AS w (track, weight)
                                     WHERE w.track = ANY (given) GROUP BY w.track ORDER BY w.track);
  sharpness double precision := 2 - 1 / sqrt(greatest(cardinality(given), 1));
BEGIN
  playlists := greatest(coalesce(playlists, 1000), 0);
  sample := greatest(coalesce(sample, 2000), 0);
  artist_share := least(greatest(coalesce(artist_share, 0.1), 0), 1);
  RETURN QUERY
  WITH holder AS MATERIALIZED (
    SELECT h.playlist_id, g.weight / (count(*) OVER (PARTITION BY g.track) + 20) AS weight
      FROM unnest(given, worth) AS g (track, weight)
      CROSS JOIN LATERAL (
        SELECT DISTINCT e.playlist_id
          FROM (SELECT pt.playlist_id FROM playlist_track AS pt
                 WHERE pt.track_id = g.track
                   AND (split IS NULL
                        OR EXISTS (SELECT FROM playlist_split AS s
                                    WHERE s.split_id = split AND s.playlist_id = pt.playlist_id AND s.part = 'train'))
                 LIMIT sample) AS e) AS h
  ), near AS (
    SELECT h.playlist_id, (sum(h.weight) / sqrt(p.entries + 10))::real AS nearness
      FROM holder AS h JOIN playlist AS p ON p.id = h.playlist_id
     GROUP BY h.playlist_id, p.entries
     ORDER BY nearness DESC, h.playlist_id
     LIMIT playlists
  ), voter AS MATERIALIZED (
    SELECT n.playlist_id, power((n.nearness / max(n.nearness) OVER ())::double precision, sharpness) AS weight FROM near AS n
  ), tally AS (
    SELECT e.track_id, sum(v.weight) AS weight, count(*) AS voters
      FROM voter AS v
      CROSS JOIN LATERAL (SELECT DISTINCT pt.track_id FROM playlist_track AS pt WHERE pt.playlist_id = v.playlist_id) AS e
     GROUP BY e.track_id
  ), artist AS (
    SELECT sa.artist_id, sum(g.weight) AS weight
      FROM unnest(given, worth) AS g (track, weight)
      JOIN track AS t ON t.id = g.track JOIN song_artist AS sa ON sa.song_id = t.song_id AND sa.role = 'main'
     GROUP BY sa.artist_id
  ), artist_vote AS (
    SELECT unnest(p.track_ids)::bigint AS track_id, unnest(p.weights)::double precision * a.weight AS weight
      FROM artist AS a JOIN artist_profile AS p ON p.model_id = chosen AND p.artist_id = a.artist_id
  ), artist_tally AS (
    SELECT a.track_id, sum(a.weight) AS weight, count(*) AS voters FROM artist_vote AS a GROUP BY a.track_id
  ), part AS MATERIALIZED (
    SELECT of_tracks.weight AS tracks, of_artists.weight AS artists,
           CASE WHEN of_tracks.weight IS NULL THEN 1 WHEN of_artists.weight IS NULL THEN 0 ELSE artist_share END AS share
      FROM (SELECT sum(t.weight) AS weight FROM tally AS t) AS of_tracks
      CROSS JOIN (SELECT sum(a.weight) AS weight FROM artist_tally AS a) AS of_artists
  ), vote AS (
    SELECT t.track_id, t.weight / p.tracks * (1 - p.share) AS weight, t.voters FROM tally AS t CROSS JOIN part AS p
     UNION ALL
    SELECT a.track_id, a.weight / p.artists * p.share, a.voters FROM artist_tally AS a CROSS JOIN part AS p
  )
  SELECT v.track_id, sum(v.weight)::real::double precision, sum(v.voters)::bigint
    FROM vote AS v
   WHERE v.weight > 0
   GROUP BY v.track_id;
END
$$;
