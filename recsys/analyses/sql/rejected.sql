-- What could not be loaded, by source and reason, with an example of each.
SELECT source, reason, count(*) AS records, min(file || ', ' || place) AS example
  FROM rejected_records
 GROUP BY source, reason
 ORDER BY records DESC, source, reason
