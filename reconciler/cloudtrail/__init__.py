"""Who made a change, according to CloudTrail. It may import the engine's results, the kinds and the client.

Start with `attribution.py`, which is called after a run that found drift; `record.py` reads one record, and is pure.
"""
