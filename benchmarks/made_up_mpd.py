"""Write a made-up Million Playlist Dataset: its format and its shape, none of its data.

python benchmarks/made_up_mpd.py OUT_FOLDER --playlists 100000 [--seed 0] [--gzip] [--reduced]

A playlist's title pulls its tracks towards genres and years, and the playlist has a taste of its own besides, so
that titles, co-occurrence and popularity each tell a recommender something. What the words of titles mean is the
same for every seed. Titles are distinct as the MPD's scripts normalise them, which keeps emoji.
"""

import argparse
import gzip as gz
import json
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PLAYLISTS_A_SLICE = 1000
SHORTEST, LONGEST = 5, 250

# One family a line: genre, its share, and the era (an index into ERAS) around which its artists lie.
_GENRES = """
pop 10 5, dance_pop 3 5.5, indie_pop 4 5, kpop 1 6, disco .8 1.3
indie_rock 4.5 4.8, alternative 4 4, rock 4.5 3.5, classic_rock 4.5 1.3, grunge .8 3
punk 1.5 3.5, pop_punk 2 4.2, emo 1.5 4.3, metal 2 3.5, metalcore 1 5
hip_hop 9 5, rap 8 6, trap 4 6.2, r&b 5 4.5, lofi 1 6
soul 2 1, funk 1 1.2, blues 1 1, jazz 1.5 1.5, gospel 1 4
worship 3 5.3, country 7 5, folk 2 4.5, bluegrass .6 3.5, acoustic 3 5
edm 5 6, house 3 5.7, techno 1 5, trance .8 4, dubstep 1.2 5.3, drum_and_bass .6 4.5, electronic 2 5
latin 3 4.5, reggaeton 3 6, salsa .8 3, reggae 1 2.5
classical 1.5 3, ambient .8 5, soundtrack 2 4, christmas 1.5 3
"""
ERAS = ("before 1970", "1970s", "1980s", "1990s", "2000s", "2010-2014", "2015-2017")

# Words of titles, the frequent first: word[:genre+genre][@era][=emoji]; "_" stands for a space.
_GENRE_WORDS = """
country:country=🤠 rap:rap+hip_hop=🔥 rock:rock=🤘 worship:worship=🙏 edm:edm classic_rock:classic_rock
r&b:r&b+soul hip_hop:hip_hop=🎤 alternative:alternative indie:indie_rock+indie_pop pop:pop
spanish:latin+reggaeton latin:latin=💃 reggae:reggae=🌴 jazz:jazz=🎷 classical:classical=🎻 metal:metal=💀
house:house punk:punk folk:folk trap:trap electronic:electronic blues:blues soul:soul dubstep:dubstep
techno:techno acoustic:acoustic=🎸 gospel:gospel=🙌 piano:classical+ambient reggaeton:reggaeton
dance:dance_pop+edm disney:soundtrack broadway:soundtrack=🎭 soundtrack:soundtrack christmas:christmas=🎄
xmas:christmas christian:worship+gospel kpop:kpop emo:emo=🖤 pop_punk:pop_punk funk:funk disco:disco
salsa:salsa trance:trance lofi:lofi ambient:ambient hardcore:metalcore grunge:grunge bluegrass:bluegrass=🪕
indie_rock:indie_rock indie_pop:indie_pop drum_and_bass:drum_and_bass bachata:salsa+latin deep_house:house
hip-hop:hip_hop k-pop:kpop southern_rock:classic_rock+country instrumental:ambient hiphop:hip_hop rnb:r&b
folk_rock:folk+rock praise:worship+gospel cumbia:latin+salsa dancehall:reggae
"""
_MOODS = """
chill:lofi+indie_pop+r&b=🌊 lit:trap+rap=🔥 happy:pop+indie_pop=😊 sad:acoustic+emo+indie_pop=😭
good:pop+indie_pop late_night:r&b+lofi+electronic=🌙 love:r&b+pop+soul=💕 mellow:folk+indie_rock+acoustic
hype:trap+edm+rap=💯 relaxing:ambient+classical+acoustic=🍃 feel_good:pop+soul+funk=✨ slow:r&b+soul
calm:ambient+classical+folk upbeat:dance_pop+pop+funk soft:acoustic+folk dark:metal+electronic+techno
old_school:hip_hop+r&b@3 old:classic_rock+soul@1 new:pop+rap@6 fun:pop+dance_pop
angry:metal+metalcore+punk=😡 romantic:soul+r&b+latin=🌹 sexy:r&b+trap=😏 throwback:pop+hip_hop@4
heartbreak:emo+r&b+country=💔 nostalgic:pop_punk+alternative@4 dope:rap+trap motivational:hip_hop+rock+edm=💪
peaceful:ambient+classical+worship=☮ sunny:reggae+indie_pop+pop=🌞 crazy:edm+trap smooth:jazz+r&b+soul
deep:house+electronic+ambient heavy:metal+metalcore epic:soundtrack+metal groovy:funk+disco+soul
cool:indie_pop+funk random best my favorite real ultimate daily the_best all-time hot:reggaeton+rap
current:pop+rap@6 dreamy:indie_pop+ambient=💭 early:folk+acoustic lazy:lofi+folk+indie_pop
rainy:jazz+acoustic+lofi=☔ wild:edm+country vintage:jazz+soul+disco@0 classic:classic_rock+soul@1
weird:alternative+electronic simple:acoustic+folk sweet:soul+pop
"""
_ACTIVITIES = """
workout:edm+hip_hop+rock=💪 party:dance_pop+hip_hop+edm=🎉 sleep:ambient+classical=😴
running:edm+dance_pop+rap=🏃 gym:trap+rap+metal=🏋 road_trip:classic_rock+country+indie_rock=🚗
study:lofi+ambient+classical=📚 drive:indie_rock+rock+rap car:pop+rap+rock wedding:soul+pop+disco=💍
dinner:jazz+soul+folk=🍷 shower:pop+dance_pop=🚿 driving:rock+indie_rock
work:indie_rock+alternative+electronic beach:reggae+country+latin=🏖 yoga:ambient+electronic=🧘
pool:country+reggaeton+pop bbq:country+funk+soul cleaning:pop+disco+soul homework:lofi+classical+indie_pop
lake:country+classic_rock=🛶 pregame:rap+edm+trap=🍻 morning:folk+indie_pop+acoustic=☕ night:r&b+electronic=🌃
bedtime:ambient+acoustic cruise:r&b+reggae bonfire:country+folk=🔥 warm_up:hip_hop+edm lifting:metal+trap
cooking:jazz+funk+soul club:house+edm+reggaeton camping:folk+bluegrass+country=🏕
coffee_shop:acoustic+jazz+folk=☕ travel:indie_rock+electronic coding:electronic+techno
karaoke:pop+classic_rock+country=🎤 smoke:reggae+hip_hop+lofi tailgate:country+classic_rock=🏈
basketball:rap+trap=🏀 boat:country+reggae hiking:folk+indie_rock dance_party:disco+dance_pop
getting_ready:pop+dance_pop football:rap+rock reading:classical+folk spin:edm+dance_pop+pop prom:pop+hip_hop
graduation:pop+alternative birthday:pop+hip_hop=🎂 cardio:dance_pop+edm nap:ambient+lofi bath:ambient+soul
gaming:dubstep+electronic+drum_and_bass skate:punk+pop_punk
"""
_SEASONS = """
summer:pop+country+reggaeton=☀ fall:folk+indie_rock=🍂 winter:indie_rock+folk+ambient=❄
spring:indie_pop+pop=🌸 january february march april may june july august september october november
december:christmas halloween:soundtrack+metal=🎃 spring_break:edm+rap=🌴 thanksgiving:folk+soul=🦃
holiday:christmas=🎅 weekend:dance_pop+edm friday:dance_pop+hip_hop sunday:folk+soul+worship monday
valentines:r&b+soul 4th_of_july:country+classic_rock senior_year
"""
_YEARS = """
2017@6 2016@6 2015@6 2014@5 2013@5 2012@5 90s@3 80s@2 2000s@4 70s@1 60s@0 50s@0 2010@5 2011@5 90's@3 80's@2
70's@1
"""
_NOUNS = """
mix jams music vibes playlist songs hits tunes throwbacks@4 feels beats bangers:trap+edm mood favorites
party_mix favs time days stuff classics@1 covers:acoustic oldies@0 remixes:edm+house radio anthems:rock+edm
sounds collection ballads tracks
"""
_PLACES = """
nashville:country california:indie_rock+reggae nyc:hip_hop+jazz texas:country london:indie_rock+house
miami:house+latin paris:jazz+electronic hawaii:reggae vegas:edm+house chicago:hip_hop+blues mexico:latin
africa:reggae+gospel austin:indie_rock new_orleans:jazz+blues+funk atlanta:trap+rap seattle:grunge
brazil:latin+jazz cuba:salsa ibiza:house+trance detroit:techno jamaica:reggae italy:classical spain:latin
ireland:folk puerto_rico:reggaeton memphis:blues+soul berlin:techno colombia:reggaeton florida:country+trap
colorado:bluegrass+folk boston:rock la:hip_hop+pop brooklyn:indie_pop tokyo:kpop+electronic europe
"""
_PEOPLE = """
mom's dad's emma's jack's sarah's mike's josh's emily's alex's kate's sam's ben's anna's matt's olivia's
chris's grace's nick's lily's ryan's maria's tyler's hannah's jake's rachel's luke's megan's david's
lauren's daniel's sophia's john's zoe's andrew's chloe's kyle's julia's adam's mia's eric's ava's sean's
leah's max's abby's carlos's jess's tom's claire's our josé's
"""
# The most frequent titles in order; a title of several of the words above is written with "+".
_HEAD = """
country chill rap workout oldies christmas rock party throwback jams worship summer feels new disney lit
throwbacks music sleep vibes edm classic_rock r&b hip_hop alternative gym running indie road_trip good+vibes
summer+2017 love sad happy car spanish drive relaxing pop study reggae jazz dance latin mix summer+2016
country+mix chill+vibes house wedding metal slow+jams trap mellow acoustic punk piano old_school 90s 80s
folk classical playlist blues electronic soul dinner my+music favorites 2016 2017 party+mix hype shower
random christian late_night+drive gospel dubstep rap+mix workout+mix fall 70s
"""
_TITLE_COUNT, _TITLE_EXPONENT, _TITLE_OFFSET = 18_600, 1.5, 51.5


@dataclass(frozen=True)
class Word:
    """What a word of a title pulls towards."""

    text: str
    weight: float
    is_genre: bool
    genres: tuple[int, ...]
    era: int | None
    emoji: str | None


@dataclass(frozen=True)
class Titles:
    """Normalised titles, the most frequent first, and what each pulls towards."""

    names: list[str]
    cumulative: Floats  # (titles,)
    pull: Floats  # (titles,) part of a playlist's draws that follow the title's genres
    genres: Floats  # (titles, genres)
    around: Floats  # (titles, genres) where the rest comes from: kindred genres, then any
    era_boost: Floats  # (titles, eras)


def _genre_table() -> tuple[list[str], Floats, Floats, Ints]:
    names, shares, middles, families = [], [], [], []
    for family, line in enumerate(_GENRES.strip().splitlines()):
        for genre in line.split(", "):
            name, share, middle = genre.split()
            names.append(name)
            shares.append(float(share))
            middles.append(float(middle))
            families.append(family)
    eras = np.exp(-((np.arange(len(ERAS)) - np.array(middles)[:, None]) ** 2) / 3)
    return names, np.array(shares) / sum(shares), eras / eras.sum(1, keepdims=True), np.array(families)


GENRES, GENRE_SHARE, GENRE_ERAS, GENRE_FAMILY = _genre_table()


def _words(text: str, are_genres: bool = False) -> list[Word]:
    words = []
    for position, item in enumerate(text.split()):
        spelling, genres, era, emoji = re.fullmatch(r"([^:@=]+)(?::([^@=]+))?(?:@(\d))?(?:=(.+))?", item).groups()  # type: ignore[union-attr]
        words.append(
            Word(
                text=spelling.replace("_", " "),
                weight=(position + 3.0) ** -0.7,
                is_genre=are_genres,
                genres=tuple(GENRES.index(genre) for genre in genres.split("+")) if genres else (),
                era=int(era) if era else None,
                emoji=emoji,
            )
        )
    return words


def _title_candidates() -> Iterator[tuple[float, tuple[Word, ...]]]:
    genres, moods, activities = _words(_GENRE_WORDS, True), _words(_MOODS), _words(_ACTIVITIES)
    seasons, years, nouns = _words(_SEASONS), _words(_YEARS), _words(_NOUNS)
    places, people = _words(_PLACES), _words(_PEOPLE)
    spelt = {w.text: w for w in (*people, *places, *nouns, *years, *seasons, *activities, *moods, *genres)}
    spelt["relax"] = spelt["relaxing"]
    for position, title in enumerate(_HEAD.split()):
        yield 1e6 - position, tuple(spelt[part.replace("_", " ")] for part in title.split("+"))
    patterns: list[tuple[float, tuple[list[Word], ...]]] = [
        (8.0, (genres,)),
        (6.0, (activities,)),
        (4.0, (moods,)),
        (4.0, (seasons,)),
        (4.0, (years,)),
        (4.0, (nouns,)),
        (3.0, (places,)),
        (9.0, (seasons, years)),
        (5.0, (moods, nouns)),
        (5.0, (moods, genres)),
        (5.0, (genres, nouns)),
        (4.0, (activities, nouns)),
        (4.0, (moods, activities)),
        (3.0, (genres, activities)),
        (3.0, (years, genres)),
        (3.0, (years, nouns)),
        (3.0, (seasons, nouns)),
        (2.0, (moods, seasons)),
        (2.0, (people, nouns)),
        (1.5, (people, genres)),
        (1.5, (people, activities)),
        (1.5, (places, years)),
        (1.0, (places, nouns)),
        (4.0, (moods[:25], genres[:25], nouns[:25])),
        (3.0, (moods[:25], activities[:25], nouns[:25])),
    ]
    for weight, lists in patterns:
        for parts in product(*lists):
            yield weight * math.prod(part.weight for part in parts), parts


@lru_cache(maxsize=1)
def _titles() -> Titles:
    rng = np.random.default_rng(2018)
    scored: dict[str, tuple[float, tuple[Word, ...]]] = {}
    for score, parts in _title_candidates():
        noise = float(rng.lognormal(0, 0.5)) if score < 1e5 else 1.0
        name = " ".join(part.text for part in parts)
        scored.setdefault(name, (score * noise, parts))
        for part in parts:
            if part.emoji:
                scored.setdefault(f"{name} {part.emoji}", (min(score, 1.0) * noise * 0.2, parts))
                scored.setdefault(part.emoji, (part.weight * noise, (part,)))
    ranked = sorted(scored, key=lambda name: (-scored[name][0], name))[:_TITLE_COUNT]
    weights = (np.arange(len(ranked)) + 1 + _TITLE_OFFSET) ** -_TITLE_EXPONENT
    genres = np.zeros((len(ranked), len(GENRES)))
    pull = np.zeros(len(ranked))
    era_boost = np.ones((len(ranked), len(ERAS)))
    for row, name in enumerate(ranked):
        for part in scored[name][1]:
            for position, genre in enumerate(part.genres):
                genres[row, genre] += (4 if part.is_genre else 1) / (1 + position)
            if part.era is not None:
                era_boost[row, part.era] = 30
            pull[row] = max(pull[row], 0.7 if part.is_genre else 0.5 if part.genres else 0)
    genres[pull == 0] = GENRE_SHARE
    genres /= genres.sum(1, keepdims=True)
    kin = (GENRE_FAMILY[:, None] == GENRE_FAMILY) * GENRE_SHARE
    around = 0.5 * genres @ (kin / kin.sum(1, keepdims=True)) + 0.5 * GENRE_SHARE
    return Titles(ranked, np.cumsum(weights / weights.sum()), pull, genres, around, era_boost)


def _spelling(title: str, draws: list[float]) -> str:
    """Spell a normalised title as a person might; normalising brings it back."""
    case, mark = draws
    if case > 0.92:
        title = title.upper()
    elif case > 0.5:
        title = " ".join(word[:1].upper() + word[1:] for word in title.split(" "))
    elif case > 0.34:
        title = title[:1].upper() + title[1:]
    if mark < 0.8:
        return title
    marked = (
        f"{title}!", f"{title}.", f"{title} ", f"{title}...", f"~{title}~", f"*{title}*", f"#{title}", f"({title})",
        title.replace(" ", "_"), title.replace(" ", ". "), title.replace(" ", "  "), f"{title}!!!", f":{title}:",
        f"{title} :)", f"{title}~", f"** {title} **", f"{title}, ", f"$ {title} $", f" {title}", f"_{title}_",
    )  # fmt: skip
    return marked[int((mark - 0.8) * 5 * len(marked))]


def _listed(text: str, separator: str | None = None) -> list[str]:
    return text.split(separator)


_FIRST_NAMES = _listed(
    """
Ada Alma Amir Anaïs André Anya Arlo Astrid Beau Bibi Björn Bruno Carmen Cassius Celia Chidi Clem Cleo Cora
Dario Delia Dov Edda Eero Elio Elsa Enzo Esmé Etta Ezra Fay Felix Fern Flora Gael Gia Hugo Ida Ines Iris Ivo
Jamila Joan Jonas José June Kaia Kenji Kofi Lars Leda Lena Lior Lotte Luz Mabel Maeve Malik Marlow Mila Milo
Moses Nadia Nell Nico Nina Odette Olive Omar Orla Oscar Otis Pablo Pearl Petra Quinn Rafa Remy René Rhea
Rosa Roy Ruth Sade Saul Selma Silas Sol Suki Tariq Tess Theo Tove Ulla Uma Vera Viggo Wanda Wes Willa Xavi
Yara Yusuf Zadie Zeno Zora
"""
)
_SYLLABLES = _listed(
    """
ba bel bri ca cor da del den do dra e el fa fen fi gal gar gri ha hol i in ja jor ka kel ko la len lo lu ma
mar mel mi mo na nel ni no o or pa per pol qui ra ren ri ro sa sel shi so sta ta ten ti tor u va ven vi wa
wen xi ya yor za zen zo
"""
)
_ADJECTIVES = _listed(
    """
Blue Broken Burning Bright Cold Crimson Crooked Dark Distant Electric Empty Endless Faded Fallen Fearless
First Foreign Forgotten Fragile Frozen Gentle Golden Green Heavy Hidden Hollow Holy Honest Hungry Idle
Innocent Last Little Lonely Long Lost Loud Lucky Midnight Modern Naked Neon Old Only Open Pale Paper Perfect
Plastic Quiet Reckless Red Restless Rusty Sacred Secret Silent Silver Simple Sleepless Slow Small Stolen
Strange Sudden Sweet Tender Thirsty Tired Tropical Velvet Violet Warm Wasted White Wicked Wild Winter Wooden
Yellow Young
"""
)
_NOUN_WORDS = _listed(
    """
Angel Animal Arrow Avenue Ballad Bird Blood Boat Bone Bridge Brother Canyon Captain Castle Cathedral Chain
Child Cigarette Circle City Cloud Coast Colour Corazón Corner Coyote Crown Dance Dawn Daughter Desert Devil
Diamond Dog Door Dream Dust Eagle Echo Engine Eye Father Feather Fever Field Fire Flame Flood Flower Forest
Fountain Fox Friend Garden Ghost Giant Girl Glass Gold Guitar Hand Harbour Heart Heaven Highway Hill Home
Honey Horizon Horse Hour House Hurricane Ice Island Jungle Key King Kingdom Kiss Ladder Lake Lantern Letter
Light Lightning Lion Lover Machine Map Memory Mercy Mirror Money Moon Morning Mother Mountain Name Needle
Night Noche Ocean Orchard Palace Party Penny Picture Pilot Planet Poison Prayer Promise Queen Radio Rain
Razor Ribbon Ring River Road Rose Sailor Salt Sea Season Shadow Ship Shore Silence Sister Skin Sky Smoke
Snow Soldier Song Soul Spark Spirit Star Station Stone Storm Stranger Street Summer Sun Swan Sword Table
Telephone Thief Thunder Tide Tiger Tower Town Train Tree Umbrella Valley Voice Wall Water Wave Well Whisper
Wind Window Wing Wolf Woman World
"""
)
_VERBS = _listed(
    """
Ask Believe Bless Break Bring Build Burn Call Carry Catch Chase Choose Count Cross Dance Dream Drink Drive
Fall Feel Fight Find Fly Follow Forget Give Hear Hide Hold Keep Kill Kiss Know Leave Lose Love Miss Move
Need Paint Play Pray Remember Ride Run Save See Send Shake Show Sing Steal Stop Take Teach Tell Touch Trust
Turn Wait Wake Walk Want Watch Wear Write
"""
)
_TAILS = _listed(
    "Again,Alone,Away,Back Home,Down,Forever,Now,Slowly,Tonight,Tomorrow,One More Time,Out,Higher,Like That", ","
)


def _coined(code: int, syllables: int) -> str:
    parts = []
    for _ in range(syllables):
        code, part = divmod(code, len(_SYLLABLES))
        parts.append(_SYLLABLES[part])
    return "".join(parts).capitalize()


def _artist_name(code: int) -> str:
    code, kind = divmod(code, 20)
    code, a = divmod(code, 9973)
    code, b = divmod(code, 9967)
    first, noun = _FIRST_NAMES[a % len(_FIRST_NAMES)], _NOUN_WORDS[b % len(_NOUN_WORDS)]
    if kind < 9:
        return f"{first} {_coined(b, 2)}"
    if kind < 13:
        return _coined(code, 3 + code % 2)
    if kind < 15:
        return f"{('DJ', 'Lil', 'Young', 'MC', 'Big', 'El')[a % 6]} {_coined(code, 2)}"
    if kind < 17:
        return f"The {_ADJECTIVES[a % len(_ADJECTIVES)]} {_coined(code, 2)}s"
    if kind < 19:
        return f"{_ADJECTIVES[a % len(_ADJECTIVES)]} {noun} {_coined(code, 1)}"
    return f"{first} {_coined(code, 2)} & The {noun}s"


def _track_name(code: int) -> str:
    code, kind = divmod(code, 20)
    code, a = divmod(code, 9973)
    code, b = divmod(code, 9967)
    code, c = divmod(code, 9949)
    adjective, verb = _ADJECTIVES[a % len(_ADJECTIVES)], _VERBS[a % len(_VERBS)]
    noun, other = _NOUN_WORDS[b % len(_NOUN_WORDS)], _NOUN_WORDS[c % len(_NOUN_WORDS)]
    if kind == 0:
        return noun
    if kind < 4:
        return f"{adjective} {noun}"
    if kind < 7:
        return f"{verb} the {adjective} {noun}"
    if kind < 10:
        return f"{adjective} {noun} of the {other}"
    if kind < 12:
        return f"{verb} Me {_TAILS[code % len(_TAILS)]} ({noun})"
    if kind < 15:
        return f"{noun} in the {other}"
    if kind < 17:
        return f"I {verb} Your {other} {_TAILS[code % len(_TAILS)]}"
    if kind < 19:
        return f"{adjective} {noun} {other}"
    return f"{_coined(c, 2)} {noun}"


_BASE62 = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
_PLAIN, _FEATURING, _SAME, _REMASTER, _RADIO_EDIT, _SINGLE, _ADDED_FEATURE, _REMIX = range(8)
# Fitted so that 100,000 playlists hold about 680,000 tracks and 1,000,000 about 2.3 million.
_CATALOGUE, _CATALOGUE_EXPONENT = 16_200, 0.38
_TRACK_EXPONENT, _TRACK_OFFSET = 1.32, 32.0


def _spotify_ids(rng: np.random.Generator, count: int) -> NDArray[np.bytes_]:
    digits = rng.integers(0, 62, size=(count, 22), dtype=np.uint8)
    digits[:, 0] %= 8
    return _BASE62[digits].view("S22").ravel()


def _starts(sorted_groups: Ints, count: int) -> Ints:
    """Where each of `count` groups begins, and the end: (count + 1,)."""
    return np.searchsorted(sorted_groups, np.arange(count + 1))


class _Groups:
    """The tracks of each group (an artist, an album), the most popular first."""

    def __init__(self, group: Ints, weight: NDArray[np.floating[Any]]) -> None:
        self._track = np.lexsort((-weight, group))
        self._start = _starts(group[self._track], int(group.max()) + 1)

    def draw(self, group: Ints, position: Floats) -> Ints:
        start = self._start[group]
        return self._track[start + (position * (self._start[group + 1] - start)).astype(np.int64)]


class Catalogue:
    """The tracks, sorted by pool (genre, then era); their JSON is written when a playlist first holds them."""

    def __init__(self, rng: np.random.Generator, playlists: int, reduced: bool) -> None:
        track_count = int(_CATALOGUE * playlists**_CATALOGUE_EXPONENT)
        artist_count = track_count // 8
        artist_genre = rng.choice(len(GENRES), artist_count, p=GENRE_SHARE**0.8 / (GENRE_SHARE**0.8).sum())
        artist_era = (rng.random((artist_count, 1)) > GENRE_ERAS.cumsum(1)[artist_genre, :-1]).sum(1)
        size = np.ceil(rng.lognormal(0, 1.4, artist_count) * 2.6).astype(np.int64)
        artist = np.repeat(np.arange(artist_count), size)[:track_count]
        track_count = len(artist)
        first = _starts(artist, artist_count)[artist]
        place = np.arange(track_count) - first  # within the artist

        album = np.cumsum((rng.random(track_count) < 0.22) | (place == 0)) - 1
        album_count = int(album[-1]) + 1
        shift = rng.choice([-1, 0, 1], album_count, p=[0.1, 0.75, 0.15])[album]
        era = np.clip(artist_era[artist] + shift, 0, len(ERAS) - 1)

        kind = rng.choice(
            [_PLAIN, _FEATURING, _SAME, _REMASTER, _RADIO_EDIT, _SINGLE, _ADDED_FEATURE, _REMIX],
            track_count,
            p=[0.855, 0.045, 0.035, 0.02, 0.01, 0.005, 0.01, 0.02],
        )
        kind[(place == 0) & (kind > _FEATURING)] = _PLAIN
        song = np.arange(track_count)
        again = kind > _FEATURING
        song[again] = (first + rng.random(track_count) * place)[again].astype(np.int64)
        while (kind[song] > _FEATURING).any():
            song = song[song]

        score = (rng.normal(0, 1.2, artist_count) + 0.3 * np.log(size))[artist] + rng.normal(0, 1.3, track_count)
        score[again] = score[song[again]] - np.abs(rng.normal(0, 1.5, int(again.sum())))
        genre = artist_genre[artist]
        by_score = np.lexsort((-score, genre))
        rank = np.empty(track_count, np.int64)
        rank[by_score] = np.arange(track_count) - _starts(genre[by_score], len(GENRES))[genre[by_score]]
        weight = (rank + 1 + _TRACK_OFFSET) ** -_TRACK_EXPONENT
        weight /= np.bincount(genre, weight, minlength=len(GENRES))[genre]

        pool = genre * len(ERAS) + era
        order = np.lexsort((-weight, pool))
        inverse = np.empty_like(order)
        inverse[order] = np.arange(track_count)
        self.artist, self.album, self.kind = artist[order], album[order], kind[order]
        self.song = inverse[song[order]]
        self.duration = np.clip(rng.lognormal(12.34, 0.27, track_count), 30_000, 1_500_000).astype(np.int64)
        self.code = rng.integers(1 << 62, size=track_count)
        self.artist_code = rng.integers(1 << 62, size=artist_count)
        self.guest = rng.integers(artist_count, size=track_count)
        self.track_id = _spotify_ids(rng, track_count)
        self.artist_id = _spotify_ids(rng, artist_count)
        self.album_id = _spotify_ids(rng, album_count)

        self._cumulative = np.concatenate(([0.0], np.cumsum(weight[order])))
        self._pool_start = _starts(pool[order], len(GENRES) * len(ERAS))
        edges = self._cumulative[self._pool_start]
        self._pool_low, self._pool_mass = edges[:-1], np.diff(edges)
        self.genre_eras = self._pool_mass.reshape(len(GENRES), len(ERAS))
        self._of_artist = _Groups(self.artist, weight[order])
        self._of_album = _Groups(self.album, weight[order])
        self._reduced = reduced
        self._json: list[bytes | None] = [None] * track_count

    def draw(self, pool: Ints, position: Floats) -> Ints:
        """Draw a track of each pool by popularity; positions are uniform in [0, 1)."""
        at = self._pool_low[pool] + position * self._pool_mass[pool]
        track = np.searchsorted(self._cumulative, at, side="right") - 1
        return np.clip(track, self._pool_start[pool], self._pool_start[pool + 1] - 1)

    def draw_beside(self, track: Ints, position: Floats, of_album: Bools) -> Ints:
        """Draw another track of each track's album or artist, the more popular the likelier; it may be the same."""
        return np.where(
            of_album,
            self._of_album.draw(self.album[track], position),
            self._of_artist.draw(self.artist[track], position**3),
        )

    def json_of(self, track: int) -> bytes:
        """The track's JSON object after its "pos"."""
        written = self._json[track]
        if written is None:
            written = self._json[track] = self._write(track)
        return written

    def _artist_name(self, artist: int) -> str:
        return _artist_name(int(self.artist_code[artist]))

    def _title(self, track: int) -> str:
        song, kind = int(self.song[track]), self.kind[track]
        title = _track_name(int(self.code[song]))
        if self.kind[song] == _FEATURING:
            title += f" (feat. {self._artist_name(self.guest[song])})"
        if kind == _REMASTER:
            return f"{title} - Remastered {2000 + int(self.code[track]) % 17}"
        if kind == _RADIO_EDIT:
            return f"{title} - Radio Edit"
        if kind == _SINGLE:
            return f"{title} - Single Version"
        if kind == _ADDED_FEATURE and self.kind[song] != _FEATURING:
            return f"{title} (feat. {self._artist_name(self.guest[track])})"
        if kind == _REMIX:
            return f"{title} - {self._artist_name(self.guest[track])} Remix"
        return title

    def _write(self, track: int) -> bytes:
        artist, album = self.artist[track], self.album[track]
        fields: dict[str, Any] = {
            "artist_name": self._artist_name(artist),
            "track_uri": f"spotify:track:{self.track_id[track].decode()}",
            "artist_uri": f"spotify:artist:{self.artist_id[artist].decode()}",
            "track_name": self._title(track),
            "album_uri": f"spotify:album:{self.album_id[album].decode()}",
            "duration_ms": int(self.duration[track]),
            "album_name": _track_name(int.from_bytes(self.album_id[album][:7], "big")),
        }
        if self._reduced:
            fields = {key: fields[key] for key in ("artist_name", "track_uri", "track_name")}
        return json.dumps(fields).encode()[1:]


_POSITIONS = [b'%s{"pos": %d, ' % (b", " if pos else b"", pos) for pos in range(LONGEST)]
_LENGTHS = np.arange(SHORTEST, LONGEST + 1)
_LENGTH_CUMULATIVE = np.cumsum(np.exp(-(np.log(_LENGTHS / 53) ** 2) / (2 * 1.05**2)) / _LENGTHS)
_LENGTH_CUMULATIVE /= _LENGTH_CUMULATIVE[-1]
_SAME_ARTIST_AGAIN, _SAME_ALBUM = 0.42, 0.6
_DAY = 86_400
_LAST_DAY = 1_509_494_400  # 2017-11-01


def _pick(cumulative: Floats, position: Floats) -> Ints:
    """Pick a column a row; `cumulative` is (rows, columns), each row rising to about 1."""
    column: Ints = np.minimum((cumulative < position[:, None]).sum(1), cumulative.shape[1] - 1)
    return column


def _draw_tracks(
    rng: np.random.Generator, catalogue: Catalogue, titles: Titles, title: Ints, length: Ints
) -> tuple[Ints, Ints]:
    """Tracks of all playlists one after another, and where each playlist begins: (entries,), (playlists + 1,)."""
    count = len(title)
    around = titles.around[title].cumsum(1)
    taste = np.tile(0.2 * GENRE_SHARE, (count, 1))
    for part in (0.55, 0.25):
        taste[np.arange(count), _pick(around, rng.random(count))] += part
    pull = titles.pull[title][:, None]
    genres = pull * titles.genres[title] + (1 - pull) * taste  # (playlists, genres)
    boost = titles.era_boost[title]  # (playlists, eras)
    overall = GENRE_SHARE @ catalogue.genre_eras
    boost[np.arange(count), rng.choice(len(ERAS), count, p=overall / overall.sum())] *= 4
    eras = catalogue.genre_eras * boost[:, None, :]  # (playlists, genres, eras)
    pools = (genres[:, :, None] * eras / eras.sum(2, keepdims=True)).reshape(count, -1).cumsum(1)
    pools /= pools[:, -1:]

    drawn = (length * 1.5).astype(np.int64) + 12
    playlist = np.repeat(np.arange(count), drawn)
    total = len(playlist)
    pool = np.searchsorted((pools + np.arange(count)[:, None]).ravel(), playlist + rng.random(total), side="right")
    pool = np.minimum(pool - playlist * pools.shape[1], pools.shape[1] - 1)
    track = catalogue.draw(pool, rng.random(total))

    begins = np.concatenate(([True], playlist[1:] != playlist[:-1]))
    again = (rng.random(total) < _SAME_ARTIST_AGAIN) & ~begins
    last = np.maximum.accumulate(np.where(again, 0, np.arange(total)))
    beside = catalogue.draw_beside(track[last], rng.random(total), rng.random(total) < _SAME_ALBUM)
    track = np.where(again, beside, track)

    kept = np.sort(np.unique(playlist * len(catalogue.artist) + track, return_index=True)[1])
    playlist, track = playlist[kept], track[kept]
    kept = np.arange(len(playlist)) - _starts(playlist, count)[playlist] < length[playlist]
    playlist, track = playlist[kept], track[kept]
    start = _starts(playlist, count)
    repeats = rng.random(count) < 0.01  # as in the MPD, a few lists hold a track twice
    track[start[1:][repeats] - 1] = track[start[:-1][repeats]]
    return track, start


def _distinct(playlist: Ints, values: Ints, count: int) -> list[int]:
    """Number of distinct values in each playlist."""
    width = int(values.max()) + 1
    counts: list[int] = np.bincount(np.unique(playlist * width + values) // width, minlength=count).tolist()
    return counts


def _slice_json(seed: int, catalogue: Catalogue, first: int, count: int) -> bytes:
    """One slice file; it depends on the seed, its catalogue and its pids, not on other slices."""
    rng = np.random.default_rng([seed, 1, first])
    titles = _titles()
    title = np.minimum(np.searchsorted(titles.cumulative, rng.random(count)), len(titles.names) - 1)
    length = _LENGTHS[np.searchsorted(_LENGTH_CUMULATIVE, rng.random(count))]
    track, start = _draw_tracks(rng, catalogue, titles, title, length)
    playlist = np.repeat(np.arange(count), np.diff(start))
    artists = _distinct(playlist, catalogue.artist[track], count)
    albums = _distinct(playlist, catalogue.album[track], count)
    duration = np.add.reduceat(catalogue.duration[track], start[:-1]).tolist()
    spelling = rng.random((count, 2)).tolist()
    modified = (_LAST_DAY - (rng.exponential(350, count).clip(0, 2400)).astype(np.int64) * _DAY).tolist()
    followers = np.ceil(rng.pareto(1.6, count) * 0.7 + 0.3).astype(np.int64).tolist()
    edits = (1 + np.diff(start) * rng.beta(1, 3, count)).astype(np.int64).tolist()
    collaborative = (rng.random(count) < 0.023).tolist()
    described = (rng.random(count) < 0.019).tolist()

    info = {
        "generated_on": "2017-12-03 08:41:42.057563",
        "slice": f"{first}-{first + count - 1}",
        "version": "v1",
    }
    parts = [b'{"info": ', json.dumps(info).encode(), b', "playlists": [']
    ids, bounds, json_of = track.tolist(), start.tolist(), catalogue.json_of
    for row in range(count):
        held = ids[bounds[row] : bounds[row + 1]]
        name = titles.names[title[row]]
        head: dict[str, Any] = {
            "name": _spelling(name, spelling[row]),
            "collaborative": "true" if collaborative[row] else "false",
            "pid": first + row,
            "modified_at": modified[row],
            "num_tracks": len(held),
            "num_albums": albums[row],
            "num_followers": followers[row],
            "num_edits": edits[row],
            "duration_ms": duration[row],
            "num_artists": artists[row],
        }
        if described[row]:
            head["description"] = f"all the {name} I like &amp; more"
        parts += [b", " if row else b"", json.dumps(head).encode()[:-1], b', "tracks": [']
        pieces = [b""] * (2 * len(held))
        pieces[::2] = _POSITIONS[: len(held)]
        pieces[1::2] = [json_of(one) for one in held]
        parts += [*pieces, b"]}"]
    parts.append(b"]}")
    return b"".join(parts)


def write_made_up_mpd(folder: Path, playlists: int, seed: int = 0, gzip: bool = False, reduced: bool = False) -> None:
    """Write `mpd.slice.<a>-<b>.json` files (`.json.gz` with `gzip`) of 1,000 playlists each, the last perhaps fewer.

    The same arguments give the same bytes. `reduced` leaves only pos, artist, URI and name of each track.
    Raises ValueError for no playlists, and FileExistsError if the folder holds slices that would not be overwritten,
    because two sets would mix.
    """
    if playlists < 1:
        raise ValueError(f"a dataset needs at least 1 playlist, not {playlists}")
    firsts = range(0, playlists, PLAYLISTS_A_SLICE)
    names = [
        f"mpd.slice.{first}-{min(first + PLAYLISTS_A_SLICE, playlists) - 1}.json{'.gz' if gzip else ''}"
        for first in firsts
    ]
    folder.mkdir(parents=True, exist_ok=True)
    if others := sorted({path.name for path in folder.glob("mpd.slice.*")}.difference(names)):
        raise FileExistsError(f"{folder} holds other slices, such as {others[0]}: remove them or name a new folder")
    catalogue = Catalogue(np.random.default_rng([seed, 0]), playlists, reduced)
    for first, name in zip(firsts, names, strict=True):
        content = _slice_json(seed, catalogue, first, min(PLAYLISTS_A_SLICE, playlists - first))
        (folder / name).write_bytes(gz.compress(content, compresslevel=6, mtime=0) if gzip else content)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--playlists", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--reduced", action="store_true", help="only pos, artist_name, track_uri and track_name")
    arguments = parser.parse_args()
    begun = time.perf_counter()
    write_made_up_mpd(**vars(arguments))
    size = sum(path.stat().st_size for path in arguments.folder.glob("mpd.slice.*"))
    print(f"{arguments.playlists:,} playlists, {size / 1e9:.2f} GB, {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
