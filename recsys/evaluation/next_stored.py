"""Models of next songs that were imported, measured as they answer: from the folders that the database names."""

from recsys.config import Settings
from recsys.database import connect, require_migrated, translated_errors
from recsys.errors import UnknownNameError
from recsys.evaluation.graph_learned import check_snapshot
from recsys.evaluation.next_baselines import Past
from recsys.evaluation.next_learned import NetworkFit
from recsys.evaluation.next_methods import Fit
from recsys.evaluation.next_song import NextSongMethod
from recsys.sequences.lists import loaded_model
from recsys.sequences.next_answers import loaded_next_recommender
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.recommend import tracklist_model
from recsys.tracklists.running_order import RunningOrder


def stored_method(settings: Settings, name: str, snapshot: GraphSnapshot, snapshot_hash: str) -> Fit:
    """An imported recommender of next songs, or else a tracklist model of that name, as a method that needs no fitting.

    Raises:
        UnknownNameError: there is none of that name.
        NotReadyError: its folder is gone or damaged.
        SettingsError: it was trained on another snapshot.
    """
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        try:
            model_id = tracklist_model(connection, name, "next-song")
        except UnknownNameError:
            _, network = loaded_model(connection, name)
            check_snapshot(network.facts.snapshot_hash, name, snapshot_hash)
            return NetworkFit(network, snapshot.djs)
        trained = loaded_next_recommender(connection, model_id)
    check_snapshot(trained.facts.snapshot_hash, name, snapshot_hash)

    def method(_order: RunningOrder, _past: Past) -> NextSongMethod:
        return trained.recommender

    return method
