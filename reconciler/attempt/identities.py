"""At which ids the resources of a document were found, from run to run. Pure.

`keep.py` gives a run what `known` makes of the ledger's record, and stores what `after` returns when it is over. What a
run does with it is in `engine/witness.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.engine.result import Report
from reconciler.engine.witness import counts
from reconciler.ledger.record import DocumentRecord
from reconciler.model import CERTAIN


def known(record: DocumentRecord, document: Document) -> Mapping[Address, str]:
    """The remembered ids by the addresses of today: a resource keeps its id when it is renamed. None if the document is
    about another account, region or VPC now.
    """
    scope = document.scope
    if (record.account, record.region) != (scope.account_id, scope.region) or scope.vpc_id not in {None, record.vpc_id}:
        return {}
    found = {at: [record.ids[one] for one in _names(at, document) if one in record.ids] for at in document.resources}
    return {address: ids[0] for address, ids in found.items() if ids}


def vpc_of(record: DocumentRecord, document: Document) -> str:
    """The id of the VPC that the document was in force in; empty if it never was, in this account and region."""
    if (record.account, record.region) != (document.scope.account_id, document.scope.region):
        return ""
    return record.vpc_id or next((record.ids[one] for one in _names(document.vpc, document) if one in record.ids), "")


def remembered_as(addresses: Iterable[Address], document: Document) -> frozenset[Address]:
    """The addresses under which the ledger may know these resources."""
    return frozenset(one for address in addresses for one in _names(address, document))


def after(before: Mapping[Address, str], report: Report) -> Mapping[Address, str]:
    """What to remember after a run.

    What was absent keeps its id, so that a resource that is put in its place is noticed, and so does what was held.
    What the run created and no look shows yet has none. First comes what is not certain: an item of the ledger has room
    for so many.
    """
    document, held = report.document, report.gate.suspects
    ids: dict[Address, str] = {}
    for address in sorted(document.resources, key=lambda address: _is_certain(address, report)):
        was, now = before.get(address, ""), report.resource_ids.get(address, "")
        kept = now if address in report.created else now or was
        if address in held or document.vpc in held:  # what is in a VPC is found through it
            kept = was
        if kept and counts(document, address):
            ids[address] = kept
    return ids


def _names(address: Address, document: Document) -> list[Address]:
    former = (Address.of(address.kind, name) for name in document.resources[address].formerly)
    return [address, *former]


def _is_certain(address: Address, report: Report) -> bool:
    return address in report.found_by and report.found_by[address].by in CERTAIN
