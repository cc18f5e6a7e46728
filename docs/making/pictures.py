"""docs/pictures/: how answers come about, with names and numbers of the demo (2026-11-26, seed 0)."""

from collections.abc import Callable, Sequence

from .svg import BLUE, GREEN, INK, LINE, ORANGE, PALE, bar, box, dot, line, picture, text

NEAR_TITLES = (
    ("clubnight drum & bass", 0.75, 1),
    ("drum&bassarena mix drum & bass", 0.70, 3),
    ("hyp drum & bass", 0.67, 1),
    ("hangout music drum & bass", 0.66, 1),
    ("drum & bass", 0.64, 120),
)
"""Of `recsys similar title "late night drum and bass"`: titles, similarities, playlists."""

VOTED = (
    ("Matrix - Temperament", 0.0682, 26),
    ("D Kay & Kasra - Babylon", 0.0331, 2),
    ("Martyn - Nxt 2 U", 0.0219, 2),
    ("Phace - Polymers", 0.0084, 2),
)
"""Of `recsys recommend "late night drum and bass" --explain`: tracks, scores, titles that voted."""

PAIRS = (
    ("maxximize on air progressive house", "jacked progressive house", 0.44, 0.53),
    ("cr2 live & direct radio show progressive house", "planet perfecto progressive trance", 0.31, 0.40),
    ("soulful techno tech house", "fire it up progressive house techno", 0.63, 0.31),
    ("groove podcast techno", "group therapy radio progressive house progressive trance", 0.51, 0.20),
)
"""Titles of five playlists or more: the cosine of the encoder's vectors, and of the adapted ones."""

CHANNELS = (
    ("own plays", "how often, and how lately"),
    ("artists", "whom of the song's he plays"),
    ("lists", "what stands beside what he plays"),
    ("space", "nearness of him and the song"),
    ("similar DJs", "what DJs like him play now"),
    ("popularity", "plays by anybody, of late and ever"),
    ("habits", "how many sets, how he repeats"),
)

FORETOLD = (
    ("songs that he knows", (("Thomas Schumacher - The Unseen", 0.398), ("Wehbba - Basic Pleasure", 0.296))),
    ("songs that are new to him", (("Pig&Dan - Savage", 0.094), ("Maceo Plex - Conjure Superstar", 0.087))),
)
"""Of `recsys recommend --dj "Adam Beyer"`, and with --new."""

NEXT_CHANNELS = (
    ("neighbours", "tracklists that hold these songs"),
    ("artists", "the same by artists"),
    ("order", "what follows the last songs"),
    ("programme", "what the show plays around the day"),
    ("dj", "what the DJ plays around the day"),
    ("peers", "what shows like it play"),
    ("popularity", "what anybody plays around the day"),
    ("habits", "how long the beginning is"),
)

FOLLOWING = (
    ("what comes next", (
        ("Christian Smith - Your Lovin'", 0.0160),
        ("Christian Smith - Just Close Your Eyes", 0.0105),
        ("Victor Ruiz - Love Story", 0.0092),
        ("Timmo - Reflections", 0.0092),
    )),
)  # fmt: skip
"""Of `recsys tracklists next` after Energy Flash, by Adam Beyer."""

LEVELS = (
    (
        "of 2 clusters",
        (("767 songs: Slam, Wehbba, Christian Smith", 0.885), ("517 songs: Sander Van Doorn, Dillinja", 0.115)),
    ),
    ("of 16", (("183 songs: Ilan Bluestone, Above & Beyond", 1.0),)),
    (
        "of 49",
        (
            ("46 songs: Ilan Bluestone, Luigi Madonna", 0.563),
            ("37 songs: Dillinja, Bad Company", 0.155),
            ("23 songs: Dave Clarke, Todd Terje", 0.144),
            ("32 songs: FD, DJ Anna", 0.138),
        ),
    ),
    ("of the songs", (("DJ HMC - 6 AM", 0.040), ("21 others", 0.960))),
)
"""How the sixth song after "Joey Beltram - Energy Flash" was drawn, as Adam Beyer would go on: on each level what is
above the threshold, with probabilities, the one that was drawn first."""

WIDTH = 860


def titles() -> str:
    """A title's vector, the titles near it, and what they and the network vote for."""
    pieces = [
        *(
            _head(x, words)
            for x, words in ((20, "asked"), (262, "titles near it, by meaning"), (610, "share of all votes"))
        ),
        box(20, 112, 200, 54),
        text(120, 135, "late night drum and bass", at="middle", size=12, bold=True),
        text(120, 154, "a vector of 640 numbers", at="middle", size=12, colour=PALE),
    ]
    places = [56 + 38 * number for number in range(len(NEAR_TITLES))]
    for (name, similarity, playlists), y in zip(NEAR_TITLES, places, strict=True):
        held = f"{playlists} playlist{'s' if playlists > 1 else ''}"
        pieces += [
            line(220, 139, 256, y),
            text(262, y + 1, name),
            bar(262, y + 6, 150 * similarity),
            text(385, y + 15, f"{similarity:.2f}, {held}", size=11, colour=PALE),
        ]
    pieces += [
        box(262, 250, 250, 44, colour=ORANGE),
        text(387, 269, "what the network expects in", at="middle", size=12),
        text(387, 285, '"clubnight drum & bass"', at="middle", size=12),
        line(220, 139, 262, 272),
    ]
    rows = [76 + 56 * number for number in range(len(VOTED))]
    for (name, share, voters), y in zip(VOTED, rows, strict=True):
        pieces += [
            line(512, 272, 606, y, colour=ORANGE, width=1 + 60 * share),
            text(612, y, name, bold=True),
            bar(612, y + 7, 1900 * share, colour=ORANGE),
            text(618 + 1900 * share, y + 16, f"{share:.4f}, {voters} titles", size=11, colour=PALE),
        ]
    pieces += [line(512, place + 6, 606, rows[0]) for place in places[:2]]
    return picture(WIDTH, 316, "How a title becomes a playlist", pieces)


def adapter() -> str:
    """Similarities of titles before and after adapting."""
    pieces = [
        dot(27, 27), text(38, 31, "by what the words mean"),
        dot(227, 27, colour=ORANGE), text(238, 31, "and by what their playlists hold"),
    ]  # fmt: skip
    left, wide = 520, 300
    for mark in (0, 0.25, 0.5, 0.75, 1):
        x = left + wide * mark
        pieces += [f'<path d="M{x:g} 46 V{64 + 48 * len(PAIRS):g}" stroke="{LINE}" stroke-opacity=".4"/>']
        pieces += [text(x, 40, f"{mark:g}", size=11, colour=PALE, at="middle")]
    for (first, second, before, after), y in zip(PAIRS, range(72, 1000, 48), strict=False):
        pieces += [
            text(20, y, first),
            text(20, y + 17, second),
            line(left + wide * before, y + 4, left + wide * after, y + 4, width=2),
            dot(left + wide * before, y + 4),
            dot(left + wide * after, y + 4, colour=ORANGE),
        ]
    return picture(WIDTH, 80 + 48 * len(PAIRS), "What an adapter adds", pieces)


def dj() -> str:
    """What tells whether a DJ will play a song, and two forests that weigh it."""
    return _weighed("Adam Beyer", "94 tracklists", CHANNELS, FORETOLD, "How a DJ's songs are foretold")


def next_song() -> str:
    """What tells of the next song, and the forest that weighs it."""
    return _weighed("Energy Flash, ..", "a begun tracklist", NEXT_CHANNELS, FOLLOWING, "How the next song is foretold")


def _weighed(
    asked: str,
    of: str,
    channels: Sequence[tuple[str, str]],
    answers: Sequence[tuple[str, Sequence[tuple[str, float]]]],
    what: str,
) -> str:
    """Channels that look at something, forests that weigh them, and what comes out."""
    height = 60 + 34 * len(channels)
    middle = height / 2 + 10
    pieces = [*(_head(x, words) for x, words in ((20, "asked"), (176, "what tells of a song"), (598, "chance")))]
    pieces += [
        box(20, middle - 26, 120, 52),
        text(80, middle - 3, asked, at="middle", bold=True, size=12),
        text(80, middle + 14, of, at="middle", size=11, colour=PALE),
    ]
    forests = [middle + 110 * (number - (len(answers) - 1) / 2) for number in range(len(answers))]
    for number, (name, looks_at) in enumerate(channels):
        y = 60 + 34 * number
        pieces += [
            line(140, middle, 170, y - 4),
            text(176, y, name, bold=True),
            text(270, y, looks_at, size=12, colour=PALE),
        ]
        pieces += [line(504, y - 4, 536, forest, width=1) for forest in forests]
    largest = max(chance for _, rows in answers for _, chance in rows)
    for (name, rows), y in zip(answers, forests, strict=True):
        top = y - 20 * len(rows)
        pieces += [*_forest(536, y), line(572, y, 592, y), text(598, top, name, size=12, colour=PALE)]
        for number, (song, chance) in enumerate(rows):
            below = top + 20 + 36 * number
            pieces += [
                text(598, below, song),
                bar(598, below + 5, 180 * chance / largest, colour=GREEN),
                text(605 + 180 * chance / largest, below + 14, f"{chance:.3f}", size=11, colour=PALE),
            ]
    return picture(WIDTH, height, what, pieces)


def _forest(x: float, y: float) -> list[str]:
    trees = [f"M{x + dx} {y + 14} l9 -26 l9 26 z" for dx in (0, 9, 18)]
    return [f'<path d="{tree}" fill="{GREEN}" fill-opacity=".55"/>' for tree in trees]


def generated() -> str:
    """Down the levels of clusters to the sixth song of a list."""
    pieces = [_head(20, "the list so far is read; on each level one is drawn, here the orange one")]
    y = 56
    for name, choices in LEVELS:
        pieces += [text(20, y, name, bold=True)]
        for number, (choice, probability) in enumerate(choices):
            colour = PALE if number else ORANGE
            pieces += [
                text(140, y, choice, colour=PALE if number else INK),
                bar(480, y - 9, 280 * probability, colour=colour),
                text(488 + 280 * probability, y, f"{probability:.3f}".lstrip("0"), size=11, colour=PALE),
            ]
            y += 20
        y += 14
    for name, score, most, colour in (("near the seed songs", 0.89, 2, BLUE), ("near the DJ", 1.87, 2.2, GREEN)):
        pieces += [
            text(140, y, f"6 AM is {name}", size=12),
            bar(480, y - 9, 280 * score / most, colour=colour),
            text(488 + 280 * score / most, y, f"{score} of {most}", size=11, colour=PALE),
        ]
        y += 20
    return picture(WIDTH, y, "How the next song of a list is drawn", pieces)


def _head(x: float, words: str) -> str:
    return text(x, 26, words, size=12, colour=PALE)


PICTURES: dict[str, Callable[[], str]] = {
    "titles": titles,
    "adapter": adapter,
    "dj": dj,
    "next": next_song,
    "generate": generated,
}
"""What draws each file."""
