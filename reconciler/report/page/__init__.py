"""The page of a run: what one receipt says, for people. `html.py` and `markdown.py` print it; all other modules are pure
and know neither HTML nor Markdown.
"""
