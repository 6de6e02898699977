"""What identifies something from run to run, in the ledger's items. Pure."""

from __future__ import annotations

import hashlib
import json

from reconciler.model import Action, Difference


def name(one: Difference) -> str:
    """What identifies a difference, whatever its values: 16 hexadecimal digits."""
    return short([one.address, one.field, one.key])


def of_action(action: Action) -> str:
    """The same of an action that corrects no difference."""
    return short([action.address, action.operation.name, action.why])


def short(value: object) -> str:
    """A digest of 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()[:16]
