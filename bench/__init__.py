"""Benchmarks of a run, with baselines: `make bench`, or `python -m bench`."""
