"""The command `recsys`; installed as `recsys.cli`."""
