"""Who made a change, as far as CloudTrail tells. It may import the engine's results, the kinds and the client.

Start with `attribution.py`, which asks after a run that found drift; `record.py` reads one record, and is pure.
"""
