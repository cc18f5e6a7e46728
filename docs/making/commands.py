"""docs/commands.md: every command with its arguments and options, from the command itself."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer

from cli.app import app

from .markdown import table

HEAD = """# Commands

Every command, as `recsys COMMAND --help` tells it. This page is made by `make docs`; the others say what the commands
are for ([index](README.md)).

Results go to stdout, progress and notes to stderr. Exit code 0 is good, 1 could not, 2 was a wrong call. `--json`
gives JSON lines in the place of a table. An option that may be repeated is written anew for each value: `--like A
--like B`.
"""


def commands_page() -> str:
    """The page's text."""
    root = typer.main.get_command(app)
    commands = [(name, command) for name, command in _walk("recsys", root) if not _is_group(command)]
    rows = [(f"[`{name}`](#{name.replace(' ', '-')})", _help(command).split("\n\n")[0]) for name, command in commands]
    parts = [HEAD, table(("command", "does"), rows)]
    for name, command in commands:
        parts += [f"## {name}\n\n{_help(command)}\n\n```\n{_usage(name, command)}\n```\n", *_parameters(command)]
    return "\n".join(parts)


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for below in command.commands.values() if _is_group(command) else ():
        yield from _walk(f"{name} {below.name}", below)


def _is_group(command: Any) -> bool:
    return hasattr(command, "commands")


def _help(command: Any) -> str:
    paragraphs = command.help.split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _usage(name: str, command: Any) -> str:
    arguments = [p.metavar if p.required else f"[{p.metavar}]" for p in _of_kind(command, "argument")]
    repeated = ["..." if p.nargs == -1 else "" for p in _of_kind(command, "argument")]
    options = ["[OPTIONS]"] if _of_kind(command, "option") else []
    others = ["..."] if command.context_settings.get("allow_extra_args") else []
    return " ".join([name, *map("".join, zip(arguments, repeated, strict=True)), *options, *others])


def _of_kind(command: Any, kind: str) -> list[Any]:
    return [p for p in command.params if p.param_type_name == kind and not getattr(p, "hidden", False)]


def _parameters(command: Any) -> Iterator[str]:
    arguments, options = _of_kind(command, "argument"), _of_kind(command, "option")
    if arguments:
        yield table(("argument", ""), [(f"`{p.metavar}`", p.help or "") for p in arguments])
    if options:
        rows = [(_names(p), f"{p.help}{' Needed.' if p.required else ''}", _default(p)) for p in options]
        yield table(("option", "", "default"), rows)


def _names(option: Any) -> str:
    value = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
    return ", ".join(f"`{name}{value}`" for name in sorted(option.opts, key=len, reverse=True)) + "".join(
        f", `{name}`" for name in option.secondary_opts
    )


def _default(option: Any) -> str:
    default = option.default
    if isinstance(default, Enum):
        default = default.value
    if option.is_bool_flag and default is not None:
        return f"`{option.opts[0]}`" if default else ""
    return "" if default in (None, []) else f"`{default}`"
