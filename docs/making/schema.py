"""docs/schema.md: the tables, their columns and how they belong together, from the models; and the views."""

import ast
import inspect
import re
from collections.abc import Iterator

from sqlalchemy import Column, UniqueConstraint
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects import postgresql

from recsys.database import tables
from recsys.database.surface import VIEWS

from .markdown import table

HEAD = """# Schema

Every table of the schema `recsys`, from the models in `recsys/database/tables.py`. This page is made by `make docs`.

A solid line is a foreign key, a dotted one what a column's name says: `song_id` is an id of `song`, `track_ids` holds
ids of `track`. Between large tables there are no foreign keys, since a check per row would cost more than the row;
the loader sees to them ([architecture.md](architecture.md)). PK is a part of the primary key, FK refers to another
table, UK is unique; "null" stands where a column may be so. Tables of another diagram are boxes without columns.
"""

SECTION = re.compile(r"^# --- (.+?) -+$|^class (\w+)\(Table\)", re.MULTILINE)


def schema_page() -> str:
    """The page's text."""
    documented = _column_docs()
    parts = [HEAD]
    for name, members in _sections():
        lines = [_described(member, documented.get(member.__name__, {})) for member in members]
        parts.append(f"## {name[0].upper()}{name[1:]}\n\n{_diagram([_table(m) for m in members])}\n\n{''.join(lines)}")
    rows = [(f"`{name}`", what) for name, what in VIEWS.items()]
    parts.append("## Views\n\n" + table(("view", "holds"), rows))
    return "\n".join(parts)


def _sections() -> Iterator[tuple[str, list[type[tables.Table]]]]:
    """The models in the order of the source, under its section comments."""
    found: list[tuple[str, list[type[tables.Table]]]] = []
    for section, model in SECTION.findall(inspect.getsource(tables)):
        if section:
            found.append((section, []))
        else:
            found[-1][1].append(getattr(tables, model))
    return iter(found)


def _table(model: type[tables.Table]) -> SqlTable:
    return tables.Table.metadata.tables[model.__tablename__]


def _column_docs() -> dict[str, dict[str, str]]:
    """What stands below columns in the source, by model and column."""
    docs: dict[str, dict[str, str]] = {}
    for model in ast.parse(inspect.getsource(tables)).body:
        if isinstance(model, ast.ClassDef):
            for column, below in zip(model.body, model.body[1:], strict=False):
                match column, below:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        docs.setdefault(model.name, {})[name] = text
    return docs


def _described(model: type[tables.Table], columns: dict[str, str]) -> str:
    lines = [f"* **{model.__tablename__}**: {' '.join((model.__doc__ or '').split())}\n"]
    lines += [f"  * `{name}`: {' '.join(text.split())}\n" for name, text in columns.items()]
    return "".join(lines)


def _diagram(members: list[SqlTable]) -> str:
    lines = ["```mermaid", "erDiagram"]
    for member in members:
        lines += [f"    {member.name} {{", *(f"        {_column(column)}" for column in member.columns), "    }"]
    for member in members:
        lines += [f"    {relation}" for column in member.columns for relation in _relations(column)]
    return "\n".join([*lines, "```"])


def _column(column: "Column[object]") -> str:
    kind = column.type.compile(dialect=postgresql.dialect())
    kind = {"TIMESTAMP WITH TIME ZONE": "timestamptz"}.get(kind, kind.lower())
    is_unique = column.unique or any(
        isinstance(one, UniqueConstraint) and [*one.columns] == [column] for one in column.table.constraints
    )
    keys = [("PK", column.primary_key), ("FK", bool(_referred(column))), ("UK", is_unique)]
    marks = [", ".join(name for name, is_so in keys if is_so), '"null"' if column.nullable else ""]
    return " ".join([kind, column.name, *filter(None, marks)])


def _referred(column: "Column[object]") -> str | None:
    """The table that a column holds ids of, by its foreign key or its name."""
    for key in column.foreign_keys:
        return key.column.table.name
    name = re.sub("_ids?$", "", column.name)
    return name if name != column.name and name in column.table.metadata.tables else None


def _relations(column: "Column[object]") -> Iterator[str]:
    referred = _referred(column)
    if referred is None:
        return
    one = "}o" if column.name.endswith("_ids") else "|o" if column.nullable else "||"
    line = "--" if column.foreign_keys else ".."
    yield f'{referred} {one}{line}o{{ {column.table.name} : "{column.name}"'
