"""Playlists continued: tracks for a title, for given tracks, for what somebody likes, or for several of these."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt

import psycopg
from psycopg.rows import class_row

from recsys.catalog.listed import ListedTrack
from recsys.titles.recommend import Filters, LoadEncoder, recommend

SPOTIFY_TRACK = "^spotify:track:[0-9A-Za-z]{22}$"
"""The URI of a Spotify track, for Python and for Postgres."""

SONG_OF = "SELECT id, song_id FROM track WHERE id = ANY(%s) ORDER BY id"

MAY_APPEAR = """
t.song_id <> ALL (%(songs)s::bigint[])
   AND NOT EXISTS (SELECT FROM song_artist AS sa
                    WHERE sa.song_id = t.song_id AND sa.artist_id = ANY (%(artists)s::bigint[]))
   AND (%(uri)s::text IS NULL OR t.uri ~ %(uri)s)
"""

CONTINUE = f"""
SELECT 0 AS rank, b.track AS track_id, t.song_id, s.title, s.version, s.artist, t.uri, t.duration_ms, b.score
  FROM (SELECT * FROM continue_ballot(%(seeds)s::bigint[], %(model)s, %(playlists)s, %(sample)s, %(artist_share)s,
                                        %(weights)s::float8[])
         ORDER BY score DESC, track LIMIT %(read)s) AS b
  JOIN track AS t ON t.id = b.track
  JOIN song AS s ON s.id = t.song_id
 WHERE {MAY_APPEAR}
 ORDER BY b.score DESC, b.track
 LIMIT %(depth)s
"""  # noqa: S608 -- our text

# The most held tracks, a song once; then what is left of songs that are there already.
MOST_HELD = f"""
WITH asked AS (
  SELECT (SELECT (m.config ->> 'split')::bigint
            FROM model AS m
           WHERE m.kind = 'title-recommender'
             AND CASE WHEN %(model)s::bigint IS NULL THEN m.is_current ELSE m.id = %(model)s END) AS split
), held AS (
  SELECT st.track_id, st.playlists FROM asked JOIN track_stats AS st ON asked.split IS NULL
   UNION ALL
  SELECT pt.track_id, count(*)
    FROM asked
    JOIN playlist_split AS ps ON ps.split_id = asked.split AND ps.part = 'train'
    JOIN playlist_track AS pt ON pt.playlist_id = ps.playlist_id
   GROUP BY pt.track_id
), fresh AS (
  SELECT t.id, t.song_id, t.uri, t.duration_ms, h.playlists,
         t.song_id = ANY (%(there_songs)s::bigint[])
         OR row_number() OVER (PARTITION BY t.song_id ORDER BY h.playlists DESC NULLS LAST, t.id) > 1 AS is_repeated
    FROM track AS t LEFT JOIN held AS h ON h.track_id = t.id
   WHERE t.id <> ALL (%(there)s::bigint[]) AND {MAY_APPEAR}
), chosen AS (
  SELECT * FROM fresh ORDER BY is_repeated, playlists DESC NULLS LAST, id LIMIT %(limit)s
)
SELECT 0 AS rank, c.id AS track_id, c.song_id, s.title, s.version, s.artist, c.uri, c.duration_ms,
       0::double precision AS score
  FROM chosen AS c JOIN song AS s ON s.id = c.song_id
 ORDER BY c.is_repeated, c.playlists DESC NULLS LAST, c.id
"""  # noqa: S608 -- our text

MAIN_ARTISTS = "SELECT song_id, artist_id FROM song_artist WHERE role = 'main' AND song_id = ANY(%s)"

SPARE = 1_000
"""Tracks beyond those asked for that each vote is read to, so that the two meet."""

READ = 5_000
"""Tracks beyond those asked for among which the filters choose."""


@dataclass(frozen=True)
class Continuation:
    """How given tracks vote, and how their vote meets the title's.

    The defaults were chosen on the validation part of a split of the MPD, over the challenge's categories; near them
    the result is flat.
    """

    title_share: float = 0.35
    """The title's part of all votes beside one given track; beside n tracks it is this over sqrt(n)."""
    artist_share: float = 0.1
    """What the artists of the given tracks have of the tracks' vote."""
    playlists: int = 1000
    """Playlists that vote, those nearest to the given tracks."""
    sample: int = 2000
    """Playlists that are read of one given track."""
    like_share: float = 0.2
    """What the tracks that somebody likes have of all votes beside a title or given tracks."""
    likes_sample: int = 200_000
    """Playlists that are read of all liked tracks together, as far as each is read in at most `sample`."""


DEFAULT = Continuation()
UNFILTERED = Filters()
NO_LIKES: Mapping[int, float] = {}


TRACKS_OF_SONGS = """
SELECT k.song, coalesce(st.track_id, (SELECT min(t.id) FROM track AS t WHERE t.song_id = k.song))
  FROM unnest(%s::bigint[]) WITH ORDINALITY AS k (song, place)
  LEFT JOIN song_stats AS st ON st.song_id = k.song
 ORDER BY k.place
"""


def tracks_of_songs(connection: psycopg.Connection, songs: Sequence[int]) -> dict[int, int]:
    """The most held track of each song, in order, its oldest one where none is counted yet; songs without a track are
    left out.
    """
    rows = connection.execute(TRACKS_OF_SONGS, (list(songs),)).fetchall()
    return {song: track for song, track in rows if track is not None}


def liked_tracks(connection: psycopg.Connection, likes: Mapping[int, float]) -> dict[int, float]:
    """The tracks of liked songs with the songs' scores, for `continue_playlist`."""
    return {track: likes[song] for song, track in tracks_of_songs(connection, list(likes)).items()}


def continue_playlist(
    connection: psycopg.Connection,
    title: str | None,
    seeds: Sequence[int],
    n: int,
    *,
    likes: Mapping[int, float] = NO_LIKES,
    filters: Filters = UNFILTERED,
    needs_uri: bool = False,
    model: int | None = None,
    load_encoder: LoadEncoder | None = None,
    parameters: Continuation = DEFAULT,
) -> list[ListedTrack]:
    """Tracks that go on with a playlist, best first: a song once, and none of the given ones; liked ones may appear.

    Where the votes bring fewer than n, the most held tracks follow with a score of 0, and behind them further tracks of
    songs that are there already: there are fewer than n only where the filters leave no more in the catalogue.

    Args:
        connection: an open connection.
        title: as a person writes it, or None.
        seeds: ids of the given tracks; an id that the catalogue does not have is passed over.
        n: how many tracks.
        likes: tracks that somebody likes, by id with weights above 0; they vote too.
        filters: what must not appear.
        needs_uri: leave out what has no URI of a Spotify track.
        model: the recommender that answers, the current one if None; one that was built from the train part of a split
            hears no other playlist.
        load_encoder: as for `recommend`.
        parameters: how the votes are cast and joined.

    Raises:
        UnknownNameError: the title is blank.
        NotReadyError: there is a title, and none are embedded yet.
        EncoderError: the title is unseen and the encoder's files are gone.
    """
    seed_songs: dict[int, int] = dict(connection.execute(SONG_OF, (list(seeds),)).fetchall())
    title_share = parameters.title_share / sqrt(len(seed_songs)) if seed_songs else 1.0
    hidden = {*filters.songs, *seed_songs.values()}
    barred: dict[str, object] = {
        "model": model,
        "artists": list(filters.artists),
        "uri": SPOTIFY_TRACK if needs_uri else None,
    }
    votes: list[tuple[float, Sequence[ListedTrack]]] = []
    like_share = 0.0 if not likes else parameters.like_share if seed_songs or title is not None else 1.0
    if seed_songs:
        share = (1 - like_share) * (1.0 if title is None else 1 - title_share)
        given = dict.fromkeys(seed_songs, 1.0)
        votes.append((share, _votes_of(connection, given, n, hidden, barred, parameters)))
    if title is not None:
        depth = n + SPARE + len(seed_songs)
        without = Filters(filters.songs, filters.artists)
        answer = recommend(connection, title, depth, filters=without, model=model, load_encoder=load_encoder)
        left = [t for t in answer.tracks if t.song_id not in hidden]
        votes.append(((1 - like_share) * title_share, [t for t in left if not needs_uri or is_spotify_track(t.uri)]))
    if likes:
        sample = min(parameters.sample, max(parameters.likes_sample // len(likes), 1))
        heard = replace(parameters, sample=sample)
        votes.append((like_share, _votes_of(connection, likes, n, hidden, barred, heard)))
    candidates = _joined(votes)
    tracks = _first(connection, candidates, n, filters.max_per_artist)
    if len(tracks) < n:
        rest = barred | {
            "songs": list(filters.songs),
            "there": [*seed_songs, *(track.track_id for track in candidates)],
            "there_songs": [*seed_songs.values(), *(track.song_id for track in candidates)],
            "limit": n - len(tracks) if filters.max_per_artist is None else None,
        }
        candidates += _listed(connection, MOST_HELD, rest)
        tracks = _first(connection, candidates, n, filters.max_per_artist)
    return [replace(track, rank=rank) for rank, track in enumerate(tracks, start=1)]


def is_spotify_track(uri: str | None) -> bool:
    """Say whether a URI is one of a Spotify track."""
    return uri is not None and re.match(SPOTIFY_TRACK, uri) is not None and not uri.endswith("\n")


def _votes_of(
    connection: psycopg.Connection,
    tracks: Mapping[int, float],
    n: int,
    hidden: Iterable[int],
    barred: Mapping[str, object],
    parameters: Continuation,
) -> list[ListedTrack]:
    """What tracks with weights vote for, without hidden songs."""
    given: dict[str, object] = {"seeds": list(tracks), "weights": list(tracks.values()), "songs": list(hidden)}
    cut = {"depth": n + SPARE, "read": n + READ}
    return _listed(connection, CONTINUE, {**barred, **asdict(parameters), **given, **cut})


def _listed(connection: psycopg.Connection, query: str, given: dict[str, object]) -> list[ListedTrack]:
    with connection.cursor(row_factory=class_row(ListedTrack)) as cursor:
        return cursor.execute(query.encode(), given).fetchall()


def _joined(votes: Iterable[tuple[float, Sequence[ListedTrack]]]) -> list[ListedTrack]:
    """The tracks of all votes, best first, ties by id; a song once, as the track that the first vote has for it."""
    scores: dict[int, float] = defaultdict(float)
    tracks: dict[int, ListedTrack] = {}
    for share, voted in votes:
        heard = set()
        for track in voted:
            if track.song_id not in heard:
                heard.add(track.song_id)
                scores[track.song_id] += share * track.score
                tracks.setdefault(track.song_id, track)
    best = sorted(tracks.values(), key=lambda track: (-scores[track.song_id], track.track_id))
    return [
        ListedTrack(0, t.track_id, t.song_id, t.title, t.version, t.artist, t.uri, t.duration_ms, scores[t.song_id])
        for t in best
    ]


def _first(
    connection: psycopg.Connection, tracks: Sequence[ListedTrack], n: int, max_per_artist: int | None
) -> list[ListedTrack]:
    """The first n tracks, at most `max_per_artist` of one main artist."""
    if max_per_artist is None:
        return list(tracks[:n])
    artists: dict[int, list[int]] = {}
    for song, artist in connection.execute(MAIN_ARTISTS, ([track.song_id for track in tracks],)):
        artists.setdefault(song, []).append(artist)
    shown: Counter[int] = Counter()
    first: list[ListedTrack] = []
    for track in tracks:
        own = artists.get(track.song_id, [])
        if len(first) < n and all(shown[artist] < max_per_artist for artist in own):
            shown.update(own)
            first.append(track)
    return first
