"""One look at the network, or the document's: which table and ACL a subnet uses, whether it is public. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.report.page.reading import Json, kind_of, listed, mapping, text

_MAIN = {"route_table": "the VPC's main table", "network_acl": "the VPC's default ACL"}


class Placement:
    """The specs of a network, by address, and what follows from them."""

    def __init__(self, specs: Json, others: Json | None = None) -> None:
        """`others` are what nobody declares; a subnet may use its tables and ACLs."""
        self.specs = {address: spec for address, spec in specs.items() if isinstance(spec, dict)}
        known = self.specs | {address: spec for address, spec in (others or {}).items() if isinstance(spec, dict)}
        self._users = {kind: self._used(known, kind) for kind in _MAIN}
        self._known = known
        self._main = {kind: next(self._mains(known, kind), None) for kind in _MAIN}

    @staticmethod
    def _used(known: Json, kind: str) -> dict[str, str]:
        return {
            str(subnet): address
            for address, spec in known.items()
            if kind_of(address) == kind
            for subnet in listed(spec, "subnets")
        }

    @staticmethod
    def _mains(known: Json, kind: str) -> Iterator[str]:
        yield from (address for address, spec in known.items() if kind_of(address) == kind and spec.get("main"))
        yield from (address for address, spec in known.items() if kind_of(address) == kind and spec.get("default"))

    def of_kind(self, kind: str) -> list[str]:
        """The addresses of a kind, in the order of the receipt."""
        return [address for address in self.specs if kind_of(address) == kind]

    def user(self, kind: str, subnet: str) -> str | None:
        """The route table or ACL that a subnet uses by its own association; None: the VPC's own."""
        return self._users[kind].get(subnet) or self._main[kind]

    def named(self, kind: str, subnet: str) -> str:
        """The same, for people."""
        return self.user(kind, subnet) or _MAIN[kind]

    def public(self, subnet: str) -> bool:
        """Whether its routes lead to an internet gateway."""
        routes = mapping(self._known.get(self.user("route_table", subnet) or "", {}), "routes")
        return any(str(target).startswith(("internet_gateway/", "igw-")) for target in routes.values())

    def subnets_of_database(self, address: str) -> list[str]:
        """Where a database may stand: the subnets of its subnet group."""
        group = text(self.specs.get(address, {}), "db_subnet_group")
        return [str(one) for one in listed(self._known.get(group or "", {}), "subnets")]

    def attached(self, gateway: str) -> bool:
        """Whether a gateway is attached: a document says only to what else."""
        spec = self.specs.get(gateway, {})
        return spec.get("vpc", "") not in {"nowhere", None}


def zones(placement: Iterable[Placement]) -> dict[str, str]:
    """The zone of each subnet, by the first of these that says it."""
    found: dict[str, str] = {}
    for one in placement:
        for address in one.of_kind("subnet"):
            if zone := text(one.specs[address], "availability_zone"):
                found.setdefault(address, zone)
    return found
