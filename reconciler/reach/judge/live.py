"""The network as it was looked at, with the machines that stand in it. Pure.

What the document names is placed as `places.py` says, and the network interfaces add what the document cannot say: a
machine that carries other groups than any workload, which addresses are public, where the NAT gateways are, and which
load balancers hand packets on with the client's address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.quotas import DEFAULT, Quotas
from desired_state.sanitize import sanitize
from reconciler.model import Cause, Interface
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.places import placed, possible
from reconciler.reach.network import GROUPS_OF, PLACE_OF, PUBLIC, SUBNETS_OF, Network
from reconciler.reach.pair.ends import Endpoint, Ranges
from reconciler.reach.pair.topology import Topology

RELAYS = frozenset({"network_load_balancer", "gateway_load_balancer", "global_accelerator_managed"})
"""The types of interfaces that hand packets on with the client's address, to machines without a public one."""
_NAMED = 3
"""The most interfaces that the label of an end names; the others are counted."""


@dataclass(frozen=True)
class LiveMachines:
    """Which machines are where, as the interfaces show it.

    `members` are the interfaces of each workload in each of its subnets, `strangers` those of nobody that the document
    names, alike ones together. `unknown` says why the interfaces are not known, empty if they are.
    """

    members: Mapping[tuple[str, Address], tuple[Interface, ...]] = field(default_factory=dict)
    strangers: tuple[Endpoint, ...] = ()
    nats: Mapping[str, Address] = field(default_factory=dict)
    relays: tuple[str, ...] = ()
    unknown: str = ""


type _Place = tuple[Address, frozenset[Address]]
"""Where an interface is, and which groups it carries, by the document's names."""


def live_machines(
    document: Document, network: Network, interfaces: tuple[Interface, ...] | Cause | None, names: Mapping[str, Address]
) -> LiveMachines:
    """Who the interfaces of one look are, in the network of that look (None: it has not read them); `names` are the
    addresses of declared ids.

    It belongs to a workload if it is in one of its subnets and has exactly its groups: with one group more it is a
    stranger, because to attach a group to a running machine is the commonest way to open it. What AWS keeps for a
    database belongs to it if groups and subnet fit. What is attached to nothing, or has no groups, is no machine.
    """
    if interfaces is None:
        return LiveMachines(unknown="nobody has looked which machines are there")
    if isinstance(interfaces, Cause):
        why = f"which machines are there is not known: {interfaces}; allow ec2:DescribeNetworkInterfaces"
        return LiveMachines(unknown=why)
    of_workloads: dict[_Place, list[str]] = {}
    for name, workload in document.workloads.items():
        for subnet in workload.subnets:
            of_workloads.setdefault((subnet, frozenset(workload.security_groups)), []).append(name)
    of_databases = set(_of_databases(document, network))
    members: dict[tuple[str, Address], list[Interface]] = {}
    strangers: dict[tuple[_Place, bool], list[Interface]] = {}
    for one in interfaces:
        place = _named(one.subnet, names), frozenset(_named(group, names) for group in one.groups)
        if not one.in_use or not one.groups or (one.managed and place in of_databases):
            continue
        if place in of_workloads:
            for name in of_workloads[place]:
                members.setdefault((name, place[0]), []).append(one)
        else:
            strangers.setdefault((place, one.public), []).append(one)
    return LiveMachines(
        {key: tuple(some) for key, some in members.items()},
        tuple(_stranger(network, place, some) for (place, _), some in strangers.items()),
        {one.nat: _named(one.subnet, names) for one in interfaces if one.nat},
        tuple(one.id for one in interfaces if one.type in RELAYS),
    )


def live(document: Document, network: Network, there: LiveMachines, quotas: Quotas = DEFAULT) -> JudgeContext:
    """Everything that the judgement of a state of the network needs. It need not be the state of the look: nobody moves
    while a plan is carried out but the databases. `quotas` are the account's.
    """
    said = placed(document, network)
    endpoints = tuple(end for one in said.endpoints for end in _as_seen(one, network, there))
    topology = Topology(network, (*endpoints, *there.strangers), there.nats, there.relays, quotas=quotas)
    perhaps = possible(document, network, endpoints) if there.unknown else ()
    return JudgeContext(topology, said._replace(endpoints=endpoints), perhaps, strangers=there.unknown)


def _named(aws_id: str, names: Mapping[str, Address]) -> Address:
    """What is not declared has its id as its address."""
    return names.get(aws_id) or Address(aws_id)


def _of_databases(document: Document, network: Network) -> Iterator[_Place]:
    for address in document.of_kind("db_instance"):
        groups, subnets = network[GROUPS_OF].get(address), network[SUBNETS_OF].get(network[PLACE_OF].get(address))
        for subnet in subnets or ():
            yield subnet, frozenset(groups or ())


def _as_seen(one: Endpoint, network: Network, there: LiveMachines) -> Iterator[Endpoint]:
    """An end that the document names, with what is seen of its machines: whether they have public addresses."""
    if one.owner in network[PLACE_OF]:
        yield one._replace(public=one.owner in network[PUBLIC])
        return
    members = there.members.get((one.owner, one.subnet), ())
    if one.public is None and members:
        yield from (one._replace(public=public) for public in sorted({member.public for member in members}))
        return
    yield one
    if others := [member for member in members if member.public != one.public]:
        label = f"{_ids(others)} of {one.label}"
        yield one._replace(label=label, public=others[0].public, addresses=_addresses(network, one.subnet, others))


def _stranger(network: Network, place: _Place, some: list[Interface]) -> Endpoint:
    """Interfaces that are alike, as one end that nobody declared."""
    subnet, groups = place
    label = f"{_ids(some)} in {subnet}"
    return Endpoint(label, subnet, groups, _addresses(network, subnet, some), some[0].public, some[0].id, stranger=True)


def _addresses(network: Network, subnet: Address, some: Iterable[Interface]) -> Ranges:
    """The addresses of interfaces; those of the whole subnet for one that does not show its own."""
    every = [one.addresses or network.subnets.get(subnet, ()) for one in some]
    return Ranges.of(*(address for addresses in every for address in addresses))


def _ids(some: list[Interface]) -> str:
    """Interfaces for people: the first by name, with the instances that have them."""
    named = [f"{one.id} ({one.instance})" if one.instance else one.id for one in some[:_NAMED]]
    more = [f"{len(some) - _NAMED} more alike"] if len(some) > _NAMED else []
    return sanitize(", ".join((*named, *more)))
