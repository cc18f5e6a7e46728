"""Settings, read once from the environment and an optional `.env`, then passed in."""

import re
from pathlib import Path

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from recsys.device import Device
from recsys.errors import SettingsError

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


def _default_home() -> Path:
    return Path(platformdirs.user_data_dir("recsys", appauthor=False))


class Settings(BaseSettings):
    """Where the data lives and what computes on it.

    `DATABASE_URL` unset means the embedded server under `RECSYS_HOME`, started on demand.
    """

    model_config = SettingsConfigDict(
        env_prefix="RECSYS_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL")
    """Any PostgreSQL >= 15 with pgvector >= 0.8; None starts the embedded server."""
    db_schema: str = Field(default="recsys", validation_alias="RECSYS_SCHEMA")
    """The one Postgres schema that holds every object of ours."""
    source_dsn: str | None = None
    """SQLAlchemy's URL of the database that `ingest sql` reads where neither command nor mapping names one."""
    home: Path = Field(default_factory=_default_home)
    """Everything that is not in the database: embedded server, downloads, snapshots, models."""
    encoder: str = DEFAULT_ENCODER
    """Sentence encoder: a hub name or a folder in sentence-transformers layout."""
    device: Device = "auto"
    """Where networks run."""
    llm_url: str | None = None
    """Base of an OpenAI-compatible endpoint, with its version: https://host/v1."""
    llm_model: str | None = None
    """What the endpoint calls the language model."""
    llm_key: SecretStr | None = None
    """Sent as a bearer token; None for an endpoint that asks for none."""

    @field_validator("database_url")
    @classmethod
    def _as_libpq_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = re.sub(r"^(postgres|postgresql)(\+\w+)?://", "postgresql://", value.strip())
        if not url.startswith("postgresql://"):
            raise ValueError("must start with postgresql:// or postgres://")
        return url

    @field_validator("llm_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"https?://[^/\s]", value):
            raise ValueError("must start with http:// or https://, for example https://host/v1")
        return value

    @field_validator("db_schema")
    @classmethod
    def _is_plain_identifier(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", value) or value.startswith("pg_"):
            raise ValueError("must be a lower-case identifier of at most 63 characters, not starting with pg_")
        return value

    @field_validator("home")
    @classmethod
    def _is_absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def models_folder(self) -> Path:
        """Folder of exported encoders and trained models."""
        return self.home / "models"

    @property
    def queries_folder(self) -> Path:
        """Folder of one's own analyses, see `recsys query`."""
        return self.home / "queries"

    @property
    def downloads_folder(self) -> Path:
        """Folder of fetched data sets."""
        return self.home / "downloads"


def load_settings() -> Settings:
    """Settings from the environment and `.env`.

    Raises:
        SettingsError: a variable has a value that cannot be used; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        variable = name if name.isupper() else f"RECSYS_{name.upper()}"
        raise SettingsError(f"{variable}: {first['msg'].removeprefix('Value error, ')}") from None
