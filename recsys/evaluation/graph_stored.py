"""A recommender that was imported, measured as it answers: by the forecasts and arrays that the database names."""

import numpy as np

from recsys.config import Settings
from recsys.database import connect, require_migrated, translated_errors
from recsys.evaluation.graph_learned import Foretold, check_snapshot
from recsys.evaluation.graph_methods import Fit
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.past import Newcomers
from recsys.tracklists.recommend import loaded_recommender, tracklist_model
from recsys.tracklists.stored_arrays import Floats, Integers

FORECASTS = """
SELECT f.dj_id, f.song_ids, f.scores FROM dj_forecast AS f WHERE f.model_id = %s AND f.dj_id = ANY(%s)
"""


class StoredForecasts:
    """An imported recommender: DJs by what their rows in `dj_forecast` say, listeners by fold-in."""

    def __init__(self, settings: Settings, name: str, snapshot: GraphSnapshot, snapshot_hash: str) -> None:
        """Find a recommender by its name.

        Raises:
            UnknownNameError: there is none of that name.
            SettingsError: it was trained on another snapshot.
        """
        self._settings = settings
        self._snapshot = snapshot
        with translated_errors(), connect(settings) as connection:
            require_migrated(connection)
            self._model_id = tracklist_model(connection, name)
            trained = loaded_recommender(connection, self._model_id)
        check_snapshot(trained.facts.snapshot_hash, name, snapshot_hash)
        self._folded = Foretold(trained.recommender, len(snapshot.songs))

    def of_djs(self, djs: Integers) -> Floats:
        """Scores for DJs by their rows, -inf for what is not kept for them; (djs, songs)."""
        scores = np.full((len(djs), len(self._snapshot.songs)), -np.inf, dtype=np.float32)
        ids = self._snapshot.djs[djs]
        row_of = {int(dj): row for row, dj in enumerate(ids)}
        with translated_errors(), connect(self._settings) as connection:
            for dj, songs, values in connection.execute(FORECASTS, (self._model_id, ids.tolist())):
                scores[row_of[dj], np.searchsorted(self._snapshot.songs, songs)] = values
        return scores

    def of_newcomers(self, newcomers: Newcomers) -> Floats:
        """Scores by fold-in, (newcomers, songs)."""
        return self._folded.of_newcomers(newcomers)


def stored_method(settings: Settings, name: str, snapshot_hash: str) -> Fit:
    """An imported recommender as a method, which is there already and needs no fitting."""
    return lambda snapshot, _: StoredForecasts(settings, name, snapshot, snapshot_hash)
