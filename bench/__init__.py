"""The figures of a run beside their baselines: `make bench`, or `python -m bench`."""
