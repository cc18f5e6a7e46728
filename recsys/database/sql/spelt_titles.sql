-- Titles spelt like a title: by character trigrams, or by the symbols that they share where a title has no letters
-- (emoji). similarity = spelling * likeness, so that it can stand beside a cosine; `spelling` is a parameter of the
-- vote, at 0 nobody votes by spelling. Planned anew each
-- time, since a plan for any title would read all of them.
CREATE OR REPLACE FUNCTION spelt_titles(title text, model bigint, spelling double precision, k integer DEFAULT 20)
RETURNS TABLE (title_id bigint, similarity real)
LANGUAGE sql STABLE ROWS 20
SET search_path FROM CURRENT
SET plan_cache_mode = force_custom_plan
AS $$
  SELECT l.id, (spelt_titles.spelling * l.likeness)::real
    FROM (SELECT t.id, similarity(t.name, normal_title(spelt_titles.title)) AS likeness
            FROM title AS t
           WHERE spelt_titles.spelling > 0 AND t.name % normal_title(spelt_titles.title)
           UNION ALL
          SELECT t.id, cardinality(s.shared)::real / greatest(length(t.name), 1)
            FROM title AS t,
                 LATERAL (SELECT array_agg(c) AS shared FROM (SELECT DISTINCT c FROM regexp_split_to_table(
                            regexp_replace(spelt_titles.title, '[[:space:]\uFE0F\u200D]', '', 'g'), '') AS c) AS x
                           WHERE x.c <> '' AND position(x.c IN t.name) > 0) AS s
           WHERE spelt_titles.spelling > 0 AND cardinality(s.shared) > 0
             AND show_trgm(normal_title(spelt_titles.title)) = '{}') AS l
   WHERE EXISTS (SELECT FROM title_profile AS p WHERE p.model_id = spelt_titles.model AND p.title_id = l.id)
   ORDER BY l.likeness DESC, l.id
   LIMIT k
$$;
