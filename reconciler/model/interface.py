"""A network interface: what the document cannot say of who stands where. Pure values."""

from __future__ import annotations

from typing import NamedTuple


class Interface(NamedTuple):
    """One network interface of the VPC, with ids, not addresses of a document.

    `addresses` are its private IPv4 and its IPv6 addresses as CIDRs of one address each; `public`: a public IPv4
    address is associated with one of them. `type` is AWS's `InterfaceType`; `managed`: a service of AWS keeps it, not a
    person. `instance` is the EC2 instance that has it, `nat` the NAT gateway that it is; both are mostly empty.
    `in_use` is false if it is attached to nothing, so that nobody is there.
    """

    id: str
    subnet: str
    groups: frozenset[str]
    addresses: tuple[str, ...]
    public: bool
    type: str
    managed: bool
    instance: str
    nat: str
    in_use: bool
