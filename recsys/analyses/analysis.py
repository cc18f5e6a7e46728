"""An analysis: one statement of SQL with a header that says what it tells and what it is asked with.

    -- Titles that most playlists carry.
    --
    -- least integer = 1: playlists that carry a title, at least
    -- source text = null: of which source
    SELECT title, playlists FROM title_stats WHERE playlists >= %(least)s

A parameter without `= DEFAULT` must be given. They are bound as psycopg does, so that any other % is written twice.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from importlib.resources import files
from itertools import chain, takewhile
from pathlib import Path

from recsys.config import Settings
from recsys.database import sql_description
from recsys.errors import ParameterError, UnknownNameError

Value = int | float | str | bool | date | None

DECLARED = re.compile(r"-- (\w+) (\w+)(?: = (.*?))?: (.+)")
USED = re.compile(r"(?<!%)(?:%%)*%\((\w+)\)s")


def _text(text: str) -> str:
    """Without the lone surrogates of an argument that is not UTF-8."""
    return text.encode(errors="replace").decode()


def _boolean(text: str) -> bool:
    return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]


KINDS: Mapping[str, Callable[[str], Value]] = {
    "integer": int,
    "number": float,
    "text": _text,
    "date": date.fromisoformat,
    "boolean": _boolean,
}
"""Types of parameters, and how each is read."""


@dataclass(frozen=True)
class Parameter:
    """What an analysis is asked with; `default` is as it is written, None where it must be given."""

    name: str
    kind: str
    default: str | None
    description: str

    def read(self, text: str) -> Value:
        """A value as it is typed; `null` is none where the default is.

        Raises:
            ParameterError: it is not of the parameter's type.
        """
        if text == self.default == "null":
            return None
        try:
            return KINDS[self.kind](text)
        except (ValueError, KeyError):
            such_as = {"date": ", such as 2019-03-01", "boolean": ": yes or no"}.get(self.kind, "")
            article = "an" if self.kind == "integer" else "a"
            raise ParameterError(f"{self.name} is {article} {self.kind}{such_as}, not {text!r}") from None


@dataclass(frozen=True)
class Analysis:
    """A named statement; `file` is None for ours."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    statement: str
    file: Path | None = None

    def values(self, given: Mapping[str, str]) -> dict[str, Value]:
        """What is bound: values that are given as they are typed, and defaults.

        Raises:
            ParameterError: a parameter is unknown, missing or of another type; the message says which there are.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                there = f"it has {', '.join(known)}" if known else "it has none"
                raise ParameterError(f"{self.name} has no parameter {name}: {there}")
        for name in USED.findall(self.statement):
            if name not in known:
                raise ParameterError(f"{self.file or self.name} uses %({name})s, which its header does not declare")
        for parameter in known.values():
            if parameter.kind not in KINDS:
                raise ParameterError(
                    f"{self.file or self.name}: {parameter.name} is {parameter.kind}, not one of {', '.join(KINDS)}"
                )
            if parameter.default is None and parameter.name not in given:
                raise ParameterError(f"{self.name} needs {parameter.name}=..: {parameter.description}")
        return {name: parameter.read(given.get(name, parameter.default or "")) for name, parameter in known.items()}


def analyses(settings: Settings) -> dict[str, Analysis]:
    """Every analysis by its name: ours, and those of the folder of one's own, which may stand in for ours."""
    packaged = sorted(files("recsys.analyses").joinpath("sql").iterdir(), key=lambda file: file.name)
    own = sorted(settings.queries_folder.glob("*.sql"))
    read = chain(
        (_parsed(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")) for file in packaged),
        (_parsed(file.stem, file.read_text(encoding="utf-8", errors="replace"), file) for file in own),
    )
    return {analysis.name: analysis for analysis in read}


def find_analysis(settings: Settings, name: str) -> Analysis:
    """The analysis of a name.

    Raises:
        UnknownNameError: there is none; the message lists those of a like name.
    """
    there = analyses(settings)
    if name in there:
        return there[name]
    near = get_close_matches(name, there, cutoff=0.5)
    listed = f"; the nearest are: {', '.join(near)}" if near else ": recsys query lists what there is"
    raise UnknownNameError(f"no analysis is called {name!r}{listed}")


def _parsed(name: str, source: str, file: Path | None = None) -> Analysis:
    header = takewhile(lambda line: line.startswith("--"), source.splitlines())
    return Analysis(name, sql_description(source), tuple(_declared(header)), source, file)


def _declared(header: Iterator[str]) -> Iterator[Parameter]:
    for line in header:
        if declared := DECLARED.fullmatch(line.strip()):
            yield Parameter(*declared.groups())
