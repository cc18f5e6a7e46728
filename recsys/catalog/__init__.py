"""The catalogue's door: lists in; songs and artists found or made; what listeners like."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from recsys.catalog.find import (
    NamedArtist,
    NamedDj,
    NamedSong,
    SimilarTrack,
    excluded_songs,
    find_artist,
    find_dj,
    find_song,
    first_allowed,
    similar_tracks,
    songs_of_entries,
)
from recsys.catalog.listed import NOTHING, Excluded, ListedTrack
from recsys.catalog.listeners import (
    ListenerSummary,
    NamedListener,
    Rating,
    Taste,
    add_listener,
    find_listener,
    forget_listener,
    list_listeners,
    rate,
    ratings_of,
    take_back,
    taste_of,
)

if TYPE_CHECKING:
    from recsys.catalog.choose import Counts
    from recsys.catalog.file_likes import FileLikes, likes_of_file
    from recsys.catalog.ingestion import IngestSummary, ingest
    from recsys.catalog.sql_ingestion import guess_source, ingest_sql
    from recsys.catalog.upkeep import finish_load, missing_indexes

__all__ = [
    "NOTHING",
    "Counts",
    "Excluded",
    "FileLikes",
    "IngestSummary",
    "ListedTrack",
    "ListenerSummary",
    "NamedArtist",
    "NamedDj",
    "NamedListener",
    "NamedSong",
    "Rating",
    "SimilarTrack",
    "Taste",
    "add_listener",
    "excluded_songs",
    "find_artist",
    "find_dj",
    "find_listener",
    "find_song",
    "finish_load",
    "first_allowed",
    "forget_listener",
    "guess_source",
    "ingest",
    "ingest_sql",
    "likes_of_file",
    "list_listeners",
    "missing_indexes",
    "rate",
    "ratings_of",
    "similar_tracks",
    "songs_of_entries",
    "take_back",
    "taste_of",
]

_LOADING = {
    "Counts": "choose",
    "FileLikes": "file_likes",
    "IngestSummary": "ingestion",
    "finish_load": "upkeep",
    "guess_source": "sql_ingestion",
    "ingest": "ingestion",
    "ingest_sql": "sql_ingestion",
    "likes_of_file": "file_likes",
    "missing_indexes": "upkeep",
}


def __getattr__(name: str) -> Any:
    """Import what loads, with numpy and the readers behind it, only where it is asked for."""
    if name in _LOADING:
        return getattr(import_module(f"recsys.catalog.{_LOADING[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
