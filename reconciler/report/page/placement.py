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
        self._known = known
        self._by_kind: dict[str, dict[str, Json]] = {}
        for address, spec in known.items():
            self._by_kind.setdefault(kind_of(address), {})[address] = spec
        self._users = {kind: self._used(kind) for kind in _MAIN}
        self._main = {kind: next(self._mains(kind), None) for kind in _MAIN}

    def _used(self, kind: str) -> dict[str, str]:
        known = self._by_kind.get(kind, {})
        return {str(subnet): address for address, spec in known.items() for subnet in listed(spec, "subnets")}

    def _mains(self, kind: str) -> Iterator[str]:
        for name in ("main", "default"):
            yield from (address for address, spec in self._by_kind.get(kind, {}).items() if spec.get(name))

    def of_kind(self, kind: str) -> list[str]:
        """The addresses of a kind, in the order of the receipt."""
        return [address for address in self._by_kind.get(kind, {}) if address in self.specs]

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
