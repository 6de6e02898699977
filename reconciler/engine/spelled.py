"""The document of a run, with every reference spelled as the look shows it: see `desired_state/spelling.py`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.resource import SECTIONS
from desired_state.rules import Rules
from desired_state.spelling import group_of, spelled
from reconciler.model import Snapshot
from reconciler.model.kind import declared_ids


def as_seen(document: Document, snapshot: Snapshot) -> Document:
    """The document, with the address of every id that was found to be a declared resource's, and with the account of a
    group of another one, which a document may leave out.
    """
    if not document.ids:
        return document
    names = {aws_id: at for aws_id, at in declared_ids(snapshot.handles, document) if _of_ec2(at, aws_id)}
    if any(group_of(one) for one in document.ids - names.keys()):
        names = dict(_owned_elsewhere(snapshot)) | names
    return spelled(document, names)


def _of_ec2(address: Address, aws_id: str) -> bool:
    """Whether it is called by an id of EC2, or by that with its account; a database may have any name, such as an id of
    something else.
    """
    model = SECTIONS.get(address.kind)
    return model is None or (model.id_form is not None and model.id_form.problem(aws_id) is None)


def _owned_elsewhere(snapshot: Snapshot) -> Iterator[tuple[str, Address]]:
    """The id and the full name of the groups of other accounts in the rules of declared groups."""
    for seen in snapshot.resources.values():
        for field in seen.spec.described():
            value = getattr(seen.spec, field)
            for key in value if isinstance(value, Rules) else ():
                if (found := group_of(key.peer)) and found[0]:
                    yield found[1], Address(key.peer)
