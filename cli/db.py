"""`recsys db`: the server and its schema."""

import os
import shutil
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from recsys.config import Settings
    from recsys.database import EmbeddedServer

app = typer.Typer(help="The database: set up, start, stop, look inside.", no_args_is_help=True)


def _embedded(settings: "Settings") -> "EmbeddedServer":
    from recsys.database import EmbeddedServer
    from recsys.errors import SettingsError

    if settings.database_url is not None:
        raise SettingsError("DATABASE_URL names a server of your own: it is started and stopped where it runs")
    return EmbeddedServer(settings.home)


@app.command()
def upgrade() -> None:
    """Bring the schema to this version; starts the embedded server if it is down."""
    from recsys.catalog import finish_load
    from recsys.config import load_settings
    from recsys.database import SCHEMA_REVISION, connect, revision, translated_errors
    from recsys.database import upgrade as upgrade_schema

    settings = load_settings()
    upgrade_schema(settings)
    with translated_errors(), connect(settings) as connection:
        finish_load(connection)
        found = revision(connection)
    output.note(f"the schema {settings.db_schema} is at revision {found or SCHEMA_REVISION}")


@app.command()
def status(as_json: bool = output.JSON) -> None:
    """Where the database is, and how much is in it."""
    from recsys.config import load_settings
    from recsys.database import EmbeddedServer, connect, database_url, revision, table_sizes, translated_errors

    settings = load_settings()
    facts: dict[str, object] = {
        "server": "yours (DATABASE_URL)" if settings.database_url else "embedded",
        "url": _without_password(database_url(settings)),
        "schema": settings.db_schema,
        "home": str(settings.home),
    }
    server = None if settings.database_url else EmbeddedServer(settings.home)
    if server is not None:
        facts["data"] = str(server.folder)
    if server is not None and not server.is_running():
        facts["state"] = "stopped"
    else:
        with translated_errors(), connect(settings) as connection:
            facts["state"] = "running"
            facts["postgres"] = connection.info.parameter_status("server_version")
            facts["revision"] = revision(connection) or "none: run `recsys db upgrade`"
            facts |= table_sizes(connection)
    if as_json:
        output.print_json([facts])
        return
    output.print_facts(facts.items())


def _without_password(url: str) -> str:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError:
        return "unreadable"
    if "password" not in parts:
        return url
    return make_conninfo("", **parts | {"password": "***"})


@app.command()
def start() -> None:
    """Start the embedded server."""
    from recsys.config import load_settings

    was_started = _embedded(load_settings()).start()
    output.note("started" if was_started else "it was running already")


@app.command()
def stop() -> None:
    """Stop the embedded server; commands that need it start it again."""
    from recsys.config import load_settings

    was_running = _embedded(load_settings()).stop()
    output.note("stopped" if was_running else "it was not running")


@app.command()
def remove(yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask.")) -> None:
    """Delete the embedded database with everything in it; downloads and models stay."""
    from recsys.config import load_settings

    server = _embedded(load_settings())
    if not yes:
        typer.confirm(f"Delete {server.folder} with everything in it?", abort=True, err=True)
    was_there = server.remove()
    output.note(f"deleted: {server.folder}" if was_there else "there was no embedded database")


@app.command("grant-reader")
def grant_reader(
    role: str = typer.Argument(metavar="ROLE", help="A role of the server, for a person, a notebook or a BI tool."),
    create: bool = typer.Option(False, "--create", help="Make the role if there is none; it may log in."),
    revoke: bool = typer.Option(False, "--revoke", help="Take it all back; the role stays."),
) -> None:
    """Let a role use the public views and functions, and nothing else.

    What it was granted in the schema before is taken from it. An upgrade keeps the grants, and adds what is new.
    """
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, revoke_reader, translated_errors
    from recsys.database import grant_reader as grant

    if create and revoke:
        raise typer.BadParameter("it does not go with --revoke", param_hint="--create")
    settings = load_settings()
    with translated_errors(), connect(settings, autocommit=True) as connection:
        require_migrated(connection)
        if revoke:
            revoke_reader(connection, role)
            output.note(f"{role} may use nothing of the schema {settings.db_schema} any more")
            return
        granted = grant(connection, role, create=create)
    counts = f"{granted.views} views and {granted.functions} functions"
    output.note(f"{role} may use {counts} of the schema {settings.db_schema}")
    if granted.is_new:
        output.note(f"the role is new and has no password: recsys db psql -c '\\password {role}'")


@app.command()
def url() -> None:
    """Print the database's URL, for psql, notebooks and BI tools."""
    from recsys.config import load_settings
    from recsys.database import database_url

    typer.echo(database_url(load_settings()))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open psql with the schema in its search path; further arguments go to psql."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    from recsys.config import load_settings
    from recsys.database import EmbeddedServer, connect, database_url
    from recsys.errors import DatabaseError

    settings = load_settings()
    connect(settings).close()
    program = shutil.which("psql")
    if program is None or settings.database_url is None:
        program = str(EmbeddedServer(settings.home).psql())
    # What stands in an argument, every user of the machine can read.
    parts = conninfo_to_dict(database_url(settings))
    environment = dict(os.environ)
    if "password" in parts:
        environment["PGPASSWORD"] = str(parts.pop("password"))
    environment["PGOPTIONS"] = f"{os.environ.get('PGOPTIONS', '')} -c search_path={settings.db_schema},public"
    try:
        os.execve(program, [program, make_conninfo("", **parts), *context.args], environment)
    except OSError as error:
        raise DatabaseError(f"cannot run {program}: {error.strerror}") from None
