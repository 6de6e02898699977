"""How a network stands after a run, in the words of receipts, their keys, the ledger and the fleet."""

from __future__ import annotations

from enum import StrEnum


class NetworkState(StrEnum):
    """The state of a network after a run."""

    SYNC = "sync"
    """As declared."""
    DIFFERS = "differs"
    """Something is not as declared, and nothing undeclared is let in by it."""
    OPEN = "open"
    """Something undeclared is let in."""
    UNSEEN = "unseen"
    """Nothing, or not all of it, could be read."""
    REFUSED = "refused"
    """No version of the document may be enforced."""
    DELETED = "deleted"
    """The document is deleted: nothing is enforced any more."""
    DAY = "day"
    """No state: the key of a day sheet."""
