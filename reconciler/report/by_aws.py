"""Which live resources that nobody declares AWS made together with the VPC. Pure."""

from __future__ import annotations

from desired_state.fields import Address
from reconciler.kinds import REGISTRY
from reconciler.model import Observed, Snapshot, Unmanaged
from reconciler.model.guard import Stage, contained


def made_with_vpc(look: Snapshot | None, one: Unmanaged) -> bool:
    """Whether a look shows it to be the VPC's main table, default ACL or group `default`."""
    if look is None:
        return False
    kind = one.address.kind
    return contained(
        lambda: by_aws(kind, one.address.name, look.neighbours.get((kind, one.id))),
        lambda cause: False,
        who=one.address,
        stage=Stage.TELLING,
    )


def by_aws(kind: str, name: str, seen: Observed | None) -> bool:
    """The same of what was seen; `name` is empty if it has none."""
    return seen is not None and REGISTRY[kind].create.by_aws(Address.of(kind, name), seen.spec)
