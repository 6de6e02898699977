"""What a document says about its network, judged.

`intents.py` judges it; `selectors.py` finds who is meant, `places.py` where the machines are that the document names.
`offline.py` makes the network of a document that nobody has looked at, `live.py` that of a look. `mending.py` finds
what mends several intents, `forbidden.py` says what they forbid the calls of a plan. All that a judgement needs is a
`context.py`.
"""
