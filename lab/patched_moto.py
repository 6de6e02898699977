"""What the laboratory changes in moto itself, while it is open. Called by strict_aws.

What takes most of the time of an answer is done once instead of each time. For every request moto lists all methods of
the service's class (EC2 has eight hundred), to see whether the one that is asked for is among them, and puts together
the addresses of the service; xmltodict checks every name again; and for every part of an expression of DynamoDB it
makes the list of the parts that it processes. How an answer becomes XML stands in quick_answers, what is done of
DynamoDB itself in quick_items.

Facts encoded (EC2 API reference, VpcIpv6CidrBlockAssociation; RFC 5952): an IPv6 block is shown without leading zeros,
the one that Amazon provides too. moto draws its hextets with them. The state of a subnet's block is one word
(SubnetCidrBlockState); moto shows a Python dictionary as text.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from moto.core import responses, serialize
from moto.core.base_backend import BaseBackend
from moto.dynamodb.parsing import ast_nodes
from moto.ec2.models import subnets, vpcs
from moto.ec2.utils import random_ipv6_cidr

from lab import canonical
from lab.quick_answers import quick_answers
from lab.quick_items import forgetting


class _Methods:
    """The names of the methods of a class, as far as `in` asks for them."""

    def __init__(self, of: type[Any]) -> None:
        self._class = of

    def __contains__(self, name: str) -> bool:
        return inspect.isfunction(getattr(self._class, name, None))


_addresses_of: Any = vars(BaseBackend)["urls"].fget


def _addresses(backend: BaseBackend) -> dict[str, Any]:
    if type(backend) not in _ADDRESSES:
        _ADDRESSES[type(backend)] = _addresses_of(backend)
    return _ADDRESSES[type(backend)]


_ADDRESSES: dict[type[BaseBackend], dict[str, Any]] = {}
_XML: Any = vars(serialize)["xmltodict"]
_TRAVERSER: Any = vars(ast_nodes)["DepthFirstTraverser"]
_drawn = random_ipv6_cidr


def _provided_block() -> str:
    return canonical.cidr6(_drawn())


def _blocks_of(subnet: subnets.Subnet) -> list[dict[str, Any]]:
    held: Any = subnet.ipv6_cidr_block_associations.values()
    return [
        {
            "ipv6CidrBlock": one["ipv6CidrBlock"],
            "associationId": one["associationId"],
            "ipv6CidrBlockState": {"state": one["ipv6CidrBlockState"]["State"]},
        }
        for one in held
        if one["ipv6CidrBlockState"]["State"] == "associated"
    ]


def _processed(traverser: Any) -> tuple[type[Any], ...]:
    """The classes of nodes that a traverser of expressions processes: always the same for one class of traversers."""
    if type(traverser) not in _PROCESSED:
        _PROCESSED[type(traverser)] = tuple(traverser._processing_map())
    return _PROCESSED[type(traverser)]


_PROCESSED: dict[type[Any], tuple[type[Any], ...]] = {}


@contextmanager
def patched_moto() -> Iterator[None]:
    """Inside the block moto is as the laboratory needs it."""
    with (
        patch.object(responses, "method_names_from_class", _Methods),
        patch.object(BaseBackend, "urls", property(_addresses)),
        quick_answers(),
        forgetting(),
        patch.object(_XML, "_validate_name", cache(_XML._validate_name)),
        patch.object(_TRAVERSER, "nodes_to_be_processed", _processed),
        patch.object(vpcs, "random_ipv6_cidr", _provided_block),
        patch.object(subnets.Subnet, "ipv6_cidr_block_association_set", property(_blocks_of)),
    ):
        yield
