"""Recommenders measured: metrics, stored results, reports, baselines."""
