"""Playlists divided into train, validation and test: at random, or at random inside every cluster."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

from recsys.config import Settings
from recsys.database import connect, copy_rows, require_migrated, translated_errors, writer_lock
from recsys.errors import NotReadyError, SettingsError, UnknownNameError
from recsys.progress import Progress, silent
from recsys.titles.forget import delete_recommenders, remove_folders
from recsys.titles.snapshot import PARTS, Part

Protocol = Literal["clean", "seed"]
Fractions = tuple[float, float, float]

FRACTIONS: Fractions = (0.8, 0.1, 0.1)

# In an order that does not depend on how, or in which order, the rows came into the database.
CLEAN_PLAYLISTS = """
SELECT p.id, 0
  FROM playlist AS p JOIN source AS s ON s.id = p.source_id
 WHERE p.title_id IS NOT NULL
   AND EXISTS (SELECT FROM playlist_track AS pt WHERE pt.playlist_id = p.id)
 ORDER BY s.name COLLATE "C", p.external_id COLLATE "C"
"""

SEED_PLAYLISTS = """
SELECT p.id, c.number
  FROM playlist AS p
  JOIN source AS s ON s.id = p.source_id
  JOIN playlist_cluster AS pc ON pc.playlist_id = p.id AND pc.clustering_id = %(clustering)s
  JOIN cluster AS c ON c.clustering_id = pc.clustering_id AND c.number = pc.cluster
 WHERE p.title_id IS NOT NULL
   AND NOT c.is_miscellaneous
   AND EXISTS (SELECT FROM playlist_track AS pt WHERE pt.playlist_id = p.id)
 ORDER BY c.number, s.name COLLATE "C", p.external_id COLLATE "C"
"""

# What was built, and fitted, on the train part of a split that is replaced may hold what the new one holds out.
BUILT_FROM = """
SELECT m.id
  FROM model AS m CROSS JOIN split AS s
 WHERE s.name = %s AND m.kind = 'title-recommender' AND (m.config ->> 'split')::bigint = s.id
"""

LEFT_OUT = """
SELECT count(*) FILTER (WHERE p.title_id IS NULL),
       count(*) FILTER (WHERE p.title_id IS NOT NULL
                          AND NOT EXISTS (SELECT FROM playlist_track AS pt WHERE pt.playlist_id = p.id)),
       count(*)
  FROM playlist AS p
"""

ADD_SPLIT = """
INSERT INTO split (id, name, protocol, seed, config)
SELECT coalesce(max(id), 0) + 1, %(name)s, %(protocol)s, %(seed)s, %(config)s FROM split
RETURNING id
"""


@dataclass(frozen=True)
class SplitSummary:
    """What `make_split` did. `unclustered` playlists are in a miscellaneous cluster, one of under three, or in none."""

    split_id: int
    name: str
    protocol: Protocol
    seed: int
    train: int
    validation: int
    test: int
    without_title: int
    without_tracks: int
    unclustered: int
    clusters: int | None
    """Clusters that are in all three parts; None for the clean protocol."""


def split_id(connection: psycopg.Connection, name: str) -> int:
    """The id of a split.

    Raises:
        UnknownNameError: there is none of this name; the message names those there are.
    """
    ids = {str(there): int(number) for number, there in connection.execute("SELECT id, name FROM split ORDER BY id")}
    if name in ids:
        return ids[name]
    others = f"there are {', '.join(ids)}; " if ids else ""
    raise UnknownNameError(f"there is no split {name!r}: {others}make it with `recsys titles split {name}`")


def part_sizes(playlists: int, fractions: Fractions = FRACTIONS) -> tuple[int, int, int]:
    """How many of at least three playlists go to train, validation and test: one to each at least."""
    _, validation, test = (max(1, round(playlists * fraction)) for fraction in fractions)
    while playlists - validation - test < 1:
        validation, test = (validation - 1, test) if validation >= test else (validation, test - 1)
    return playlists - validation - test, validation, test


def divide(groups: Sequence[Sequence[int]], seed: int, fractions: Fractions = FRACTIONS) -> list[tuple[int, Part]]:
    """Every playlist with its part: each group is shuffled and divided on its own."""
    rng = np.random.default_rng(seed)
    divided: list[tuple[int, Part]] = []
    for group in groups:
        parts = np.repeat(PARTS, part_sizes(len(group), fractions)).tolist()
        divided += zip((group[place] for place in rng.permutation(len(group))), parts, strict=True)
    return divided


def store_split(
    connection: psycopg.Connection,
    name: str,
    divided: Sequence[tuple[int, Part]],
    *,
    protocol: Protocol,
    seed: int,
    config: Mapping[str, object],
) -> int:
    """Store the parts of playlists under a name that is free; returns the split's id. The caller commits."""
    values = {"name": name, "protocol": protocol, "seed": seed, "config": Jsonb(config)}
    [(number,)] = connection.execute(ADD_SPLIT, values).fetchall()
    columns = {"split_id": "int8", "playlist_id": "int8", "part": "text"}
    copy_rows(connection, "playlist_split", columns, ((number, playlist, part) for playlist, part in divided))
    return int(number)


def make_split(
    settings: Settings,
    name: str,
    *,
    protocol: Protocol = "clean",
    seed: int = 0,
    fractions: Fractions = FRACTIONS,
    replace: bool = False,
    progress: Progress = silent,
) -> SplitSummary:
    """Divide the playlists that have a title and a track, and store the parts under a name.

    The same playlists and seed give the same parts, in whatever order they were loaded. `clean` divides all
    playlists at random; `seed` divides every cluster of the current clustering that is not miscellaneous, so that
    each is in all three parts, as the paper does.

    Args:
        settings: where the database is.
        name: letters, digits, `.`, `_` and `-`.
        protocol: `clean` or `seed`.
        seed: of the shuffle.
        fractions: of train, validation and test; they sum to 1.
        replace: whether a split of this name may be replaced; what was clustered, built and measured on it goes too.
        progress: called as work goes on.

    Raises:
        SettingsError: the name is taken or cannot be one, or the fractions cannot be used.
        NotReadyError: there are too few playlists, or no clustering whose miscellaneous clusters are marked.
        BusyError: another process is writing.
    """
    if not re.fullmatch(r"[\w.-]{1,100}", name):
        raise SettingsError(f"{name!r} cannot name a split: use letters, digits, '.', '_' and '-'")
    if not (min(fractions) > 0 and abs(sum(fractions) - 1) < 1e-6):
        raise SettingsError("the fractions of train, validation and test must be above 0 and sum to 1")
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        with writer_lock(connection, settings.db_schema):
            taken = connection.execute("SELECT id FROM split WHERE name = %s", (name,)).fetchone()
            if taken and not replace:
                raise SettingsError(f"there is a split {name!r} already: choose another name, or add --replace")
            progress("reading playlists", 0, 0)
            clustering = _cleaned_clustering(connection) if protocol == "seed" else None
            groups = _groups(connection, clustering)
            if not groups:
                raise NotReadyError("there are not three playlists to divide: load more with `recsys ingest`")
            divided = divide(groups, seed, fractions)
            progress("storing the parts", 0, len(divided))
            built = [model for (model,) in connection.execute(BUILT_FROM, (name,))]
            unneeded = delete_recommenders(settings, connection, built)
            connection.execute("DELETE FROM split WHERE name = %s", (name,))
            config = {"fractions": fractions} | ({} if clustering is None else {"clustering": clustering})
            number = store_split(connection, name, divided, protocol=protocol, seed=seed, config=config)
            [(without_title, without_tracks, playlists)] = connection.execute(LEFT_OUT).fetchall()
            connection.commit()
            remove_folders(unneeded)
            connection.execute("ANALYZE playlist_split")
            connection.commit()
    train, validation, test = (sum(part == wanted for _, part in divided) for wanted in PARTS)
    return SplitSummary(
        split_id=number,
        name=name,
        protocol=protocol,
        seed=seed,
        train=train,
        validation=validation,
        test=test,
        without_title=without_title,
        without_tracks=without_tracks,
        unclustered=playlists - without_title - without_tracks - len(divided),
        clusters=None if clustering is None else len(groups),
    )


def _cleaned_clustering(connection: psycopg.Connection) -> int:
    """The current clustering, of all playlists and with its miscellaneous clusters marked."""
    row = connection.execute(
        "SELECT c.id, c.config ? 'min_exact_match', s.name"
        "  FROM clustering AS c LEFT JOIN split AS s ON s.id = c.split_id WHERE c.is_current"
    ).fetchone()
    if row is None:
        raise NotReadyError(
            "the seed protocol divides clusters: run `recsys titles cluster`, then `recsys titles clean`"
        )
    clustering, is_cleaned, split = row
    if split is not None:
        raise NotReadyError(
            f"the current clusters are those of split {split!r}, the seed protocol needs clusters of all playlists:"
            " run `recsys titles cluster`, then `recsys titles clean`"
        )
    if not is_cleaned:
        raise NotReadyError("miscellaneous clusters are not marked yet: run `recsys titles clean`")
    return int(clustering)


def _groups(connection: psycopg.Connection, clustering: int | None) -> list[list[int]]:
    """Playlists that are divided together; groups of under three cannot be in all parts and are left out."""
    query = CLEAN_PLAYLISTS if clustering is None else SEED_PLAYLISTS
    groups: dict[int, list[int]] = {}
    for playlist, group in connection.execute(query, {"clustering": clustering}):
        groups.setdefault(group, []).append(playlist)
    return [group for group in groups.values() if len(group) >= len(PARTS)]
