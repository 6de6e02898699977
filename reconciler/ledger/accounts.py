"""Which document speaks for an account that nobody can reach, so that thirty of them are one message.

One item of the ledger's table for each such account, whose key no document has:

    document  S  `account#` and its id        speaker  S  the document that told people      spoke_at  N  seconds

It is written only by attempts that could not reach their account; a calm run never asks for it. Whoever spoke last
goes on speaking, and says when the account is back; if it is silent for `TERM`, the next one takes its place.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from reconciler.ledger.item import seconds
from reconciler.ledger.table import LedgerError, Table

PREFIX = "account#"
TERM = timedelta(hours=1)
"""Longer than a message waits before it is tried again: a document that still is looked after has spoken since."""
_log = logging.getLogger(__name__)


class Accounts:
    """The items of the accounts in a ledger's table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def speaks(self, account: str, document: str, now: datetime) -> bool:
        """Whether the document is the one that tells people of its account. If the table does not answer, it does:
        a message too many is better than none.
        """
        values: dict[str, Any] = {":me": document, ":now": seconds(now), ":silent": seconds(now - TERM)}
        free = "attribute_not_exists(#speaker) OR #speaker = :me OR #spoke_at < :silent"
        what = "who tells of an account could not be stored"
        try:
            return self._table.update(what, PREFIX + account, "SET #speaker = :me, #spoke_at = :now", free, values).done
        except LedgerError as error:
            _log.warning("%s", error)
            return True

    def back(self, account: str, document: str) -> None:
        """The document has told that its account is back: the next time, anybody may speak."""
        what = "that an account is back could not be stored"
        try:
            self._table.update(
                what, PREFIX + account, "REMOVE #speaker, #spoke_at", "#speaker = :me", {":me": document}
            )
        except LedgerError as error:  # it is free after TERM all the same
            _log.warning("%s", error)
