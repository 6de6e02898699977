"""What a plan newly lets the internet reach: a database, or a port by which machines are managed. Pure.

A terminal remembers no earlier version of the document, so that its plans are compared with the live network. Imported
only for a plan that changes what passes.
"""

from __future__ import annotations

from collections.abc import Iterable

from desired_state.document import Document
from reconciler.kinds import live_network
from reconciler.model import Cause, Effect, Reason, Snapshot
from reconciler.model.kind import declared_ids
from reconciler.reach.compare import FlowChange, changes, is_grave
from reconciler.reach.judge.live import live, live_machines

HELD = Cause(
    Reason.PLAN_HELD,
    "the plan newly lets the internet reach a database or a management port: review it, then release it with "
    "setpoint plan --out FILE and setpoint apply --plan FILE, or allow it with --no-hold-exposures",
)


def openings(document: Document, snapshot: Snapshot, effects: Iterable[Effect]) -> tuple[FlowChange, ...]:
    """The grave flows that these effects let through and the look does not."""
    network = live_network(snapshot)
    there = live_machines(document, network, snapshot.interfaces, dict(declared_ids(snapshot.handles, document)))
    before, after = (live(document, state, there) for state in (network, network.after(effects)))
    return tuple(one for one in changes(before, after) if is_grave(one))
