"""Lists of tracks as files that players and spreadsheets read."""

from recsys.export.playlists import EXPORT_FORMATS, ExportTrack, export_playlist

__all__ = ["EXPORT_FORMATS", "ExportTrack", "export_playlist"]
