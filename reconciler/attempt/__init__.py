"""One attempt to keep a document: lease, version, run, memory, notification.

Every Lambda entry point calls `keep.keep`; what it may be asked, needs and answers is in `keep.__all__`. It may import
every other package of the reconciler, and none of them imports it. Start with `keep.py`; `version.py` picks the version
to enforce, `flapping.py` says which corrections somebody else keeps undoing.
"""
