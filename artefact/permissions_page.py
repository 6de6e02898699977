"""Generates `docs/permissions.md`, all permissions for those who grant them.

`python -m artefact.permissions_page > docs/permissions.md` updates the page.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from artefact.denied import DENIED
from artefact.permissions import DOORS, read_permissions, writes
from reconciler.history.receipts import ROOT
from reconciler.model import DOCUMENT_TAG

_PSEUDO = re.compile(r"\$\{AWS::\w+\}")
_GRANTED_IN = {
    "": "mode correct",
    "adopt": "mode correct, with Adopt",
    "prune": "mode correct, with Prune",
    "create_databases": "mode correct, with CreateDatabases",
}

_RECEIPTS = "arn:aws:s3:::RECEIPTS-BUCKET"
_READER = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "ListReceipts",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": _RECEIPTS,
            "Condition": {"StringLike": {"s3:prefix": f"{ROOT}*"}},
        },
        {"Sid": "ReadReceipts", "Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{_RECEIPTS}/{ROOT}*"},
    ],
}
"""What a person needs who reads the history; `history` and `receipt` call nothing else."""

_PAGE = """\
# Permissions

`python -m artefact.permissions_page` generates this page. A test fails if the page, the templates and the kinds' tables
of operations do not agree.

In mode `report`, a role has only the read permissions. A role in another account (`templates/target-role.yaml`) has the
same two lists.

`VpcIds` and `DatabaseNames` are parameters of the stack. *Owned* means that the resource carries the tag `{tag}`.
Where a row says *owned*, a resource without the tag may only be adopted, that is, given the tag, and only with `Adopt`.

## Read permissions

{reads}

## Write permissions

| Action | Resource | Restricted to | Granted in |
|---|---|---|---|
{writes}

IAM cannot restrict the content of a rule, an ACL entry or a route, or the value of a database setting. Setpoint's plan,
its gate and its packet checks do.

RDS creates its service-linked role together with the first database of an account, which is denied here (`iam:*`).
Create it once with `aws iam create-service-linked-role --aws-service-name rds.amazonaws.com`.

## Denied, whatever else a role allows

{denied}

Also denied: to write any object but the receipts of the deployment (`s3:PutObject`), to create or change a database of
another engine than PostgreSQL, to create one with a master password of the caller's, and, unless `OwnPasswords` is
`true`, to change one whose master password is not in Secrets Manager.

## The functions' own permissions

| Call | Permissions | Used by |
|---|---|---|
{doors}

## Reading the receipts

The functions write receipts and cannot read them. Whoever reads the history with `setpoint history` or
`setpoint receipt` needs this, with the name of the bucket that the stack shows as `ReceiptsBucketName`:

```
{reader}
```

With `dynamodb:GetItem` on the table the history also tells the looks since the last day sheet, and `--verify` checks
the newest receipt; `--stack` needs `cloudformation:DescribeStacks` on the stack.

Receipts hold names, account ids and addresses: give it to those who may know them. Nobody needs `s3:PutObject` there,
and the bucket refuses every upload that could replace a receipt.
"""


def page() -> str:
    """`docs/permissions.md`."""
    return _PAGE.format(
        tag=DOCUMENT_TAG,
        reads=_bullets(read_permissions().actions),
        writes="\n".join(_rows()),
        denied=_bullets(DENIED),
        doors="\n".join(
            f"| `{one.service}` {one.operation} | {', '.join(f'`{name}`' for name in one.permissions) or 'none'} "
            f"| {', '.join(sorted(one.doors))} |"
            for one in DOORS
        ),
        reader=json.dumps(_READER, indent=2),
    )


def _rows() -> Iterator[str]:
    """One row for each action of each statement, sorted by action."""
    rows = [
        (action, on, one) for service in ("ec2", "rds") for one in writes(service) for action, on in one.checks.items()
    ]
    for action, on, one in sorted(rows, key=lambda row: (row[0], row[2].sid)):
        where = ", ".join(f"`{_PSEUDO.sub('', resource).split(':', 5)[5]}`" for resource in on)
        yield f"| `{action}` | {where} | {_restriction(one.condition)} | {_GRANTED_IN[one.requires_setting]} |"


def _restriction(condition: Mapping[str, Any]) -> str:
    """A statement's condition in words."""
    parts = []
    if "ArnLike" in condition or "StringLike" in condition:
        parts.append("`VpcIds`")
    if "StringEquals" in condition:
        parts.append("during creation")
    parts += ["requests that set the tag" if "RequestTag" in key else "owned" for key in condition.get("Null", ())]
    if "Bool" in condition:
        parts.append("calls that RDS makes for it")
    return ", ".join(parts) or "the resource"


def _bullets(names: Iterable[str]) -> str:
    return "\n".join(f"- `{name}`" for name in names)


if __name__ == "__main__":
    sys.stdout.write(page())
