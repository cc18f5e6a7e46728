"""Alembic's steps from one version of the schema to the next; installed as `recsys.migrations`."""
