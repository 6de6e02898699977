"""Whom two documents say that resources belong to, compared: the scope, `external` and `adopt`."""

from __future__ import annotations

from collections.abc import Iterator

from desired_state.document import NEW, Document, External, Scope
from desired_state.fields import shown
from reconciler.model.exposure import Severity
from reconciler.revision.change import Point, Side, Subject


def points(before: Document, after: Document) -> Iterator[Point]:
    """Every resource that is handed to somebody else, or taken over."""
    if before.scope != after.scope:
        words = f"the document is for {_place(after.scope)}, was for {_place(before.scope)}"
        yield Point(Side.UNGUARDED, Subject.SCOPE, "", f"{words}: what is there is not kept any more", Severity.HIGH)
    for address, now in after.external.items():
        was = before.external.get(address)
        if was is None and address in before.resources:
            words = f"{address} belongs to {_owner(now)} now: it is not kept here any more"
            yield Point(Side.UNGUARDED, Subject.OWNER, address, words, Severity.HIGH)
        elif was is not None and was != now:
            words = f"{address} is {_owner(now)} now, was {_owner(was)}: whatever refers to it means another resource"
            yield Point(Side.UNGUARDED, Subject.OWNER, address, words, Severity.MEDIUM)
    for address in before.external:
        if address in after.resources and address not in after.external:
            words = f"{address} is declared here now, and belongs to nobody else"
            yield Point(Side.GUARDED, Subject.OWNER, address, words, Severity.INFO)
    yield from _adopted(before, after)


def _adopted(before: Document, after: Document) -> Iterator[Point]:
    for address, now in after.adopt.items():
        was = before.adopt.get(address)
        if was == now or address not in before.resources:
            continue
        what = "is made anew" if now == NEW else f"is {now} now"
        rest = f"{was} is not kept any more" if was and was != NEW else "whichever it was before is not kept any more"
        severity = Severity.HIGH if was and was != NEW else Severity.MEDIUM
        yield Point(Side.UNGUARDED, Subject.OWNER, address, f"{address} {what} (adopt): {rest}", severity)


def _place(scope: Scope) -> str:
    vpc = f", {scope.vpc_id}" if scope.vpc_id else ""
    return f"account {scope.account_id}, {scope.region}{vpc}"


def _owner(external: External) -> str:
    if external.id is not None:
        return f"the resource {shown(external.id)}"
    name = f", as {shown(external.name)}" if external.name else ""
    return f"the document {shown(external.document)}{name}"
