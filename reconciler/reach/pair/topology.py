"""The network together with who is where in it: all that the judgement of a flow needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from desired_state.fields import Address
from desired_state.quotas import DEFAULT, Quotas
from reconciler.reach.network import UNREADABLE, Network
from reconciler.reach.pair.ends import Endpoint

_NO_NATS: Mapping[str, Address] = MappingProxyType({})


@dataclass(frozen=True)
class Topology:
    """A network, the machines in it, and what is not known about it.

    - `nats`: NAT gateway (its id) -> the subnet that it is in. One that is missing here is not known to pass anything.
    - `relays`: the load balancers and accelerators that hand packets from the internet on with the client's address.
    - `assumed`: sentences on what stands in for things that nobody declares.
    - `quotas`: those of the account, which say whether there is room for what mends a flow.

    What could not be read is in the network's UNREADABLE cell. A group, ACL or table without a cell, and a subnet
    without an ACL, are not known either; a table without routes has an empty cell.
    """

    network: Network
    endpoints: tuple[Endpoint, ...] = ()
    nats: Mapping[str, Address] = _NO_NATS
    relays: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    quotas: Quotas = DEFAULT
    parts: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """What the judgement has worked out of the network's cells; shared with `after`. Only `filters.py` looks inside."""
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """What the judgement has worked out of the whole. Only `filters.py` and `flows.py` look inside."""

    def after(self, network: Network) -> Topology:
        """The same ends in another state of the network. What did not change is not worked out again."""
        return replace(self, network=network, memo={})

    def unreadable(self, address: Address, kind: str) -> bool:
        """Whether this resource, of this kind, may let through anything because it could not be read."""
        unread = self.unread
        if not unread:
            return False
        return address in unread or Address.of(kind, address) in unread or Address.of(kind, "*") in unread

    @cached_property
    def unread(self) -> Mapping[Address, bool]:
        """What could not be read."""
        return self.network[UNREADABLE]
