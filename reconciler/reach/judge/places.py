"""Who is where: the machines that a document names, placed in a network. Pure.

A workload is one endpoint in each of its subnets, with all of its groups and every address of the subnet: machines come
and go. A database is one in every subnet of its subnet group, because a failover moves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.intents import DATABASE_PORT
from desired_state.network import Subnet
from reconciler.reach.network import GROUPS_OF, PLACE_OF, PUBLIC, PUBLIC_SUBNETS, SUBNETS_OF, Network
from reconciler.reach.pair.ends import CLIENT_PORTS, Endpoint, Ports, Ranges


class Placed(NamedTuple):
    """The machines that a document names.

    `unknown` says of a workload or database why nobody can say where it is; `absent` are the databases that are not
    there; `ports` are those of the databases.
    """

    endpoints: tuple[Endpoint, ...]
    unknown: Mapping[str, str]
    absent: frozenset[str]
    ports: Mapping[str, int]


def placed(document: Document, network: Network) -> Placed:
    """The workloads and databases of a document, where this network has them."""
    unknown: dict[str, str] = {}
    endpoints: list[Endpoint] = []
    for name, workload in document.workloads.items():
        public, ports = workload.public_address, workload.client_ports
        endpoints += _in_each(
            name,
            sorted(workload.subnets),
            frozenset(workload.security_groups),
            network,
            unknown,
            public=public,
            client_ports=ports[0] if ports else CLIENT_PORTS,
        )
    databases = document.of_kind("db_instance")
    absent = set[str]()
    for address in databases:
        found = _database(document, address, network, unknown)
        if found is None:
            absent.add(address)
        endpoints += found or ()
    ports_of = {str(at): getattr(one, "port", None) or DATABASE_PORT for at, one in databases.items()}
    return Placed(tuple(endpoints), unknown, frozenset(absent), ports_of)


def _database(document: Document, address: Address, network: Network, unknown: dict[str, str]) -> list[Endpoint] | None:
    """Its endpoints; None if it is not there."""
    if address not in network[PLACE_OF] and (address in document.external or network.blind("db_instance")):
        why = "belongs to another document" if address in document.external else "could not be read"
        unknown[address] = f"{address} {why}, so it is not known where it is"
        return []
    if address not in network[GROUPS_OF] and address not in network[PLACE_OF]:
        return None
    subnets = network[SUBNETS_OF].get(network[PLACE_OF].get(address))
    if subnets is None:
        unknown[address] = f"the subnets of {address} are not known, those of its DB subnet group"
        return []
    public = True if address in network[PUBLIC] else _declared_private(document, address)
    return list(_in_each(address, sorted(subnets), network[GROUPS_OF].get(address), network, unknown, public=public))


def _declared_private(document: Document, address: Address) -> bool | None:
    """What the document says of an instance that the network does not show as public."""
    return getattr(document.resources[address], "publicly_accessible", None)


def _in_each(
    owner: str,
    subnets: list[Address],
    groups: frozenset[Address] | None,
    network: Network,
    unknown: dict[str, str],
    *,
    public: bool | None,
    client_ports: Ports = CLIENT_PORTS,
) -> Iterator[Endpoint]:
    for subnet in subnets:
        networks = network.subnets.get(subnet, () if "/" not in subnet or network.blind("subnet") else None)
        if networks is None:
            continue  # it is declared and not there, and neither is anybody in it
        if not networks:
            unknown[owner] = f"{owner} is in {subnet}, whose network is not known"
            continue
        known = public if public is not None or Address(owner).kind == "db_instance" else _mapped(network, subnet)
        label = owner if len(subnets) == 1 else f"{owner} in {subnet}"
        yield Endpoint(label, subnet, groups, Ranges.of(*networks), known, owner, client_ports)


def _mapped(network: Network, subnet: Address) -> bool | None:
    """Whether a machine in a subnet has a public address, if nobody says so of it: an elastic IP may come."""
    return True if subnet in network[PUBLIC_SUBNETS] else None


class Possible(NamedTuple):
    """Machines that may be there although nobody names them: with this group, in any of these subnets, which no filter
    tells apart but by their addresses.
    """

    group: Address
    subnets: tuple[Address, ...]
    public: bool | None

    def within(self, selector: str) -> Possible | None:
        """Those that a selector of a subnet, a group or the VPC means; None if it means none of them."""
        match Address(selector).kind:
            case "vpc":
                return self
            case "security_group":
                return self if selector == self.group else None
            case "subnet" if selector in self.subnets:
                return self._replace(subnets=(Address(selector),))
            case _:
                return None

    def without(self, selectors: Iterable[str]) -> Possible | None:
        """Those that none of the selectors means; None if they mean all of them."""
        meant = [one for selector in selectors if (one := self.within(selector))]
        left = tuple(subnet for subnet in self.subnets if not any(subnet in one.subnets for one in meant))
        return self._replace(subnets=left) if left else None

    def endpoints(self, network: Network, near: Address | None) -> Iterator[Endpoint]:
        """The machines in the subnet `near`, where no ACL is asked between them and another one, and all others."""
        for subnets in ([one for one in self.subnets if one == near], [one for one in self.subnets if one != near]):
            if subnets:
                networks = [cidr for subnet in subnets for cidr in network.subnets[subnet]]
                label = f"a machine with {self.group} in {subnets[0]}"
                yield Endpoint(label, subnets[0], frozenset({self.group}), Ranges.of(*networks), self.public)


def possible(document: Document, network: Network, said: tuple[Endpoint, ...]) -> tuple[Possible, ...]:
    """The machines that may be there although the document names none: those with each group in each subnet.

    Groups only allow, so that a machine with several groups is reached where one of them lets it be reached.
    """
    alike: dict[object, list[Address]] = {}
    for subnet, one in document.resources.items():
        if isinstance(one, Subnet) and network.subnets.get(subnet):
            public = _mapped(network, subnet)
            alike.setdefault((network.acl_of(subnet), network.table_of(subnet), public), []).append(subnet)
    known: dict[Address, set[Address]] = {}
    for machine in said:
        for group in machine.groups or ():
            known.setdefault(group, set()).add(machine.subnet)
    return tuple(
        Possible(group, left, _mapped(network, left[0]))
        for group in document.of_kind("security_group")
        if group not in document.external
        for subnets in alike.values()
        if (left := tuple(one for one in subnets if one not in known.get(group, ())))
    )
