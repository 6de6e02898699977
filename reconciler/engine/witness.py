"""Whether a live resource is the one that it was in earlier runs. Pure.

Tags, Name tags and associations can be changed by anybody with the right to tag or to associate, so a resource that is
found by them may be another one that somebody puts in its place. The ledger remembers the id at which each address was
found. It is a witness and never evidence: it finds nothing, but what is found at another id than before is not written
to until a person says that this is right. `run.py` calls it after its first look; what is remembered is decided in
`attempt/identities.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.model import CERTAIN, Action, Cause, Found, Reason, Snapshot, refs


def changed(document: Document, snapshot: Snapshot, before: Mapping[Address, str]) -> dict[Address, Cause]:
    """Which addresses were found at another id than `before`, and only by what anybody could have made so.

    Where the VPC is one of them, so is all that was found in it. Also what now stands undeclared at such a former id,
    which must not be deleted: it is held under its own address.
    """
    causes: dict[Address, Cause] = {}
    for address, seen in snapshot.resources.items():
        was, now, found = before.get(address), seen.lasting_id, snapshot.found_by.get(address)
        certain = found is not None and found.by in CERTAIN
        if was and was != now and not certain and counts(document, address):
            causes[address] = Cause(Reason.IDENTITY_CHANGED, _message(address, was, now, found), f"{was} -> {now}")
    former = {before[address]: address for address in causes}
    for one in snapshot.unmanaged:
        if one.id in former:
            causes.setdefault(one.address, elsewhere(former[one.id], causes[former[one.id]]))
    return causes


def counts(document: Document, address: Address) -> bool:
    """Whether anything depends on which resource an address is: not on one that is ignored, but on an external one."""
    return document.resources[address].enforcement != "ignore" or address in document.external


def _message(address: Address, was: str, now: str, found: Found | None) -> str:
    how = f" ({found.how})" if found else ""
    adopt = json.dumps({address: now}, ensure_ascii=False)
    return (
        f'it is {now} now{how}, and was {was} before: if that is right, write "adopt": {adopt}, '
        "or release this plan; until then nothing is written to it"
    )


def elsewhere(address: Address, cause: Cause) -> Cause:
    """The cause of a changed identity, as it is told at another address."""
    return Cause(cause.reason, f"{address}: {cause.message}", cause.code)


def touching(action: Action, changed: Mapping[Address, Cause], vpc: Address) -> Cause | None:
    """Why an action must not be carried out: it is about something in `changed`, or refers to it. What is in a VPC is
    found through it, so nothing is done at all while that is another one.
    """
    if not changed:
        return None
    if action.address in changed:
        return changed[action.address]
    about = {address for address, _ in action.resolves} | {ref.to for ref in refs(action.params)}
    about |= {ref.to for part in action.parts for ref in refs(part.params)}
    if address := min((about | {vpc}) & changed.keys(), default=None):
        return elsewhere(address, changed[address])
    return None


def sealed(fingerprint: str, changed: Mapping[Address, Cause]) -> str:
    """The fingerprint of a plan, for these ids only: it names resources by their addresses, so the approval of one
    resource would also release the next one that is put in its place.
    """
    if not changed:
        return fingerprint
    ids = sorted({cause.code for cause in changed.values()})
    return hashlib.sha256(json.dumps([fingerprint, ids]).encode()).hexdigest()[:16]
