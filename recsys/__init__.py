"""recsys: a recommender that lives in Postgres."""

__version__ = "0.1.0"
