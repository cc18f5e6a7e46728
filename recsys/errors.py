"""Errors that a person can mend: each message says what is wrong and what to run or change."""


class RecsysError(Exception):
    """Base of every error that the command shows as one line with exit code 1."""


class SettingsError(RecsysError):
    """A setting has a value that cannot be used."""


class DatabaseError(RecsysError):
    """The database cannot be reached, is too old, or lacks an extension."""


class NotMigratedError(DatabaseError):
    """The schema is missing or older than this version of recsys."""


class SourceError(RecsysError):
    """A file or folder that was named cannot be read as what it was said to be."""


class NotReadyError(RecsysError):
    """Something must be computed first, for example the title embeddings."""


class EncoderError(RecsysError):
    """A sentence encoder cannot be found, loaded or exported."""


class UnknownNameError(RecsysError):
    """A track, artist or title that a person named is not in the catalogue."""


class ParameterError(RecsysError):
    """A parameter of a named analysis is unknown, missing or of another type."""


class BusyError(RecsysError):
    """Another writer holds the lock."""
