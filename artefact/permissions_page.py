"""`docs/permissions.md`: what the functions may do, for whoever has to allow it.

`python -m artefact.permissions_page` prints it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from artefact.permissions import DENIED, DOORS, read_permissions, writes
from reconciler.model import DOCUMENT_TAG

_PSEUDO = re.compile(r"\$\{AWS::\w+\}")
_LEAVES = {
    "": "mode correct",
    "prune": "mode correct, and Prune",
    "create_databases": "mode correct, and CreateDatabases",
}

_PAGE = """\
# What Setpoint is allowed to do

Made by `python -m artefact.permissions_page`; a test fails when this page, the templates or the kinds' own tables
differ.

In mode `report` a role has the permissions to look, and none of those to change. An account that is reached by a role
gets the same two lists from `templates/target-role.yaml`.

`VpcIds` and `DatabaseNames` are parameters of the stack. "Ours" is what carries the tag `{tag}`; what does not
may only be tagged as ours (adopted).

## To look

{looks}

## To change

| Action | On | Bound to | Allowed in |
|---|---|---|---|
{writes}

What IAM cannot bind: the content of a rule, an ACL entry or a route, and the value of a database's setting. Those are
held by the plan, the gate and the packet checks of the tool itself.

The first database of an account makes RDS create its service-linked role, which is refused here (`iam:*`): create it
once with `aws iam create-service-linked-role --aws-service-name rds.amazonaws.com`.

## Refused whatever else a role is given

{denied}

## For the functions themselves

| Call | Permission | By |
|---|---|---|
{doors}
"""


def page() -> str:
    """`docs/permissions.md`."""
    return _PAGE.format(
        tag=DOCUMENT_TAG,
        looks=_listed(read_permissions().actions),
        writes="\n".join(_rows()),
        denied=_listed(DENIED),
        doors="\n".join(
            f"| `{one.service}` {one.operation} | {', '.join(f'`{name}`' for name in one.permissions) or 'none'} "
            f"| {', '.join(sorted(one.doors))} |"
            for one in DOORS
        ),
    )


def _rows() -> Iterator[str]:
    """A row for each action in each statement, by action."""
    told = [
        (action, on, one) for service in ("ec2", "rds") for one in writes(service) for action, on in one.checks.items()
    ]
    for action, on, one in sorted(told, key=lambda row: (row[0], row[2].sid)):
        where = ", ".join(f"`{_PSEUDO.sub('', resource).split(':', 5)[5]}`" for resource in on)
        yield f"| `{action}` | {where} | {_said(one.condition)} | {_LEAVES[one.requires_setting]} |"


def _said(condition: Mapping[str, Any]) -> str:
    said = []
    if "ArnLike" in condition or "StringLike" in condition:
        said.append("`VpcIds`")
    if "StringEquals" in condition:
        said.append("the moment of its making")
    said += ["the tags it is given: ours" if "RequestTag" in key else "ours" for key in condition.get("Null", ())]
    return ", ".join(said) or "the names at the left"


def _listed(names: Iterable[str]) -> str:
    return "\n".join(f"- `{name}`" for name in names)


if __name__ == "__main__":
    sys.stdout.write(page())
