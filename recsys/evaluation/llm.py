"""The paper's baseline of a language model: it is asked for songs for a title, and they are found in the catalogue.

Any endpoint that speaks OpenAI's chat completions will do; `RECSYS_LLM_URL` and `RECSYS_LLM_MODEL` name it. As in
Charolois-Pasqua et al. (RecSys 2025), the prompt shows no example, one or five.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, LiteralString, NamedTuple

import psycopg

from recsys.catalog import NamedSong
from recsys.config import Settings
from recsys.errors import NotReadyError, SettingsError
from recsys.evaluation.llm_answers import Mention, read_answer
from recsys.evaluation.llm_endpoint import Endpoint
from recsys.names import SEPARATOR, name_key, parse_credit, song_name

Shots = Literal[0, 1, 5]

INSTRUCTION = (
    "You fill playlists with songs. You are given a playlist's title and how many songs it needs. Answer with that many"
    ' different songs that really exist, best fitting first, one a line as "Artist - Title", and with nothing else.'
)

ALIKE = 0.6
"""Trigram similarity from which two names of an artist, or of a song, are taken as one."""

EXACT = """
SELECT DISTINCT ON (q.place) q.place, h.track_id
  FROM unnest(%(place)s::integer[], %(reading)s::integer[], %(key)s::text[]) AS q(place, reading, key)
  JOIN song AS s ON s.key = q.key
  JOIN song_stats AS h ON h.song_id = s.id
 WHERE h.track_id IS NOT NULL
 ORDER BY q.place, q.reading
"""

# The artist is the one of this key, or where there is none those whose keys are alike from the first two letters on, so
# that one pass over all artists compares few; the song is one of theirs whose title is alike and has the same digits.
# A version that was named must be the song's, without one it may be any.
FUZZY = r"""
WITH asked AS (
  SELECT * FROM unnest(%(place)s::integer[], %(reading)s::integer[], %(artist)s::text[], %(title)s::text[],
                       %(version)s::text[]) AS q(place, reading, artist, title, version)
),
near_artist AS MATERIALIZED (
  SELECT q.artist, a.id, similarity(a.key, q.artist) AS likeness
    FROM (SELECT DISTINCT artist, EXISTS (SELECT FROM artist WHERE key = asked.artist) AS is_known FROM asked) AS q
    JOIN artist AS a ON left(a.key, 2) = left(q.artist, 2)
   WHERE CASE WHEN q.is_known THEN a.key = q.artist ELSE similarity(a.key, q.artist) >= %(alike)s END
)
SELECT DISTINCT ON (q.place) q.place, h.track_id
  FROM asked AS q
  JOIN near_artist AS a USING (artist)
  JOIN song_artist AS sa ON sa.artist_id = a.id
  JOIN song AS s ON s.id = sa.song_id
  JOIN song_stats AS h ON h.song_id = s.id
 CROSS JOIN LATERAL (SELECT split_part(s.key, %(separator)s, 2) AS title,
                            split_part(s.key, %(separator)s, 3) AS version,
                            similarity(split_part(s.key, %(separator)s, 2), q.title) AS likeness) AS t
 WHERE h.track_id IS NOT NULL AND t.likeness >= %(alike)s AND q.version IN ('', t.version)
   AND regexp_replace(t.title, '\D', '', 'g') = regexp_replace(q.title, '\D', '', 'g')
 ORDER BY q.place, a.likeness * t.likeness DESC, q.reading, t.version <> q.version, h.playlists DESC, s.id
"""

# In an order that does not depend on how, or in which order, the rows came into the database.
EXAMPLES = """
SELECT c.place, c.name, s.artist, s.title, s.version
  FROM (SELECT p.id, p.name,
               row_number() OVER (ORDER BY hashtextextended(o.name || '/' || p.external_id, %(seed)s), p.id) AS place
          FROM playlist AS p JOIN source AS o ON o.id = p.source_id
         WHERE p.title_id IS NOT NULL AND p.entries >= %(songs)s
           AND (%(split)s::bigint IS NULL
                OR EXISTS (SELECT FROM playlist_split AS x
                            WHERE x.split_id = %(split)s AND x.playlist_id = p.id AND x.part = 'train'))
         ORDER BY place
         LIMIT %(count)s) AS c,
       LATERAL (SELECT t.song_id, min(pt.position) AS position
                  FROM playlist_track AS pt JOIN track AS t ON t.id = pt.track_id
                 WHERE pt.playlist_id = c.id
                 GROUP BY t.song_id
                 ORDER BY position
                 LIMIT %(songs)s) AS e
  JOIN song AS s ON s.id = e.song_id
 ORDER BY c.place, e.position
"""


@dataclass(frozen=True)
class Example:
    """A playlist that the prompt shows: its title and songs as "Artist - Title"."""

    title: str
    songs: tuple[str, ...]


@dataclass(frozen=True)
class LlmAnswer:
    """Tracks of the songs that were named and are in the catalogue, in the answer's order and each once."""

    title: str
    track_ids: list[int]
    named: int
    """Songs that the answer names."""
    unmatched: list[str]
    """Those that the catalogue does not hold, as they were written."""


def read_examples(
    connection: psycopg.Connection, split_id: int | None, count: int, *, songs: int = 10, seed: int = 0
) -> list[Example]:
    """Playlists of a split's train part, or of all, drawn with a seed, with their first songs.

    Raises:
        NotReadyError: there are fewer.
    """
    found: dict[int, tuple[str, list[str]]] = {}
    given = {"split": split_id, "count": count, "songs": songs, "seed": seed}
    for place, title, artist, song, version in connection.execute(EXAMPLES, given):
        found.setdefault(place, (title, []))[1].append(str(NamedSong(0, artist, song, version)))
    if len(found) < count:
        raise NotReadyError(
            f"a prompt with {count} examples needs as many playlists of {songs} tracks, there are {len(found)}:"
            " load more with `recsys ingest`, or ask with fewer shots"
        )
    return [Example(title, tuple(listed)) for title, listed in found.values()]


class LlmRecommender:
    """Asks a language model for the songs of a title.

    Args:
        settings: name the endpoint, its model and its key.
        shots: how many examples the prompt shows.
        timeout: seconds of silence after which an attempt has failed.
        attempts: how often the same is asked where the endpoint is busy or breaks off.
        wait: sleeps between attempts.

    Raises:
        SettingsError: no endpoint or no model is set, or one cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        shots: Shots,
        *,
        timeout: float = 120.0,
        attempts: int = 4,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        if settings.llm_url is None:
            raise SettingsError(
                "no language model is set: set RECSYS_LLM_URL to an OpenAI-compatible endpoint, for example"
                " http://localhost:11434/v1, and RECSYS_LLM_MODEL to a model of it"
            )
        if settings.llm_model is None:
            raise SettingsError("no language model is named: set RECSYS_LLM_MODEL to one of the endpoint's models")
        self.model = settings.llm_model
        self.shots = shots
        self._endpoint = Endpoint(settings.llm_url, settings.llm_key, timeout, attempts, wait)

    def answer(
        self, connection: psycopg.Connection, title: str, n: int = 10, examples: Sequence[Example] = ()
    ) -> LlmAnswer:
        """Ask for n songs and find them in the catalogue; the first `shots` examples are shown.

        Raises:
            NotReadyError: there are fewer examples than the prompt is to show.
            EndpointError: the endpoint cannot be reached or does not answer.
        """
        if len(examples) < self.shots:
            raise NotReadyError(f"a {self.shots}-shot prompt needs as many examples, not {len(examples)}")
        mentions = read_answer(self._endpoint.complete(self.model, prompt(title, n, examples[: self.shots])))
        tracks = match(connection, mentions)
        found = dict.fromkeys(track for track in tracks if track is not None)
        unmatched = [mention.text for mention, track in zip(mentions, tracks, strict=True) if track is None]
        return LlmAnswer(title, list(found)[:n], len(mentions), unmatched)


def prompt(title: str, n: int, examples: Sequence[Example] = ()) -> list[dict[str, str]]:
    """The messages that ask for n songs; each example is a question with its answer."""
    messages = [{"role": "system", "content": INSTRUCTION}]
    for example in examples:
        messages.append({"role": "user", "content": _question(example.title, len(example.songs))})
        messages.append({"role": "assistant", "content": "\n".join(example.songs)})
    return [*messages, {"role": "user", "content": _question(title, n)}]


def _question(title: str, n: int) -> str:
    return f'Title: "{" ".join(title.split())}"\nSongs: {n}'


# --- the catalogue -------------------------------------------------------------------------------------------------


class _Asked(NamedTuple):
    """A reading of a mention as the catalogue's keys."""

    place: int
    reading: int
    artist: str
    title: str
    version: str


def match(connection: psycopg.Connection, mentions: Sequence[Mention]) -> list[int | None]:
    """The most held track of each song that was named: by its key, else by names that are alike; None without one."""
    keys: list[tuple[int, int, str]] = []
    asked: list[_Asked] = []
    for place, mention in enumerate(mentions):
        for reading, (artist, title) in enumerate(mention.readings):
            song = song_name(title, artist, parse_credit(artist, free_text=True).main)
            _, title_key, *version = song.key.split(SEPARATOR)
            artists = {name_key(artist), *(share.key for share in song.artists if share.role == "main")}
            keys.append((place, reading, song.key))
            asked += [_Asked(place, reading, a, title_key, "".join(version)) for a in sorted(artists)]
    exact = _tracks(connection, EXACT, _columns(("place", "reading", "key"), keys))
    left = _columns(_Asked._fields, [row for row in asked if row.place not in exact])
    fuzzy = _tracks(connection, FUZZY, left | {"alike": ALIKE, "separator": SEPARATOR}) if left["place"] else {}
    return [exact.get(place, fuzzy.get(place)) for place in range(len(mentions))]


def _tracks(connection: psycopg.Connection, query: LiteralString, given: dict[str, Any]) -> dict[int, int]:
    return {int(place): int(track) for place, track in connection.execute(query, given)}


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    return {name: [row[column] for row in rows] for column, name in enumerate(names)}
