import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.names import (
    MAX_KEY_BYTES,
    ArtistShare,
    Credit,
    is_same_but_for_case,
    is_unidentified,
    name_key,
    normal_title,
    parse_credit,
    song_name,
    split_artist_title,
)

FRAGMENTS = (
    "song (live) [x remix] (feat. ann & bo) ft. - – + , x vs. with (with the $ ! ( ) [ ] mix edit 2011 remaster ' n"
    " radio club his ø 🔥 \x00 \x1f \ud800"
)
NAMES = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS.split(" "))).map(" ".join))


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Chill  Vibes!!", "chill vibes"),
        ("rock/metal", "rock metal"),
        ("80's @ the (gym)", "80's the gym"),
        ("  Sunday_Morning ", "sunday morning"),
        ("R&B", "r&b"),
        ("🔥🔥", "🔥🔥"),
        ("  !!!  ", "!!!"),
        ("* _ *", "* _ *"),
        ("   ", ""),
        ("", ""),
    ],
)
def test_a_title_is_normalised_as_the_mpd_does_and_punctuation_alone_is_kept(name: str, normal: str) -> None:
    assert normal_title(name) == normal


@given(NAMES)
def test_normalising_twice_changes_nothing(name: str) -> None:
    assert normal_title(normal_title(name)) == normal_title(name)


@pytest.mark.parametrize(
    ("spellings", "key"),
    [
        (["Jay-Z", "JAY Z", "jayz", "Jay‐Z"], "jayz"),
        (["A$AP Rocky", "ASAP Rocky"], "asaprocky"),
        (["Ke$ha", "Kesha"], "kesha"),
        (["P!nk", "Pink", "P!NK"], "pink"),
        (["Wham!", "Wham"], "wham"),
        (["Clap! Clap!", "Clap!Clap!"], "clapclap"),
        (["Godspeed You! Black Emperor"], "godspeedyoublackemperor"),
        (["Beyoncé", "BEYONCE"], "beyonce"),
        (["Røyksopp", "Röyksopp", "Royksopp"], "royksopp"),
        (["Mø"], "mo"),
        (["Ænima"], "aenima"),
        (["Weiß", "WEISS"], "weiss"),
        (["Łona"], "lona"),
        (["Þórir Ðe Iı"], "thorirdeii"),
        (["The Beatles", "Beatles", "Beatles, The"], "beatles"),
        (["The The"], "thethe"),
        (["The"], "the"),
        (["Florence + The Machine", "Florence & the Machine", "Florence and the Machine"], "florenceandthemachine"),
        (["Guns N' Roses", "Guns 'n' Roses", "Guns & Roses"], "gunsandroses"),
        (["R.E.M.", "REM"], "rem"),
        (["Bicep", "Bicep (2)"], "bicep"),
        (["$1000", "1000"], "1000"),
        (["!!!"], "!!!"),
        (["🔥"], "🔥"),
        (["❤️", "❤"], "❤"),
        (["+"], "and"),
        (["ハ"], "ハ"),
        (["バ"], "バ"),
        (["", "   "], ""),
    ],
)
def test_spellings_of_a_name_share_its_key(spellings: list[str], key: str) -> None:
    assert [name_key(spelling) for spelling in spellings] == [key] * len(spellings)


def test_an_artist_with_a_sign_of_its_own_is_not_its_namesake() -> None:
    assert name_key("Oliver $") != name_key("Oliver")


def test_a_long_name_has_a_short_key_of_its_own() -> None:
    first, second = name_key("a" * 500 + "b"), name_key("a" * 500 + "c")
    assert len(first.encode()) == len(second.encode()) == MAX_KEY_BYTES == 200
    assert first.startswith("a" * 168)
    assert first != second
    assert name_key("a" * 200) == "a" * 200


@given(NAMES)
def test_a_key_is_short_storable_and_empty_only_for_a_blank_name(name: str) -> None:
    key = name_key(name)
    assert bool(key) == bool(name.strip())
    assert len(key.encode()) <= MAX_KEY_BYTES
    assert "\x00" not in key
    assert "\x1f" not in key


@pytest.mark.parametrize(
    ("credit", "main", "featured"),
    [
        ("Earth, Wind & Fire", ("Earth, Wind & Fire",), ()),
        ("Tyler, The Creator", ("Tyler, The Creator",), ()),
        ("Ann & Bo ft. Cy", ("Ann & Bo",), ("Cy",)),
        ("Ann feat. Bo & Cy", ("Ann",), ("Bo", "Cy")),
        ("Ann (feat. Bo)", ("Ann",), ("Bo",)),
        ("Ann [Featuring Bo]", ("Ann",), ("Bo",)),
        ("Ann w/ Bo", ("Ann",), ("Bo",)),
        ("Ann (with Bo)", ("Ann",), ("Bo",)),
        ("Nurse With Wound", ("Nurse With Wound",), ()),
        ("Ann f. Bo", ("Ann",), ("Bo",)),
        ("Robert F. Kennedy", ("Robert F. Kennedy",), ()),
        ("ft. Cy", (), ("Cy",)),
        ("Little Feat", ("Little Feat",), ()),
        ("Daft Punk", ("Daft Punk",), ()),
        ("Ann feat. Bo feat. Cy", ("Ann",), ("Bo", "Cy")),
        ("Ann feat. ann", ("Ann",), ()),
        ("", (), ()),
        ("Ed Sheeran, Stormzy", ("Ed Sheeran", "Stormzy"), ()),
        ("Stormzy, Burna Boy, Ed Sheeran", ("Stormzy", "Burna Boy", "Ed Sheeran"), ()),
        ("Ozuna, Wisin, Farruko", ("Ozuna", "Wisin", "Farruko"), ()),
        ("D'Angelo, Femi Kuti & Macy Gray", ("D'Angelo", "Femi Kuti", "Macy Gray"), ()),
        ("Takagi & Ketra, Giusy Ferreri", ("Takagi & Ketra", "Giusy Ferreri"), ()),
        ("J Balvin, Zion & Lennox", ("J Balvin", "Zion & Lennox"), ()),
        ("Doja Cat, The Weeknd", ("Doja Cat", "The Weeknd"), ()),
        ("Ann Lee, Bo ft. Cy", ("Ann Lee", "Bo"), ("Cy",)),
        ("Crosby, Stills, Nash & Young", ("Crosby, Stills, Nash & Young",), ()),
        ("Phillips, Craig & Dean", ("Phillips, Craig & Dean",), ()),
        ("Crosby, Stills, and Nash", ("Crosby, Stills, and Nash",), ()),
        ("Does It Offend You, Yeah?", ("Does It Offend You, Yeah?",), ()),
        ("The Good, the Bad & the Queen", ("The Good, the Bad & the Queen",), ()),
        ("Now, Now", ("Now, Now",), ()),
        ("Costello, Elvis", ("Costello, Elvis",), ()),
        ("White Stripes, The", ("White Stripes, The",), ()),
        ("Hank Williams, Jr.", ("Hank Williams, Jr.",), ()),
        ("10,000 Maniacs", ("10,000 Maniacs",), ()),
    ],
)
def test_a_structured_credit_names_one_artist_or_lists_several_and_those_featured(
    credit: str, main: tuple[str, ...], featured: tuple[str, ...]
) -> None:
    assert parse_credit(credit, free_text=False) == Credit(main, featured)


@pytest.mark.parametrize(
    ("credit", "main", "featured"),
    [
        ("Ann & Bo ft. Cy", ("Ann", "Bo"), ("Cy",)),
        ("Ann, Bo & Cy", ("Ann", "Bo", "Cy"), ()),
        ("Ann, Bo, and Cy", ("Ann", "Bo", "Cy"), ()),
        ("Ann + Bo", ("Ann", "Bo"), ()),
        ("Ann vs. Bo VS Cy", ("Ann", "Bo", "Cy"), ()),
        ("Ann x Bo × Cy X Di", ("Ann", "Bo", "Cy", "Di"), ()),
        ("Ann B2B Bo", ("Ann", "Bo"), ()),
        ("Ann pres. Bo", ("Ann", "Bo"), ()),
        ("Ann presents Bo", ("Ann", "Bo"), ()),
        ("Ann and Bo", ("Ann and Bo",), ()),
        ("AC/DC", ("AC/DC",), ()),
        ("Malcolm X", ("Malcolm X",), ()),
        ("Earth, Wind & Fire", ("Earth, Wind & Fire",), ()),
        ("earth wind and fire & Bo", ("earth wind and fire", "Bo"), ()),
        ("ABOVE & BEYOND ft. Cy", ("ABOVE & BEYOND",), ("Cy",)),
        ("Bob Marley & The Wailers", ("Bob Marley & The Wailers",), ()),
        ("Nick Cave & the Bad Seeds, Bo", ("Nick Cave & the Bad Seeds", "Bo"), ()),
        ("Sun Ra & His Arkestra", ("Sun Ra & His Arkestra",), ()),
        ("Tyler, The Creator", ("Tyler, The Creator",), ()),
        ("Hank Williams, Jr.", ("Hank Williams, Jr.",), ()),
        ("Ann & ANN", ("Ann",), ()),
        ("Ann & & Bo", ("Ann", "Bo"), ()),
        ("& Bo,", ("Bo",), ()),
        ("+", ("+",), ()),
    ],
)
def test_free_text_is_divided_into_artists_but_band_names_are_not(
    credit: str, main: tuple[str, ...], featured: tuple[str, ...]
) -> None:
    assert parse_credit(credit, free_text=True) == Credit(main, featured)


def test_weights_favour_the_remixer_over_the_artist_over_the_guest() -> None:
    song = song_name("Title (feat. Bo) [Cy Remix]", "Ann")
    assert song.title == "Title"
    assert song.version == "Cy Remix"
    assert song.key == "ann\x1ftitle\x1fcyremix"
    assert song.artists == (
        ArtistShare("Ann", "ann", "main", 1 / 3.5),
        ArtistShare("Bo", "bo", "featured", 0.5 / 3.5),
        ArtistShare("Cy", "cy", "remixer", 2 / 3.5),
    )


def test_an_artist_in_two_roles_keeps_the_heavier_once() -> None:
    assert song_name("Title (ANN Remix)", "Ann").artists == (ArtistShare("ANN", "ann", "remixer", 1.0),)
    assert song_name("Title (feat. ANN)", "Ann").artists == (ArtistShare("Ann", "ann", "main", 1.0),)


def test_artists_named_one_by_one_are_shared_out_and_the_display_credit_is_not_read() -> None:
    song = song_name("Title", "Somebody Else", ("Ann", "Bo", "ft. Cy"))
    assert [(share.name, share.role, share.weight) for share in song.artists] == [
        ("Ann", "main", 0.4),
        ("Bo", "main", 0.4),
        ("Cy", "featured", 0.2),
    ]
    assert song.key == "ann\x1ftitle"


@pytest.mark.parametrize(
    ("title", "core", "featured"),
    [
        ("Title (feat. Bo)", "Title", ["Bo"]),
        ("Title [ft. Bo & Cy]", "Title", ["Bo", "Cy"]),
        ("Title ft. Bo", "Title", ["Bo"]),
        ("Title - feat. Bo", "Title", ["Bo"]),
        ("Title {Ft. Bo}", "Title", ["Bo"]),
        ("Title (feat. Bo", "Title", ["Bo"]),
        ("Title (with Bo)", "Title", ["Bo"]),
        ("Title (with Bo & Cy feat. Di)", "Title", ["Bo", "Cy", "Di"]),
        ("Title (With Norah Jones)", "Title", ["Norah Jones"]),
        ("Title (With You)", "Title (With You)", []),
        ("Title (with you)", "Title (with you)", []),
        ("Title (With Flowers In My Hair)", "Title (With Flowers In My Hair)", []),
        ("Left Feet", "Left Feet", []),
        ("6 ft Under", "6 ft Under", []),
        ("ft. Bo", "ft. Bo", []),
    ],
)
def test_those_featured_come_out_of_the_title(title: str, core: str, featured: list[str]) -> None:
    song = song_name(title, "Ann")
    assert song.title == core
    assert song.version == ""
    assert [share.name for share in song.artists if share.role == "featured"] == featured


@pytest.mark.parametrize(
    ("end", "version", "remixers"),
    [
        ("(Kölsch Remix)", "Kölsch Remix", ["Kölsch"]),
        ("[Bo Bootleg]", "Bo Bootleg", ["Bo"]),
        ("- Bo Rework", "Bo Rework", ["Bo"]),
        ("– Bo Rework", "Bo Rework", ["Bo"]),
        ("(Bo Remix", "Bo Remix", ["Bo"]),
        ("(Bo & Cy Remix)", "Bo & Cy Remix", ["Bo", "Cy"]),
        ("(Bo vs. Cy Remix)", "Bo vs. Cy Remix", ["Bo", "Cy"]),
        ("(Loud Luxury Extended Remix)", "Loud Luxury Extended Remix", ["Loud Luxury"]),
        ("(Two Door Cinema Club Remix)", "Two Door Cinema Club Remix", ["Two Door Cinema Club"]),
        ("(Radio Slave Remix)", "Radio Slave Remix", ["Radio Slave"]),
        ("(The Chainsmokers Remix)", "The Chainsmokers Remix", ["The Chainsmokers"]),
        ('(Bo 12" Remix)', 'Bo 12" Remix', ["Bo"]),
        ("(Bo's Midnight Mix)", "Bo's Midnight Mix", ["Bo"]),
        ("(Morales’ Dub)", "Morales’ Dub", ["Morales"]),
        ("(Remixed by Bo)", "Remixed by Bo", ["Bo"]),
        ("(Bo VIP)", "Bo VIP", ["Bo"]),
        ("(VIP Mix)", "VIP Mix", []),
        ("(Wild Pitch Mix)", "Wild Pitch Mix", []),
        ("(Dub Mix)", "Dub Mix", []),
        ("(Club Remix)", "Club Remix", []),
        ("(Deep House Remix)", "Deep House Remix", []),
        ("(2011 Edit)", "2011 Edit", []),
        ("(80's Remix)", "80's Remix", []),
        ("(Taylor's Version)", "Taylor's Version", []),
        ("(Extended Mix)", "Extended Mix", []),
        ("- Live", "Live", []),
        ("(Live at Wembley)", "Live at Wembley", []),
        ("- Live (1998 Somewhere)", "Live (1998 Somewhere)", []),
        ("- Live / 2011 Remaster", "Live", []),
        ("- Live (Remastered)", "Live", []),
        ("(Acoustic)", "Acoustic", []),
        ("(Instrumental)", "Instrumental", []),
        ("- Demo", "Demo", []),
        ("(Bo Remix) [Radio Edit]", "Bo Remix", ["Bo"]),
        ("- Bo Remix / Bonus Track", "Bo Remix / Bonus Track", ["Bo"]),
        ("(Bo Remix) - Live", "Bo Remix, Live", ["Bo"]),
        ("(Bo Remix) - Bo Remix", "Bo Remix", ["Bo"]),
    ],
)
def test_a_version_makes_a_song_of_its_own_and_names_its_remixers(end: str, version: str, remixers: list[str]) -> None:
    song = song_name(f"Title {end}", "Ann")
    assert song.title == "Title"
    assert song.version == version
    assert [share.name for share in song.artists if share.role == "remixer"] == remixers
    assert song.key.startswith("ann\x1ftitle\x1f")


@pytest.mark.parametrize(
    ("spellings", "key"),
    [
        (["Bo Remix", "Bo RMX", "Bo Re-Mix", "Bo's Remix", "Bo’s rmx", "Remixed by Bo", "Remix By Bo"], "boremix"),
        (["Four Tet Remix", "Four Tet Mix", "Four Tet's Mix", "The Four Tet Mix"], "fourtetremix"),
        (["Neptunes Remix", "The Neptunes Remix", "Neptune's Mix", "Neptunes' RMX"], "neptuneremix"),
        (["Bo's Midnight Dub", "Bo Midnight Dub"], "bomidnightdub"),
        (["Bo vs Cy Remix", "Bo vs. Cy Rmx"], "bovscyremix"),
        (["Re-Edit by Bo", "Bo Re-Edit", "Bo's Reedit"], "boreedit"),
        (["Bo Remix - Live"], "boremixlive"),
        (["Remix", "Remixed", "RMX"], "remix"),
        (["Club Mix"], "clubmix"),
        (["Club Remix", "Club RMX"], "clubremix"),
        (["80's Remix"], "80sremix"),
        (["Acoustic Sessions"], "acousticsessions"),
        (["Taylor's Version"], "taylorsversion"),
    ],
)
def test_a_version_has_one_key_however_it_is_written(spellings: list[str], key: str) -> None:
    keys = [song_name(f"Title ({spelling})", "Ann").key for spelling in spellings]
    assert keys == [f"ann\x1ftitle\x1f{key}"] * len(spellings)


@pytest.mark.parametrize(
    "end",
    [
        "- 2011 Remaster",
        "- Remastered",
        "(Remastered 2009)",
        "- Remastered Version",
        "- 1998 Digital Remaster",
        "- Mono / 2009 Remaster",
        "(Original Mix)",
        "- Original Version",
        "- Album Version",
        "- Album Version (Edited)",
        "- Single Version",
        "(Radio Edit)",
        "- Radio Version",
        "- Radio Mix",
        "(LP Version)",
        "[Explicit]",
        "- Explicit Version",
        "(Clean)",
        "- Mono",
        "- Stereo Version",
        "(Bonus Track)",
        "- Japanese Bonus Track",
        '- From "Frost" Soundtrack',
        '(From "Frost")',
        "- Deluxe",
        "(Some Band Cover)",
        "(Radio Edit) - 2011 Remaster",
        "(feat. Bo) - Radio Edit",
    ],
)
def test_another_release_is_the_same_song(end: str) -> None:
    song = song_name(f"Title {end}", "Ann")
    assert (song.title, song.version, song.key) == ("Title", "", "ann\x1ftitle")


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("(I Can't Get No) Satisfaction", "icantgetnosatisfaction"),
        ("Sometimes (I Wish)", "sometimesiwish"),
        ("Title (Live Forever)", "titleliveforever"),
        ("Title, Pt. 2", "titlept2"),
        ("Title - Reprise", "titlereprise"),
        ("Live", "live"),
        ("(Live)", "live"),
        ("- Remix", "remix"),
        ("Edit", "edit"),
    ],
)
def test_words_that_belong_to_the_title_stay_in_it(title: str, key: str) -> None:
    song = song_name(title, "Ann")
    assert (song.title, song.version, song.key) == (title, "", f"ann\x1f{key}")


@pytest.mark.parametrize(
    ("structured", "typed"),
    [
        (("This Is What You Came For (feat. Rihanna)", "Calvin Harris"),
         ("This Is What You Came For", "Calvin Harris & Rihanna")),
        (("Jammin'", "Bob Marley & The Wailers"), ("Jammin", "Bob Marley")),
        (("Cecilia", "Simon & Garfunkel"), ("CECILIA", "Simon and Garfunkel")),
        (("September", "Earth, Wind & Fire"), ("September", "Earth Wind And Fire")),
        (("Dog Days", "Florence + The Machine"), ("Dog Days", "Florence and the Machine")),
        (("Love Story", "Layo & Bushwacka!"), ("Love Story", "Layo and Bushwacka")),
        (("Love Story", "Layo & Bushwacka! (Live)"), ("Love Story", "Layo & Bushwacka")),
        (("Patience", "Guns N' Roses"), ("Patience", "Guns & Roses")),
        (("We Are Rockstars", "Does It Offend You, Yeah?"), ("We Are Rockstars", "Does it offend you yeah")),
        (("Narcissist", "No Rome, The 1975"), ("Narcissist", "No Rome")),
        (("Young Folks", "Peter Bjorn and John"), ("Young Folks", "Peter , Bjorn, And John")),
        (("Yellow", "The Foos"), ("yellow", "Foos, The")),
    ],
)  # fmt: skip
def test_a_song_has_one_key_however_its_credit_is_written(structured: tuple[str, str], typed: tuple[str, str]) -> None:
    title, credit = typed
    assert song_name(*structured).key == song_name(title, credit).key == song_name(title, "", (credit,)).key


def test_an_undivided_name_keeps_its_own_part_of_the_key() -> None:
    assert song_name("Title", "Simon & Garfunkel").key == "simonandgarfunkel\x1ftitle"
    assert song_name("Title", "Tyler, The Creator").key == "tylerthecreator\x1ftitle"


def test_a_song_without_an_artist_has_an_empty_artist_part() -> None:
    assert song_name("Title", "  ").key == "\x1ftitle"
    assert song_name("Title", "").artists == ()
    assert song_name("Title", "", ("ft. Cy",)).key == "\x1ftitle"


@given(NAMES, NAMES, st.lists(NAMES, max_size=3).map(tuple))
def test_any_text_can_be_read(title: str, artist: str, artists: tuple[str, ...]) -> None:
    song = song_name(title, artist, artists)
    parse_credit(artist, free_text=True)
    is_unidentified(artist, title)
    split_artist_title(title)
    assert "\x00" not in song.key
    assert song.key.count("\x1f") == (2 if song.version else 1)
    assert len(song.key.encode()) <= 3 * MAX_KEY_BYTES + 2
    assert bool(song.title) == bool(title.strip())
    assert len({share.key for share in song.artists}) == len(song.artists)
    if song.artists:
        assert math.isclose(sum(share.weight for share in song.artists), 1.0)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Ann - Title (Bo Remix)", ("Ann", "Title (Bo Remix)")),
        ("Ann – Title", ("Ann", "Title")),
        ("Ann — Title - Live", ("Ann", "Title - Live")),
        ("  Ann  -  Title ", ("Ann", "Title")),
        ("Jay-Z - Title", ("Jay-Z", "Title")),
        ("Jay-Z", None),
        ("Ann - ", None),
        (" - Title", None),
        ("", None),
    ],
)
def test_a_line_is_divided_at_its_first_dash_between_spaces(text: str, parts: tuple[str, str] | None) -> None:
    assert split_artist_title(text) == parts


@pytest.mark.parametrize(
    ("artist", "title"),
    [
        ("ID", "ID"),
        ("Ann", "ID"),
        ("Ann", "id 2"),
        ("Ann", "ID (Bo Remix)"),
        ("Ann", "ID?"),
        ("Ann", "?"),
        ("???", "???"),
        ("Ann", ""),
        ("Ann", "  "),
        ("Unknown Artist", "Unknown"),
        ("Unknown", "Unknown Track"),
        ("Unknown", "Untitled"),
        ("Ann", "[Unknown]"),
        ("Ann", "Track ID"),
        ("Ann", "unreleased ID"),
        ("Ann", "N/A"),
    ],
)
def test_a_gap_of_a_tracklist_is_recognised(artist: str, title: str) -> None:
    assert is_unidentified(artist, title)


@pytest.mark.parametrize(
    ("artist", "title"),
    [
        ("Ann", "Idol"),
        ("Ann", "Fake ID"),
        ("Ann", "Untitled"),
        ("Ann", "Into the Unknown"),
        ("Ann", "Unknown Pleasures"),
        ("?", "Title"),
        ("ID", "Title"),
        ("Unknown Artist", "Title"),
        ("? & The Mysterians", "96 Tears"),
        ("", "Title"),
        ("Ann", "Who Are You?"),
    ],
)
def test_a_song_with_an_odd_name_is_not_a_gap(artist: str, title: str) -> None:
    assert not is_unidentified(artist, title)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("sven vath", "Sven Väth", True),
        ("  BJØRN   torske ", "Bjorn Torske", True),
        ("John", "John B", False),
        ("Beatles", "The Beatles", False),
        ("Jay Z", "Jay-Z", False),
    ],
)
def test_case_accents_and_spaces_do_not_make_another_name(one: str, other: str, is_same: bool) -> None:
    assert is_same_but_for_case(one, other) is is_same
