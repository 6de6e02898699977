"""One attempt to keep a document: lease, version, run, memory, notification.

Every Lambda entry point calls `keep.keep`; its arguments and result are in `keep.__all__`. This package may import
every other package of the reconciler, and none of them imports it. Start with `keep.py`; `version.py` selects the
version to enforce, `one_run.py` runs it, and `flapping.py` finds corrections that somebody else keeps undoing.
"""
