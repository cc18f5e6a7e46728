"""The catalogue's door: lists in; songs and artists found or made."""

from recsys.catalog.choose import Counts
from recsys.catalog.find import NamedSong, SimilarTrack, find_artist, find_song, similar_tracks
from recsys.catalog.ingest import IngestSummary, finish_load, ingest, missing_indexes
from recsys.catalog.listed import ListedTrack

__all__ = [
    "Counts",
    "IngestSummary",
    "ListedTrack",
    "NamedSong",
    "SimilarTrack",
    "find_artist",
    "find_song",
    "finish_load",
    "ingest",
    "missing_indexes",
    "similar_tracks",
]
