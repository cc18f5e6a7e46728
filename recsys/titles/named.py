"""Artists and songs that a title names: what they vote for, and how far a title of their name means them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recsys.names import name_key
from recsys.titles.entries import Entries, ones
from recsys.titles.held import Ids
from recsys.titles.smoothing import most_held

LONGEST_NAME = 6
"""Words of a title that are looked up as one artist's name."""


class ArtistVote(NamedTuple):
    """An artist's songs, heaviest first with weights of sum 1, and how far a title that names him means him."""

    artist: int
    key: str
    playlists: int
    meant: float
    songs: Ids
    weights: npt.NDArray[np.float32]


PRIOR_PLAYLISTS = 2.0
"""How many playlists the average name of its kind counts for against an artist's own."""


class Priors(NamedTuple):
    """How far titles mean the average name."""

    one_word: float
    several_words: float


def artist_votes(
    entries: Entries,
    artists: Sequence[tuple[int, str, str]],
    credited: Any,
    titles: Sequence[str],
    tracks: int,
    priors: Priors | None = None,
) -> tuple[list[ArtistVote], Priors]:
    """What the artists of at least two playlists vote for.

    `meant` is the mean share of an artist's songs in the playlists whose title names him, drawn towards that of all
    artists with as many words in the name: "lady gaga" means the artist, "love" rarely does.

    Args:
        entries: the playlists that may vote.
        artists: id, key and name of each artist.
        credited: which song is by which of `artists`, ones, a csr_matrix (songs, artists).
        titles: names of `entries.title_ids`.
        tracks: songs that are kept.
        priors: what names are drawn towards; worked out, and returned beside the votes, if None.
    """
    lists = len(entries.playlist_ids)
    held = entries.held()
    by_artist = (held @ credited).tocsr()
    lengths = np.maximum(np.diff(held.indptr), 1)
    shares = by_artist.multiply(1 / lengths[:, None]).tocsr()
    per_title = ones(entries.title_of, np.arange(lists), (len(titles), lists))
    title_shares = (per_title @ shares).tocsr()
    title_sizes = np.asarray(per_title.sum(axis=1)).ravel()
    in_playlists = np.asarray((by_artist > 0).sum(axis=0)).ravel()
    place_of = {key: place for place, (_, key, _) in enumerate(artists) if in_playlists[place] > 1}
    sums, sizes = np.zeros(len(artists)), np.zeros(len(artists))
    has_several_words = np.array([" " in name.casefold().removeprefix("the ") for _, _, name in artists], dtype=bool)
    for title, name in enumerate(titles):
        row = None
        for key in named_keys(name):
            place = place_of.get(key)
            if place is None:
                continue
            if row is None:
                own = slice(title_shares.indptr[title], title_shares.indptr[title + 1])
                row = dict(zip(title_shares.indices[own].tolist(), title_shares.data[own].tolist(), strict=True))
            sums[place] += row.get(place, 0.0)
            sizes[place] += title_sizes[title]
    holders = np.asarray(held.sum(axis=0)).ravel()
    priors = priors or _priors(sums, sizes, has_several_words)
    meant = _drawn(sums, sizes, has_several_words, priors)
    songs_of = credited.tocsc()
    votes = []
    for key, place in place_of.items():
        songs = songs_of.indices[songs_of.indptr[place] : songs_of.indptr[place + 1]].astype(np.int64)
        songs = songs[holders[songs] > 0]
        best = songs[np.lexsort((songs, -holders[songs]))][:tracks]
        weights = (holders[best] / holders[songs].sum()).astype(np.float32)
        votes.append(ArtistVote(artists[place][0], key, int(in_playlists[place]), float(meant[place]), best, weights))
    return votes, priors


def _priors(sums: npt.NDArray[Any], sizes: npt.NDArray[Any], has_several_words: npt.NDArray[np.bool_]) -> Priors:
    kinds = (~has_several_words, has_several_words)
    return Priors(*(float(sums[kind].sum() / max(sizes[kind].sum(), 1)) for kind in kinds))


def _drawn(
    sums: npt.NDArray[Any], sizes: npt.NDArray[Any], has_several_words: npt.NDArray[np.bool_], priors: Priors
) -> npt.NDArray[np.float64]:
    """sums / sizes of each name, drawn towards that of all names of one word, or of several."""
    prior = np.where(has_several_words, priors.several_words, priors.one_word)
    drawn: npt.NDArray[np.float64] = (sums + PRIOR_PLAYLISTS * prior) / (sizes + PRIOR_PLAYLISTS)
    return drawn


def named_keys(title: str) -> set[str]:
    """Keys of all runs of up to LONGEST_NAME words of a title."""
    words = title.split()
    runs = [
        words[first:last]
        for first in range(len(words))
        for last in range(first + 1, min(first + LONGEST_NAME, len(words)) + 1)
    ]
    return {key for run in runs if (key := name_key(" ".join(run)))}


class SongVote(NamedTuple):
    """What a title that is the name of songs votes for: those songs, and the ones that stand beside them in playlists.

    `song` is the most held song of the name; weights have sum 1.
    """

    song: int
    key: str
    playlists: int
    """Those that hold one of the songs."""
    meant: float
    """The part of the playlists of such a title that holds one of the songs."""
    songs: Ids
    weights: npt.NDArray[np.float32]


NAMED_SONGS = 20_000
"""Songs whose names are known, the most held ones."""

OWN_SHARE = 0.2
"""What songs of the name have of their vote; the rest is their neighbours'."""

NEIGHBOURS = 100
"""Songs beside them that are voted for."""

LISTS_READ = 500
"""Playlists in which the neighbours of songs of one name are looked for."""

_KEYS_AT_ONCE = 256


def song_votes(
    entries: Entries,
    places: Ids,
    names: Sequence[str],
    titles: Sequence[str],
    priors: Priors | None = None,
    popularity: npt.NDArray[Any] | None = None,
) -> tuple[list[SongVote], Priors]:
    """What titles that are a song's whole name vote for.

    A neighbour weighs the sum of 1 / (songs + 10) over the playlists with songs of the name, over (holders + 5) ^ .5.
    `meant` is drawn towards that of all names of one word, or of several: "wicked games" means the song.

    Args:
        entries: the playlists that may vote.
        places: the songs whose names are known, see `named_songs`.
        names: of these songs, with all songs of a name that is among them.
        titles: names of `entries.title_ids`.
        priors: what names are drawn towards; worked out, and returned beside the votes, if None.
        popularity: holders of each song, by which neighbours are damped; those of now if None.
    """
    by_key: dict[str, list[int]] = {}
    has_several_words: dict[str, bool] = {}
    for place, name in zip(places.tolist(), names, strict=True):
        if key := name_key(name):
            by_key.setdefault(key, []).append(place)
            has_several_words[key] = has_several_words.get(key, False) or " " in name.strip()
    keys = list(by_key)
    held = entries.held()
    of_key = np.repeat(np.arange(len(keys)), [len(by_key[key]) for key in keys])
    songs_of = ones(
        of_key, np.array([s for key in keys for s in by_key[key]], dtype=np.int64), (len(keys), held.shape[1])
    )
    holding = (songs_of @ held.T).tocsr()
    holding.data[:] = 1
    holding.sort_indices()
    sums, sizes = _named_lists(entries, keys, holding, titles)
    several = np.array([has_several_words[key] for key in keys], dtype=bool)
    priors = priors or _priors(sums, sizes, several)
    meant = _drawn(sums, sizes, several, priors)
    holders = np.asarray(held.sum(axis=0)).ravel()
    popularity = holders if popularity is None else popularity
    weighed = sparse.diags(1 / (np.diff(held.indptr) + 10.0)) @ held
    votes = []
    for first in range(0, len(keys), _KEYS_AT_ONCE):
        block = slice(first, min(first + _KEYS_AT_ONCE, len(keys)))
        beside = (_thinned(holding[block]) @ weighed).tocsr()
        for place in range(block.start, block.stop):
            own = np.array(by_key[keys[place]])
            own = own[np.lexsort((own, -holders[own]))]
            row = slice(*beside.indptr[place - first : place - first + 2])
            songs, values = _neighbours(beside.indices[row], beside.data[row], own, popularity)
            own_share = OWN_SHARE if len(songs) else 1.0
            weights = [own_share * holders[own] / holders[own].sum(), (1 - own_share) * values]
            votes.append(
                SongVote(
                    int(own[0]),
                    keys[place],
                    int(holding.indptr[place + 1] - holding.indptr[place]),
                    float(meant[place]),
                    np.concatenate([own, songs]),
                    np.concatenate(weights).astype(np.float32),
                )
            )
    return votes, priors


def named_songs(holders: npt.NDArray[np.int64], known: Ids | None = None, least: int = 1) -> Ids:
    """The places of the songs whose names are known, of those that are held.

    Args:
        holders: playlists that hold each song.
        known: those that were the most held ones once; those of now, in two playlists at least, if None.
        least: further ones are in more playlists than so many.
    """
    if known is None:
        return most_held(holders, NAMED_SONGS)
    is_known = holders > least
    is_known[known] = True
    return np.flatnonzero(is_known & (holders > 0))


def least_held(holders: npt.NDArray[np.int64], named: Ids) -> int:
    """Holders of the last of the most held songs where not all were taken, else 1."""
    return int(holders[named].min()) if len(named) == NAMED_SONGS else 1


def _named_lists(
    entries: Entries, keys: Sequence[str], holding: Any, titles: Sequence[str]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Of the playlists whose title is a name: how many hold one of its songs, and how many there are."""
    place_of = {key: place for place, key in enumerate(keys)}
    title_key = np.array([place_of.get(name_key(title), -1) for title in titles], dtype=np.int64)
    asked = title_key[entries.title_of]
    lists = np.flatnonzero(asked >= 0)
    sizes = np.bincount(asked[lists], minlength=len(keys))
    is_held = np.asarray(holding[asked[lists], lists]).ravel() if len(lists) else np.zeros(0)
    return np.bincount(asked[lists], is_held, minlength=len(keys)), sizes


def _thinned(holding: Any) -> Any:
    """The same rows with at most LISTS_READ playlists each, evenly spread."""
    kept = []
    for first, last in pairwise(holding.indptr.tolist()):
        step = max((last - first) / LISTS_READ, 1)
        kept.append((first + np.arange(min(last - first, LISTS_READ)) * step).astype(np.int64))
    starts = np.concatenate([[0], np.cumsum([len(row) for row in kept])])
    chosen = np.concatenate(kept)
    return sparse.csr_matrix((holding.data[chosen], holding.indices[chosen], starts), shape=holding.shape)


def _neighbours(
    songs: Ids, values: npt.NDArray[np.float64], own: Ids, holders: npt.NDArray[Any]
) -> tuple[Ids, npt.NDArray[np.float64]]:
    """The heaviest songs beside `own`, with weights of sum 1."""
    is_other = ~np.isin(songs, own)
    songs, values = songs[is_other].astype(np.int64), values[is_other] / np.sqrt(holders[songs[is_other]] + 5)
    best = np.lexsort((songs, -values))[:NEIGHBOURS]
    return songs[best], values[best] / max(values[best].sum(), 1e-300)
