"""All documents of a deployment at a glance: one line each, the gravest first.

`standing.py` says how a document stands, by its item in the ledger; `strip.py` what its receipts' keys say of 30 days;
`fleet.py` puts them together, and `text.py` tells it. Pure: whoever asks reads the ledger and the listings
(`handlers/fleet.py`). Nothing is green that nobody looks at. Start with `fleet.py`.
"""
