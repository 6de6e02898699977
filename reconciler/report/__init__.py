"""A finished run in words, in JSON, and as records for the log. Pure; it may import the engine's results.

Start with `text.py` (what a terminal shows), then `as_json.py` and `records.py`. `attempt.py` is the value that says how
one attempt to keep a document ended.
"""
