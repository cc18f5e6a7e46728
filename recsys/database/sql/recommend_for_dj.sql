-- What a DJ will play by a tracklist model, best first; with `only_new`, only songs that he had not played when it was
-- trained. `plays` and `last_played_on` are of now. Songs and artists (in any role) that must not appear are left out before
-- the cut. Asked by id or by name.
CREATE OR REPLACE FUNCTION recommend_for_dj(
  dj bigint, n integer DEFAULT 10, only_new boolean DEFAULT false, model bigint DEFAULT NULL,
  exclude_songs bigint[] DEFAULT '{}', exclude_artists bigint[] DEFAULT '{}'
)
RETURNS TABLE (
  rank integer, track_id bigint, song_id bigint, title text, version text, artist text, uri text, duration_ms integer,
  score double precision, artists text[], plays integer, last_played_on date
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  chosen bigint := coalesce(model, current_model('tracklist-recommender'));
BEGIN
  exclude_songs := array_remove(coalesce(exclude_songs, '{}'), NULL);
  exclude_artists := array_remove(coalesce(exclude_artists, '{}'), NULL);
  RETURN QUERY
    WITH best AS MATERIALIZED (
      SELECT b.song_id, b.score, b.place
        FROM dj_forecast AS f
       CROSS JOIN LATERAL unnest(f.song_ids, f.scores, f.is_known) WITH ORDINALITY AS b (song_id, score, is_known, place)
       WHERE f.model_id = chosen AND f.dj_id = recommend_for_dj.dj
         AND NOT (only_new AND b.is_known) AND b.song_id <> ALL (exclude_songs)
         AND (exclude_artists = '{}'
              OR NOT EXISTS (SELECT FROM song_artist AS sa
                              WHERE sa.song_id = b.song_id AND sa.artist_id = ANY (exclude_artists)))
       ORDER BY b.place
       LIMIT greatest(n, 0)
    ), played AS MATERIALIZED (
      SELECT tt.song_id, count(DISTINCT t.id)::integer AS plays, max(t.played_on) AS last_played_on
        FROM tracklist_dj AS td JOIN tracklist AS t ON t.id = td.tracklist_id
        JOIN tracklist_track AS tt ON tt.tracklist_id = t.id
       WHERE td.dj_id = recommend_for_dj.dj
       GROUP BY tt.song_id
    )
    SELECT (row_number() OVER (ORDER BY b.place))::integer, st.track_id, s.id, s.title, s.version, s.artist, t.uri,
           t.duration_ms, b.score::double precision,
           artists_of(s.id), coalesce(p.plays, 0), p.last_played_on
      FROM best AS b JOIN song AS s ON s.id = b.song_id LEFT JOIN song_stats AS st ON st.song_id = s.id
      LEFT JOIN track AS t ON t.id = st.track_id LEFT JOIN played AS p ON p.song_id = s.id
     ORDER BY 1;
END
$$;

CREATE OR REPLACE FUNCTION recommend_for_dj(
  dj text, n integer DEFAULT 10, only_new boolean DEFAULT false, model bigint DEFAULT NULL,
  exclude_songs bigint[] DEFAULT '{}', exclude_artists bigint[] DEFAULT '{}'
)
RETURNS TABLE (
  rank integer, track_id bigint, song_id bigint, title text, version text, artist text, uri text, duration_ms integer,
  score double precision, artists text[], plays integer, last_played_on date
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  SELECT * FROM recommend_for_dj(find_dj(recommend_for_dj.dj), n, only_new, model, exclude_songs, exclude_artists)
$$;
