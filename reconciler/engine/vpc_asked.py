"""Whether a VPC that no look shows may have been made by an earlier run that nobody heard of again. Pure.

CreateVpc takes no client token, and EC2 may take minutes to show what it has made (EC2 developer guide, Idempotency and
Eventual consistency). A run stores what it is about to make before it does; a run that finds that, and no VPC, waits.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.model import Cause, Reason

SHOWN_WITHIN = timedelta(minutes=5)
"""How long EC2 takes to show a new resource, at most (terraform-provider-aws waits for so long)."""


def why_not_yet(asked: datetime | None, now: datetime) -> Cause | None:
    """Why no VPC may be made now; `asked` is when an earlier run was about to make it (None: none was)."""
    if asked is None or now - asked >= SHOWN_WITHIN:
        return None
    message = "an earlier run may have just created the VPC, and AWS does not show it: no other one is made"
    return Cause(Reason.NOT_VISIBLE_YET, f"{message} before {asked + SHOWN_WITHIN:%H:%M:%S} UTC")
