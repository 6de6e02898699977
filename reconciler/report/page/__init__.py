"""The page of a run: what one receipt says, for people. `html.py` and `markdown.py` print it."""
