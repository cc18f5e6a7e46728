-- What was measured, the best method first.
--
-- subject text = null: what was asked for, such as titles
-- metric text = null: which metric
SELECT subject, split, part, metric, k, method, round(value::numeric, 4) AS value, round(low::numeric, 4) AS low,
       round(high::numeric, 4) AS high
  FROM leaderboard
 WHERE (%(subject)s::text IS NULL OR subject = %(subject)s) AND (%(metric)s::text IS NULL OR metric = %(metric)s)
 ORDER BY subject, split, part, metric, k, leaderboard.value DESC, method
