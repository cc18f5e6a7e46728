-- What was loaded, the last load first; the view `ingest_runs` holds more.
--
-- n integer = 20: how many
SELECT run_id AS run, source, to_char(started_at, 'YYYY-MM-DD HH24:MI') AS started,
       date_trunc('second', finished_at - started_at) AS took, stored + replaced AS stored, rejected,
       entries_stored AS entries
  FROM ingest_runs
 ORDER BY run_id DESC
 LIMIT %(n)s
