"""What stands open at a resource that is not corrected because nobody knows for sure whose it is. Pure.

Anybody with the right to tag can put the tags of another document on a declared resource, or its own tags on a second
one: from then on it is nobody's to correct. What it lets in is still there, and people are told of it as if it were
the declared one's. Imported only by a run that found such a resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address, RuleKey
from reconciler.engine.diff import apply_exceptions, differences
from reconciler.kinds import REGISTRY
from reconciler.model import Change, Difference, Observed, Snapshot
from reconciler.model.guard import Stage, contained


def beneath(document: Document, snapshot: Snapshot, now: datetime) -> Mapping[Address, tuple[Difference, ...]]:
    """What each resource that may be a declared one lets in and the document does not, by the declared one's address.

    What an exception tolerates is left out, and so is a rule whose peer is itself such a resource: under its id it may
    be the declared one.
    """
    found: dict[Address, dict[Any, Difference]] = {}
    for aws_id, address in snapshot.candidates.items():
        resource = document.resources.get(address)
        have = snapshot.neighbours.get((address.kind, aws_id))
        if address not in snapshot.ambiguous or not resource or resource.enforcement == "ignore" or not have:
            continue
        opened = partial(_open, document, snapshot, now, address, have)
        some = contained(opened, lambda cause: (), who=address, stage=Stage.COMPARING)
        found.setdefault(address, {}).update({one.identity: one for one in some})
    return {address: tuple(some.values()) for address, some in found.items() if some}


def _open(
    document: Document, snapshot: Snapshot, now: datetime, address: Address, have: Observed
) -> tuple[Difference, ...]:
    want = document.resources[address]
    change = Change(address, want, have, have.spec, tuple(differences(address, want, have.spec)))
    left, _ = apply_exceptions([change], document.exceptions, now)
    lets_in = REGISTRY[address.kind].traffic.lets_in
    some = (one for change in left for one in change.differences if lets_in(one))
    return tuple(one for one in some if not (isinstance(one.key, RuleKey) and one.key.peer in snapshot.candidates))
