"""The catalogue's door: lists in, songs and artists found or made."""

from recsys.catalog.choose import Counts
from recsys.catalog.ingest import IngestSummary, finish_load, ingest

__all__ = ["Counts", "IngestSummary", "finish_load", "ingest"]
