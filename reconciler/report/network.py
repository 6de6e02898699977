"""The network of a run as JSON: what is declared, and what its first and its last look saw. Pure.

Specs are as a document writes them; what they refer to is an address where it is declared, else an AWS id. Neighbours,
which nobody declares, become the model only here, so a run that nobody asks costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from desired_state.fields import Address
from desired_state.resource import Resource
from desired_state.sanitize import sanitize
from desired_state.write import as_section
from reconciler.model import Observed, Ref, Snapshot
from reconciler.model.guard import Stage, contained
from reconciler.model.times import iso_time
from reconciler.report.by_aws import by_aws
from reconciler.report.looks import but, without_our_tags

if TYPE_CHECKING:
    from reconciler.engine.result import Report


def as_json(report: Report) -> dict[str, Any]:
    """`declared`: {address: spec}, `external` what of it is only referred to, `workloads` who is where; `first` and
    `last`: a look each, `last` null if there was no second one.
    """
    resources = report.document.resources
    declared = {address: spec_as_json(address, one) for address, one in resources.items()}
    return {
        "declared": declared,
        "external": sorted(report.document.external),
        "workloads": {
            sanitize(name): {"subnets": one.subnets.as_written(), "security_groups": one.security_groups.as_written()}
            for name, one in report.document.workloads.items()
        },
        "first": look_as_json(report.first, declared) if report.first else None,
        "last": look_as_json(report.last, declared) if report.last else None,
    }


def look_as_json(look: Snapshot, declared: Mapping[Address, dict[str, Any] | None]) -> dict[str, Any]:
    """One look. `resources` are the declared ones that exist: what is otherwise than declared (`looks.py`), or a null
    `spec` if they have a value that a document cannot say. `unmanaged` is what nobody declares, by kind and id, with
    `made_by_aws` for what comes with the VPC; `unread` says why something is in neither.
    """
    resources = {address: _seen(address, one, declared.get(address)) for address, one in look.resources.items()}
    for address in declared:
        if address not in resources and (aws_id := look.handles.get(Ref(address))):
            resources[address] = {"id": aws_id, "status": None, "spec": None}
    labels = {(one.address.kind, one.id): one.address.name for one in look.unmanaged}
    unread = {**look.unreadable, **look.ambiguous}
    return {
        "at": iso_time(look.at),
        "resources": resources,
        "unmanaged": {
            f"{kind}/{aws_id}": _neighbour(look, kind, aws_id, labels.get((kind, aws_id), ""))
            for kind, aws_id in sorted(look.neighbours)
        },
        "unread": {address: str(cause) for address, cause in unread.items()},
    }


def before_as_json(report: Report) -> dict[str, Any]:
    """The whole resource as a document writes it, from the first look, of all that a call of this run touched."""
    if report.first is None or not report.wrote:
        return {}
    tried = [one.action for one in report.action_results]
    touched = dict.fromkeys(at for one in tried for at in (one.address, *(at for at, _ in sorted(one.resolves))))
    unmanaged = {one.address: (one.address.kind, one.id) for one in report.first.unmanaged}
    found: dict[str, Any] = {}
    for address in touched:
        seen = report.first.resources.get(address)
        if seen is None and address in unmanaged:
            seen = report.first.neighbours.get(unmanaged[address])
        if seen is not None and (spec := _live(address, seen)) is not None:
            found[address] = spec
    return found


def spec_as_json(address: Address, spec: Resource) -> dict[str, Any] | None:
    """The fields of a resource as a document writes them; None if they cannot be written."""
    return contained(lambda: as_section(spec), lambda cause: None, who=address, stage=Stage.TELLING)


def _live(address: Address, one: Observed) -> dict[str, Any] | None:
    spec = spec_as_json(address, one.spec)
    return None if spec is None else without_our_tags(spec)


def _seen(address: Address, one: Observed, declared: dict[str, Any] | None) -> dict[str, Any]:
    known = {"id": one.id or None, "status": one.status or None}
    spec = _live(address, one)
    return known | ({"spec": spec} if spec is None or declared is None else {"but": but(declared, spec)})


def _neighbour(look: Snapshot, kind: str, aws_id: str, label: str) -> dict[str, Any]:
    address = Address.of(kind, aws_id)

    def told() -> dict[str, Any]:
        seen = look.neighbours[kind, aws_id]
        spec = _live(address, seen) if seen else None
        name = label if label != aws_id else ""
        return {"id": aws_id, "name": name or None, "spec": spec, "made_by_aws": by_aws(kind, name, seen)}

    nothing = {"id": aws_id, "name": None, "spec": None, "made_by_aws": False}
    return contained(told, lambda cause: nothing, who=address, stage=Stage.TELLING)
