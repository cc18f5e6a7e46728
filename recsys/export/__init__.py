"""Lists of tracks as files that players, DJ software and spreadsheets read."""

from recsys.export.files import EXPORT_FORMATS, export_playlist
from recsys.export.playlists import ExportTrack, link
from recsys.export.rekordbox import rekordbox_library

__all__ = ["EXPORT_FORMATS", "ExportTrack", "export_playlist", "link", "rekordbox_library"]
