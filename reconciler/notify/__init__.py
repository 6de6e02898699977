"""Alerts for people, and one event a run for programs.

Pure, except for `publisher.py`, which sends. It may import reports, the engine's results, the ledger's values and the
kinds. Start with `alert_rules.py` (which alerts an attempt raises), then `deduplication.py` (which of them to send),
`message.py` and `chat.py` (their text), and `event.py`.
"""
