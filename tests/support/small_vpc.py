"""Networks written in a few lines, for tests of the joint judgement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from desired_state.fields import AclEntry, Address, RuleKey
from reconciler.model import Effect
from reconciler.packets.traffic import Cuts
from reconciler.reach import network as cells
from reconciler.reach.network import Network
from reconciler.reach.pair.ends import CLIENT_PORTS, Endpoint, External, Ports, Ranges
from reconciler.reach.pair.mends import clauses
from reconciler.reach.pair.topology import Topology

GATEWAY = "internet_gateway/main"
ALL = ("all 0.0.0.0/0",)
EVERYTHING = {100: "allow all 0.0.0.0/0"}


@dataclass
class Vpc:
    """A VPC. Subnets use the ACL `open`, and the table `main`, which has its local route only, unless said."""

    cidr: str = "10.0.0.0/16"
    effects: list[Effect] = field(default_factory=list)
    subnets: dict[str, str] = field(default_factory=dict)
    nats: dict[str, Address] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.effects += [(cells.LOCAL, self.cidr, True), (cells.USABLE, GATEWAY, True)]
        self.acl("open", EVERYTHING, EVERYTHING)
        self.table("main", {})
        self.table("public", {"0.0.0.0/0": GATEWAY})
        self.group("open", ALL, ALL)

    def subnet(self, name: str, cidr: str, acl: str = "open", table: str = "main") -> None:
        subnet = Address(f"subnet/{name}")
        self.subnets[name] = cidr
        self.effects += [(cells.SUBNETS, subnet, (cidr,)), (cells.ACL_OF, subnet, Address(f"network_acl/{acl}"))]
        self.effects.append((cells.TABLE_OF, subnet, Address(f"route_table/{table}")))

    def acl(self, name: str, ingress: Mapping[int, str], egress: Mapping[int, str]) -> None:
        """Entries as `allow tcp 22-25 10.0.0.0/8`."""
        for side, written in (("ingress", ingress), ("egress", egress)):
            found = {number: AclEntry(text.split()[0], *_clause(text.split()[1:])) for number, text in written.items()}
            self._say(cells.entries(Address(f"network_acl/{name}"), side), found)

    def group(self, name: str, ingress: Iterable[str] = (), egress: Iterable[str] = ()) -> None:
        """Rules as `tcp 22-25 10.0.0.0/8`."""
        for side, written in (("ingress", ingress), ("egress", egress)):
            found = {RuleKey(*_clause(text.split())): True for text in written}
            self._say(cells.rules(Address(f"security_group/{name}"), side), found)

    def table(self, name: str, made: Mapping[str, str], by_aws: Mapping[str, str] | None = None) -> None:
        table = Address(f"route_table/{name}")
        self._say(cells.routes(table), made)
        self._say(cells.routes_by_aws(table), by_aws or {})

    def machine(
        self,
        name: str,
        subnet: str,
        *groups: str,
        public: bool | None = False,
        address: str = "",
        client_ports: Ports = CLIENT_PORTS,
    ) -> Endpoint:
        """Machines in a subnet, or one with an address; in the group `open` unless others are named."""
        carried = frozenset(Address(f"security_group/{group}") for group in groups or ("open",))
        place = Ranges.of(address or self.subnets[subnet])
        return Endpoint(name, Address(f"subnet/{subnet}"), carried, place, public, name, client_ports)

    def _say(self, cell: cells.Cell, members: Mapping[Any, Any]) -> None:
        """All members of a cell, even if there are none."""
        self.effects = [effect for effect in self.effects if effect[0] != cell]
        self.effects += [(cell, None, None), *((cell, member, value) for member, value in members.items())]

    def topology(self) -> Topology:
        return Topology(Network(self.effects), nats=self.nats)


def outside(*cidrs: str) -> External:
    return External(", ".join(cidrs), Ranges.of(*cidrs))


def written(cuts: Cuts) -> list[str]:
    """Traffic in the words of rules: `["tcp 22", "udp 0-65535"]`."""
    return [
        protocol if first == -1 else f"{protocol} {first}" if first == last else f"{protocol} {first}-{last}"
        for protocol, first, last in clauses(cuts)
    ]


def _clause(words: list[str]) -> tuple[str, int, int, str]:
    protocol, *ports, peer = words
    if not ports:
        return protocol, -1, -1, peer
    first, _, last = ports[0].partition("-")
    return protocol, int(first), int(last or first), peer
