"""How a live resource is written into a new document: the part of a kind that `reconciler/importing` asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from desired_state.resource import Resource
from reconciler.model.read import Item, Read, ReadContext
from reconciler.model.state import Observed


def _none(*_: Any) -> tuple[()]:
    return ()


@dataclass(frozen=True)
class Surroundings:
    """What is known of a VPC's subnets when its resources are named, by id: their `zones` without the region (`a`), and
    their `ways` out: where the default route leads (`public`, `private`, `isolated`).
    """

    zones: Mapping[str, str] = field(default_factory=dict)
    ways: Mapping[str, str] = field(default_factory=dict)

    def way(self, subnets: Iterable[str]) -> str:
        """`private`; `public-private` if subnets have several ways out."""
        return "-".join(one for one in WAYS if one in {self.ways.get(subnet) for subnet in subnets})

    def zone(self, subnets: Iterable[str]) -> str:
        """The zone of all of them; empty if there is more than one, or none."""
        zones = {self.zones.get(subnet, "") for subnet in subnets}
        return zones.pop() if len(zones) == 1 else ""


WAYS = ("public", "private", "isolated")


def placed(*words: str) -> str:
    """A name of several words, some of which may be empty."""
    return "-".join(word for word in words if word)


@dataclass(frozen=True)
class Import[R: Resource = Any, F = Any]:
    """How a live resource is written into a new document.

    - `reads`: what is read beyond `Observe.reads`, to see what no document declares yet; `tags`: the read of an item's
      tags, if its answer does not show them;
    - `name`: the name that AWS knows it by, which it must have in the document. Otherwise it is called by its Name tag,
      or by what `unnamed` says; `apart` tells it from others of the same name, with the best word first;
    - `zone`: where an item is, if others stand in it; `ways`: the ways out of subnets by their id ("": of all other
      subnets), if the kind is what routes;
    - `declined`: why an item is not declared; `kept_by`: who else keeps it, so that it is only reported;
    - `said`: the model without what goes without saying;
    - `unsaid`: what a document cannot say of it, given people's words for ids; `remarks`: what a person should know.
    """

    reads: Callable[[ReadContext], Iterable[Read]] = _none
    tags: Callable[[Item, ReadContext], Read | None] = lambda item, context: None
    name: Callable[[Item], str] = lambda item: ""
    unnamed: Callable[[Item, Surroundings, str], str] = lambda item, around, document: ""
    apart: Callable[[Item, Surroundings], Iterable[str]] = _none
    zone: Callable[[Item, str], str] = lambda item, region: ""
    ways: Callable[[Iterable[Item]], Mapping[str, str]] = lambda items: {}
    declined: Callable[[Item], str] = lambda item: ""
    kept_by: Callable[[Item], str] = lambda item: ""
    said: Callable[[Observed[R, F]], R] = lambda seen: seen.spec
    unsaid: Callable[[Item, Mapping[str, str]], Iterable[str]] = _none
    remarks: Callable[[Item, Observed[R, F]], Iterable[str]] = _none
