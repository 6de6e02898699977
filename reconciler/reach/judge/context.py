"""What the judgement of intents needs to know: the network, who is in it, and what is not known. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from desired_state.fields import Address
from reconciler.reach.judge.places import Placed, Possible
from reconciler.reach.pair.topology import Topology


@dataclass(frozen=True)
class JudgeContext:
    """One state of the network, and the machines in it.

    - `topology.endpoints`: every machine that is judged, also those that the document does not name;
    - `placed`: the machines that it names;
    - `possible`: machines that may be there besides, if nobody has looked;
    - `assumed`: component -> the sentence about what stands in for it, if it is not declared;
    - `strangers`: why it is not known which machines are there besides those named; empty if that is known, or if
      `possible` has them.
    """

    topology: Topology
    placed: Placed
    possible: tuple[Possible, ...] = ()
    assumed: Mapping[Address, str] = field(default_factory=dict)
    strangers: str = ""
