"""The title recommender's door: titles into vectors, and vectors into answers."""

from typing import TYPE_CHECKING, Any

try:
    from recsys.titles.recommend import (
        Answer,
        Filters,
        Recommendation,
        SimilarTitle,
        Voter,
        recommend,
        recommender_as_of,
        similar_titles,
    )
except ModuleNotFoundError as missing:
    # Training runs on machines that have torch and no psycopg; there is nothing to answer from there.
    if (missing.name or "recsys").partition(".")[0] == "recsys":
        raise

if TYPE_CHECKING:
    from recsys.titles.embed import EmbedSummary, embed_titles

__all__ = [
    "Answer",
    "EmbedSummary",
    "Filters",
    "Recommendation",
    "SimilarTitle",
    "Voter",
    "embed_titles",
    "recommend",
    "recommender_as_of",
    "similar_titles",
]


def __getattr__(name: str) -> Any:
    """Import embedding, with SQLAlchemy and numpy behind it, only where it is asked for."""
    if name in ("EmbedSummary", "embed_titles"):
        from recsys.titles import embed

        return getattr(embed, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
