"""The catalogue's door: lists in; songs and artists found or made."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from recsys.catalog.find import (
    NamedArtist,
    NamedDj,
    NamedSong,
    SimilarTrack,
    find_artist,
    find_dj,
    find_song,
    similar_tracks,
)
from recsys.catalog.listed import ListedTrack

if TYPE_CHECKING:
    from recsys.catalog.choose import Counts
    from recsys.catalog.ingestion import IngestSummary, ingest
    from recsys.catalog.sql_ingestion import guess_source, ingest_sql
    from recsys.catalog.upkeep import finish_load, missing_indexes

__all__ = [
    "Counts",
    "IngestSummary",
    "ListedTrack",
    "NamedArtist",
    "NamedDj",
    "NamedSong",
    "SimilarTrack",
    "find_artist",
    "find_dj",
    "find_song",
    "finish_load",
    "guess_source",
    "ingest",
    "ingest_sql",
    "missing_indexes",
    "similar_tracks",
]

_LOADING = {
    "Counts": "choose",
    "IngestSummary": "ingestion",
    "finish_load": "upkeep",
    "guess_source": "sql_ingestion",
    "ingest": "ingestion",
    "ingest_sql": "sql_ingestion",
    "missing_indexes": "upkeep",
}


def __getattr__(name: str) -> Any:
    """Import what loads, with numpy and the readers behind it, only where it is asked for."""
    if name in _LOADING:
        return getattr(import_module(f"recsys.catalog.{_LOADING[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
