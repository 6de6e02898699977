"""A run: observe, diff, plan, gate, apply, look again. It may import the kinds and what is below them.

Every entry point calls `run.run`; its arguments and result are in `run.__all__`. Start with `run.py`, which calls the
stages in order; each stage is a file that can be read alone. Only `answers.py`, `again.py` and `writer.py` call AWS;
all others are pure.
"""
