"""The report of a run as text, as JSON and as log records. Pure; it may import the engine's results.

Start with `text.py` (what a terminal shows), then `as_json.py` and `records.py`. `attempt.py` is the result of one
attempt to keep a document. `fitting.py` cuts what is too long.
"""
