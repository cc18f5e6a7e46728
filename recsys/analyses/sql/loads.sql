-- What was loaded, the last load first.
--
-- n integer = 20: how many
SELECT run_id AS run, source, format, date_trunc('second', started_at) AS started,
       date_trunc('second', finished_at - started_at) AS took, records, stored, replaced, already_there,
       rejected, entries_stored AS entries
  FROM ingest_runs
 ORDER BY run_id DESC
 LIMIT %(n)s
