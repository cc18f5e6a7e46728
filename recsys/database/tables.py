"""The schema as SQLAlchemy models: the catalogue, what models learn, people, and how it was loaded.

No table names a Postgres schema: the connection's search path does, so that the schema is a setting. Large tables
have no foreign keys between them: every row is written by the loader under its lock, a check per row would triple the
time of a load, and the same tables can be distributed (each carries its distribution key in its primary key).
"""

from datetime import date, datetime
from typing import Any

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Table(DeclarativeBase):
    """Base of every table model."""

    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        }
    )
    type_annotation_map = {  # noqa: RUF012 -- declared so by SQLAlchemy
        int: BigInteger,
        str: Text,
        datetime: DateTime(timezone=True),
        date: Date,
        dict[str, Any]: JSONB,
    }


def _own_id() -> Mapped[int]:
    return mapped_column(BigInteger, primary_key=True, autoincrement=False)


# --- how the data came here ------------------------------------------------------------------------------------


class Source(Table):
    """Where lists come from; a list's id is unique within its source."""

    __tablename__ = "source"

    id: Mapped[int] = _own_id()
    name: Mapped[str] = mapped_column(unique=True)
    format: Mapped[str]


class IngestRun(Table):
    """One `recsys ingest`, with its counts; `finished_at` is null for one that was interrupted.

    `playlists_changed_at` is null while it has written no playlist: what titles vote for is as it was. So
    `tracklists_changed_at` for tracklists. `reading` says how to read the same again, for `recsys refresh`.
    """

    __tablename__ = "ingest_run"

    id: Mapped[int] = _own_id()
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    paths: Mapped[list[str]] = mapped_column(ARRAY(Text))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    playlists_changed_at: Mapped[datetime | None]
    tracklists_changed_at: Mapped[datetime | None]
    reading: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    finished_at: Mapped[datetime | None]
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class RejectedRecord(Table):
    """A record, or an entry of one, that could not be used; it leaves when its file is read again and is well."""

    __tablename__ = "rejected_record"

    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), primary_key=True)
    file: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    record: Mapped[str]
    ingest_run_id: Mapped[int] = mapped_column(ForeignKey("ingest_run.id"))


class SourceCursor(Table):
    """Up to where a query of somebody's own database was read, so that the next load reads what changed since."""

    __tablename__ = "source_cursor"

    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), primary_key=True)
    query: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    kind: Mapped[str]
    value: Mapped[str]


# --- the catalogue ---------------------------------------------------------------------------------------------


class Artist(Table):
    """A person or group; `key` is what the spellings of the name share."""

    __tablename__ = "artist"

    id: Mapped[int] = _own_id()
    name: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)


class Song(Table):
    """What people call the same song; a remix is a song of its own."""

    __tablename__ = "song"

    id: Mapped[int] = _own_id()
    title: Mapped[str]
    version: Mapped[str | None]
    artist: Mapped[str]
    """The credit as it is shown."""
    key: Mapped[str] = mapped_column(unique=True)


class SongArtist(Table):
    """An artist's part in a song; the weights of a song sum to 1."""

    __tablename__ = "song_artist"
    __table_args__ = (
        Index(None, "artist_id"),
        CheckConstraint("role IN ('main', 'featured', 'remixer')", name="role"),
    )

    song_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    artist_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    role: Mapped[str]
    weight: Mapped[float] = mapped_column(REAL)


class Track(Table):
    """One release of a song. `uri` is null for lists that name songs only, and then there is one track a song."""

    __tablename__ = "track"
    __table_args__ = (
        Index(None, "song_id"),
        Index("track_song_without_uri_key", "song_id", unique=True, postgresql_where=text("uri IS NULL")),
    )

    id: Mapped[int] = _own_id()
    song_id: Mapped[int]
    uri: Mapped[str | None] = mapped_column(unique=True)
    title: Mapped[str]
    album: Mapped[str | None]
    duration_ms: Mapped[int | None] = mapped_column(Integer)


class Title(Table):
    """A distinct normalised playlist title; what is embedded, and what votes."""

    __tablename__ = "title"
    __table_args__ = (
        Index("title_name_trgm_idx", "name", postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"}),
    )

    id: Mapped[int] = _own_id()
    name: Mapped[str] = mapped_column(unique=True)


class Playlist(Table):
    """A titled list of tracks; `title_id` is null where the title is blank."""

    __tablename__ = "playlist"
    __table_args__ = (UniqueConstraint("source_id", "external_id"), Index(None, "title_id"))

    id: Mapped[int] = _own_id()
    source_id: Mapped[int]
    external_id: Mapped[str]
    title_id: Mapped[int | None]
    name: Mapped[str]
    description: Mapped[str | None]
    followers: Mapped[int | None] = mapped_column(Integer)
    snapshot: Mapped[date | None]
    entries: Mapped[int] = mapped_column(Integer)
    content_hash: Mapped[int]


class PlaylistTrack(Table):
    """One entry of a playlist; positions count from 0 and keep the place of rejected entries."""

    __tablename__ = "playlist_track"
    __table_args__ = (Index(None, "track_id"),)

    playlist_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    track_id: Mapped[int]


class Dj(Table):
    """Who played tracklists."""

    __tablename__ = "dj"
    __table_args__ = (
        Index("dj_name_trgm_idx", "name", postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"}),
    )

    id: Mapped[int] = _own_id()
    name: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)


class Tracklist(Table):
    """What was played in one set or show, in order."""

    __tablename__ = "tracklist"
    __table_args__ = (UniqueConstraint("source_id", "external_id"), Index(None, "played_on"))

    id: Mapped[int] = _own_id()
    source_id: Mapped[int]
    external_id: Mapped[str]
    title: Mapped[str]
    played_on: Mapped[date | None]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    entries: Mapped[int] = mapped_column(Integer)
    content_hash: Mapped[int]


class TracklistDj(Table):
    """The DJs of a tracklist, in the order of its title."""

    __tablename__ = "tracklist_dj"
    __table_args__ = (Index(None, "dj_id"),)

    tracklist_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    dj_id: Mapped[int]


class TracklistTrack(Table):
    """One song of a tracklist; `song_id` is null where it is unidentified, and `credit` then keeps what was written."""

    __tablename__ = "tracklist_track"
    __table_args__ = (Index(None, "song_id"),)

    tracklist_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    song_id: Mapped[int | None]
    cue_seconds: Mapped[int | None] = mapped_column(Integer)
    credit: Mapped[str | None]


# --- models, and what is learned of titles ---------------------------------------------------------------------


class Model(Table):
    """A model that was trained or exported: its files are a folder, this row says what they are."""

    __tablename__ = "model"
    __table_args__ = (
        UniqueConstraint("kind", "fingerprint"),
        Index("model_one_current_key", "kind", unique=True, postgresql_where=text("is_current")),
    )

    id: Mapped[int] = _own_id()
    kind: Mapped[str]
    name: Mapped[str]
    base: Mapped[str | None]
    revision: Mapped[str | None]
    dimension: Mapped[int] = mapped_column(Integer)
    fingerprint: Mapped[str]
    """Hash of the weights: the same folder registered twice is one model."""
    folder: Mapped[str]
    config: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    metrics: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    snapshot_hash: Mapped[str | None]
    is_current: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """The one of its kind that answers where none is named."""
    profiled_at: Mapped[datetime | None]
    """When what it answers from was last put into tables whole: title profiles, vectors, forecasts.

    Of a model of tracklists: when those that it answers from had last changed.
    """
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TitleEmbedding(Table):
    """A title's unit vector under one model."""

    __tablename__ = "title_embedding"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    title_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    embedding: Mapped[Any] = mapped_column(VECTOR)


class TitleProfile(Table):
    """What a title votes for: its songs' most held tracks with weights, heaviest first, in two arrays of one length."""

    __tablename__ = "title_profile"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    title_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    playlists: Mapped[int] = mapped_column(Integer)
    track_ids: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    weights: Mapped[list[float]] = mapped_column(ARRAY(REAL))


class LearnedProfile(Table):
    """The tracks that a title's adapter expects in playlists of the title, with probabilities, likeliest first."""

    __tablename__ = "learned_profile"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    title_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    track_ids: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    weights: Mapped[list[float]] = mapped_column(ARRAY(REAL))


class ArtistProfile(Table):
    """What a title that names an artist votes for: tracks with weights that sum to at most 1, heaviest first."""

    __tablename__ = "artist_profile"
    __table_args__ = (
        Index(None, "model_id", "key"),
        Index("artist_profile_key_trgm_idx", "key", postgresql_using="gin", postgresql_ops={"key": "gin_trgm_ops"}),
    )

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    artist_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str]
    """The key of the artist's name."""
    playlists: Mapped[int] = mapped_column(Integer)
    """Playlists that hold the artist."""
    meant: Mapped[float] = mapped_column(REAL)
    """The share of the artist's tracks in playlists whose title names him, 0 to 1, smoothed by how names fare."""
    track_ids: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    weights: Mapped[list[float]] = mapped_column(ARRAY(REAL))


class SongProfile(Table):
    """What a title that is the name of songs votes for: tracks with weights of sum 1, those songs first.

    `song_id` is the most held song of the name.
    """

    __tablename__ = "song_profile"
    __table_args__ = (
        Index(None, "model_id", "key"),
        Index("song_profile_key_trgm_idx", "key", postgresql_using="gin", postgresql_ops={"key": "gin_trgm_ops"}),
    )

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    song_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str]
    """The key of the songs' name."""
    playlists: Mapped[int] = mapped_column(Integer)
    """Playlists that hold one of the songs."""
    meant: Mapped[float] = mapped_column(REAL)
    """The part of the playlists of such a title that holds one of the songs, smoothed by how names fare."""
    track_ids: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    weights: Mapped[list[float]] = mapped_column(ARRAY(REAL))


# --- what is learned of tracklists -----------------------------------------------------------------------------


class SongEmbedding(Table):
    """A song's unit vector under one tracklist model, in one space with the DJs'."""

    __tablename__ = "song_embedding"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    song_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    embedding: Mapped[Any] = mapped_column(VECTOR)


class SongLikeness(Table):
    """A song's unit vector under one tracklist model, near those of songs that it goes with."""

    __tablename__ = "song_likeness"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    song_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    embedding: Mapped[Any] = mapped_column(VECTOR)


class ArtistEmbedding(Table):
    """An artist's unit vector under one tracklist model."""

    __tablename__ = "artist_embedding"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    artist_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    embedding: Mapped[Any] = mapped_column(VECTOR)


class DjEmbedding(Table):
    """A DJ's unit vector under one tracklist model."""

    __tablename__ = "dj_embedding"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    dj_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    embedding: Mapped[Any] = mapped_column(VECTOR)


class DjForecast(Table):
    """The songs that a DJ is expected to play, with scores, best first; known ones and new ones in one order."""

    __tablename__ = "dj_forecast"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    dj_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    song_ids: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    scores: Mapped[list[float]] = mapped_column(ARRAY(REAL))
    is_known: Mapped[list[bool]] = mapped_column(ARRAY(Boolean))
    """Whether the DJ played the song before."""


class SongMembership(Table):
    """How far a song belongs to clusters under a tracklist model: the likeliest ones of each of three levels.

    Level after level, the smallest clusters first, and in a level the likeliest first, as many places a level; a place
    that is not taken has cluster -1 and probability 0. The view `song_cluster` gives them as rows.
    """

    __tablename__ = "song_membership"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    song_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    clusters: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    probabilities: Mapped[list[float]] = mapped_column(ARRAY(REAL))
    is_acapella: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """Whether the song is a voice alone, which lists do without; told by its name, once."""


# --- playlists divided and grouped -----------------------------------------------------------------------------


class Split(Table):
    """Playlists divided into train, validation and test, seeded."""

    __tablename__ = "split"
    __table_args__ = (CheckConstraint("protocol IN ('clean', 'seed')", name="protocol"),)

    id: Mapped[int] = _own_id()
    name: Mapped[str] = mapped_column(unique=True)
    protocol: Mapped[str]
    seed: Mapped[int]
    config: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PlaylistSplit(Table):
    """The part that a playlist belongs to in one split."""

    __tablename__ = "playlist_split"
    __table_args__ = (CheckConstraint("part IN ('train', 'validation', 'test')", name="part"),)

    split_id: Mapped[int] = mapped_column(ForeignKey("split.id", ondelete="CASCADE"), primary_key=True)
    playlist_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    part: Mapped[str]


class Clustering(Table):
    """One clustering of playlists by the content of their tracks' titles; `split_id` says on whose train part."""

    __tablename__ = "clustering"
    __table_args__ = (
        Index("clustering_one_current_key", "is_current", unique=True, postgresql_where=text("is_current")),
    )

    id: Mapped[int] = _own_id()
    encoder_name: Mapped[str]
    encoder_fingerprint: Mapped[str]
    split_id: Mapped[int | None] = mapped_column(ForeignKey("split.id", ondelete="CASCADE"))
    clusters: Mapped[int] = mapped_column(Integer)
    config: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    metrics: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    is_current: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Cluster(Table):
    """One cluster; `exact_match` is the share in percent of its playlists that carry its most frequent title."""

    __tablename__ = "cluster"

    clustering_id: Mapped[int] = mapped_column(ForeignKey("clustering.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    playlists: Mapped[int] = mapped_column(Integer)
    exact_match: Mapped[float] = mapped_column(REAL)
    top_titles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """Most frequent titles, the first one first."""
    is_miscellaneous: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    centroid: Mapped[Any] = mapped_column(VECTOR)


class PlaylistCluster(Table):
    """The cluster of a playlist and its distance from the centroid."""

    __tablename__ = "playlist_cluster"

    clustering_id: Mapped[int] = mapped_column(ForeignKey("clustering.id", ondelete="CASCADE"), primary_key=True)
    playlist_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cluster: Mapped[int] = mapped_column(Integer)
    distance: Mapped[float] = mapped_column(REAL)


# --- people ----------------------------------------------------------------------------------------------------


class Listener(Table):
    """Somebody who likes and dislikes; all that is known of him stands here and in the tables that name him."""

    __tablename__ = "listener"

    id: Mapped[int] = _own_id()
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ListenerSong(Table):
    """How much a listener likes a song, 1 where nothing else is said; below 0 he dislikes it."""

    __tablename__ = "listener_song"
    __table_args__ = (CheckConstraint("score <> 0", name="score"),)

    listener_id: Mapped[int] = mapped_column(ForeignKey("listener.id", ondelete="CASCADE"), primary_key=True)
    song_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    score: Mapped[float] = mapped_column(REAL)


class ListenerArtist(Table):
    """The same of an artist: it holds for his songs, those where he is featured and his remixes."""

    __tablename__ = "listener_artist"
    __table_args__ = (CheckConstraint("score <> 0", name="score"),)

    listener_id: Mapped[int] = mapped_column(ForeignKey("listener.id", ondelete="CASCADE"), primary_key=True)
    artist_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    score: Mapped[float] = mapped_column(REAL)


# --- results ---------------------------------------------------------------------------------------------------


class EvaluationRun(Table):
    """One method on one part of a split, with how many playlists were answered."""

    __tablename__ = "evaluation_run"

    id: Mapped[int] = _own_id()
    subject: Mapped[str]
    """What was asked for: `titles`, or a category of the challenge."""
    method: Mapped[str]
    split_id: Mapped[int | None] = mapped_column(ForeignKey("split.id", ondelete="CASCADE"))
    part: Mapped[str]
    playlists: Mapped[int] = mapped_column(Integer)
    config: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    seconds: Mapped[float] = mapped_column(REAL)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EvaluationMetric(Table):
    """A metric of one run at one cut, with the bounds of its bootstrap interval."""

    __tablename__ = "evaluation_metric"

    run_id: Mapped[int] = mapped_column(ForeignKey("evaluation_run.id", ondelete="CASCADE"), primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    k: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    value: Mapped[float] = mapped_column(REAL)
    low: Mapped[float] = mapped_column(REAL)
    high: Mapped[float] = mapped_column(REAL)
