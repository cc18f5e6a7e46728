"""README and docs/ against what is there: links lead somewhere, and commands are commands with these options."""

import re
import shlex
from collections.abc import Iterator
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import app
from cli.ingest_sql import SQL
from recsys.sources import FORMATS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
of_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@of_page
def test_links_lead_somewhere(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    for link in links:
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        to = page.parent / name if name else page
        assert to.exists(), link
        assert not anchor or anchor in _anchors(to), link


def _command_lines(text: str) -> Iterator[list[str]]:
    """The commands of console blocks and of code within the text, as words."""
    for kind, block in BLOCK.findall(text):
        if kind == "console":
            # What a command prints is not one: it begins with no program's name.
            lines = re.sub(r"\\\n", "", block).splitlines()
            yield from (words for line in lines for words in _commands(line.removeprefix("$ ")))
    for code in re.findall(r"`(recsys [^`]+)`", BLOCK.sub("", text)):
        if not re.search(r"\w\|\w|\.\.\.|<|COMMAND", code):
            yield from _commands(code)


def _commands(line: str) -> Iterator[list[str]]:
    if not re.match(r"(\w+=\S* )*(recsys|echo|make|python|torchrun) ", line):
        return
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    for is_between, words in groupby(lexer, key=lambda word: set(word) <= set("|&;<>")):
        if not is_between:
            yield [word for number, word in enumerate(words) if number or "=" not in word]


def _check(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    rest = words[1:]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, rest[0]
        command = command.commands[rest.pop(0)]
    if command.context_settings.get("allow_extra_args"):
        return
    options = {name: p for p in command.params for name in (*p.opts, *p.secondary_opts) if name.startswith("-")}
    values = []
    while rest:
        word = rest.pop(0)
        if not re.match("-.", word):
            values.append(word)
            continue
        name, has_value, value = word.partition("=")
        assert name in options, name
        if not options[name].is_flag:
            value = value if has_value or not rest else rest.pop(0)
            kind = options[name].type_descriptor.annotation
            if isinstance(kind, type) and issubclass(kind, Enum):
                assert value in [item.value for item in kind] or not value.islower(), f"{name} {value}"
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    assert len(values) <= len(arguments) or any(p.nargs == -1 for p in arguments), values
    if "format" in [p.name for p in arguments] and values:
        assert values[0] in (*FORMATS, SQL, "FORMAT"), values[0]


@of_page
def test_commands_are_commands_with_these_options(page: Path) -> None:
    for words in _command_lines(page.read_text(encoding="utf-8")):
        try:
            if words[0] == "recsys":
                _check(words)
            elif words[0] == "make":
                assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
            elif words[0] == "python" and words[1].endswith(".py"):
                assert (ROOT / words[1]).exists()
        except AssertionError as error:
            raise AssertionError(f"{shlex.join(words)}: {error}") from None


def test_the_index_names_every_command_and_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    root: Any = typer.main.get_command(app)
    assert [name for name in root.commands if f"`recsys {name}`" not in index] == []
    assert [page.name for page in PAGES[1:] if f"]({page.name})" not in index and page.name != "README.md"] == []


@pytest.mark.parametrize(
    "line",
    [
        "recsys titles embedd",
        "recsys recommend gym --nn 5",
        "recsys ingest pls FILE",
        "recsys recommend gym --vote hard",
        "recsys db url here",
    ],
)
def test_what_is_no_command_is_noticed(line: str) -> None:
    [words] = _commands(line)

    with pytest.raises(AssertionError):
        _check(words)
