-- The model that answers for a kind where none is named; an error that names the mend where there is none.
CREATE OR REPLACE FUNCTION current_model(wanted text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
  found bigint := (SELECT m.id FROM model AS m WHERE m.kind = wanted AND m.is_current);
BEGIN
  IF found IS NULL THEN
    RAISE EXCEPTION '%', CASE wanted
      WHEN 'tracklist-recommender' THEN
        'there is no tracklist recommender yet: run `recsys tracklists prepare`, `recsys tracklists train` and'
        ' `recsys model import`'
      WHEN 'tracklist-model' THEN
        'there is no tracklist model yet: run `recsys tracklists prepare`, `recsys tracklists train --model tl-lstm` and'
        ' `recsys model import`'
      WHEN 'next-song' THEN
        'there is no recommender of next songs yet: run `recsys tracklists prepare`, `recsys tracklists train'
        ' --model next` and `recsys model import`'
      ELSE 'nothing is embedded yet: run `recsys titles embed`' END USING ERRCODE = 'RS001';
  END IF;
  RETURN found;
END
$$;
