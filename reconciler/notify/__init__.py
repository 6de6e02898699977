"""What people and programs are told, and when they are told again.

Pure but for `publisher.py`, which sends. It may import reports, the engine's results, the ledger's values and the kinds.
Start with `alert_rules.py` (which alerts an attempt raises), then `deduplication.py` (which of them are news), `message.py`
and `chat.py` (their words), `event.py` (the same for programs).
"""
