"""Tracklists of DJs: which songs, artists and DJs go together."""
