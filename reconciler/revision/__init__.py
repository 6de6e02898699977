"""What a new version of a document changes in meaning, compared with the one before.

`compare.py` compares two documents: which flows pass now and did not, what is guarded no longer, which of its own
intents the new one breaks, and why a person must approve it first. The parts are in `resources.py`, `owners.py`,
`exceptions.py` and `intents.py`; the answer is a `change.py`. Pure. It may import the engine's differ, the kinds and
reach. Imported only where a version is new: a calm run pays nothing. Start with `compare.py`.
"""
