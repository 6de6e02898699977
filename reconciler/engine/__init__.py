"""A run: observe, diff, plan, gate, apply, look again. It may import the kinds and what is below them.

Every entry point calls `run.run`; what it may be asked, needs and answers is in `run.__all__`. Start with `run.py`, which
tells the stages in their order; each stage is a file that can be read alone. `observe.py` and `apply.py` call AWS, all
others are values in, values out.
"""
