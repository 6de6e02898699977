"""Which documents may be for which accounts and VPCs: the bindings of a deployment.

Who may upload a document decides what is in it, also its scope. A deployment that several teams share binds the names
of their documents, so that `team-b.json` cannot name, or find by tags, the VPC of team A.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

FORM = re.compile(r"(?P<names>[a-z0-9*][a-z0-9*-]{0,62})=(?P<account>[0-9]{12})(/(?P<vpc_id>vpc-[0-9a-f]{8,17}))?")
"""`<name>=<account>` or `<name>=<account>/<vpc id>`; in the name, * stands for any characters."""


@dataclass(frozen=True)
class Binding:
    """Documents whose name matches `names` may be for `account`, and there for the VPC `vpc_id` (empty: for any)."""

    names: str
    account: str
    vpc_id: str = ""

    @classmethod
    def read(cls, text: str) -> Binding:
        """Raises ValueError if it is not written as `FORM` says."""
        found = FORM.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is not a binding")
        return cls(found["names"], found["account"], found["vpc_id"] or "")

    @property
    def place(self) -> str:
        return f"{self.account}/{self.vpc_id}" if self.vpc_id else self.account


def binding_problem(bindings: Iterable[Binding], name: str, account: str, vpc_id: str | None = None) -> str:
    """Why the document `name` may not be for this account and VPC; empty if it may, or if nothing is bound.

    `vpc_id` is None as long as nobody knows which VPC it is, and empty if it would be created.
    """
    if not (bindings := tuple(bindings)):
        return ""
    own = [one for one in bindings if fnmatchcase(name, one.names)]
    if not own:
        hint = f"add {name}={account} or {name}={account}/<vpc id> to it, or upload it under a name that is bound"
        return f"name: the stack's parameter Bindings has no binding for a document named {name}; {hint}"
    here = [one for one in own if one.account == account]
    places = ", ".join(sorted({one.place for one in own}))
    if not here:
        hint = "correct scope.account_id, or add a binding for this account"
        return f"scope.account_id: by the stack's parameter Bindings, {name} may only be for {places}; {hint}"
    if vpc_id is None or any(one.vpc_id in {"", vpc_id} for one in here):
        return ""
    may = f"by the stack's parameter Bindings, {name} may only be for {places}"
    if vpc_id:
        return f"scope.vpc_id: its VPC is {vpc_id}, but {may}; name another VPC, or add a binding for this one"
    hint = f"name its VPC in scope.vpc_id, or bind {name} to the whole account to have one created"
    return f"scope.vpc_id: its VPC was not found, but {may}; {hint}"
