"""What the two RDS kinds share: tags, ARNs, and the read that shows both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from desired_state.document import Document
from desired_state.members import Tags
from desired_state.regions import partition_of
from reconciler.aws.ec2 import settable_tags, tag_list
from reconciler.model import DOCUMENT_TAG, Action, Change, Operation, Phase, Risk
from reconciler.model.read import Item, Read, read

ADD_TAGS = Operation("rds", "AddTagsToResource", Phase.BIND, Risk.COSMETIC)

INSTANCES = read("rds", "DescribeDBInstances", "DBInstances", {}, page=100)
"""Every instance of the account and region, each with its subnet group and tags: RDS has no filter by VPC."""


def concerned(document: Document) -> bool:
    """Whether anything is asked of RDS: a document without databases works with a role that has no permission for it.
    A database that no document declares is then a machine like any other, known by its groups only.
    """
    return bool(document.of_kind("db_instance") or document.of_kind("db_subnet_group"))


def instances(identifiers: Iterable[str]) -> Read:
    """A read of some instances; what does not exist is left out of the answer."""
    filters = [{"Name": "db-instance-id", "Values": list(identifiers)}]
    return read(
        "rds", "DescribeDBInstances", "DBInstances", {"Filters": filters}, page=100, absent=["DBInstanceNotFound"]
    )


def tags_of(item: Item) -> Tags:
    """The tags of an instance, without AWS's own (`aws:`, `rds:`)."""
    shown = ((tag["Key"], tag.get("Value", "")) for tag in item.get("TagList") or ())
    return settable_tags(shown, ("aws:", "rds:"))


def arn(document: Document, resource: str) -> str:
    """The ARN of an RDS resource, such as `subgrp:name`, which the calls for tags require."""
    region = document.scope.region
    return f"arn:{partition_of(region)}:rds:{region}:{document.scope.account_id}:{resource}"


def retag(change: Change, name: str) -> Iterator[Action]:
    """The call that sets the differing tags on the resource with this ARN.

    If Setpoint's own tags are among them, it comes first: a role that is restricted by them (IAM, aws:ResourceTag)
    cannot correct anything before.
    """
    if changed := {one.key: one.want for one in change.of("tags")}:
        why = "set " + ", ".join(f"{key}={value!r}" for key, value in sorted(changed.items()))
        first = DOCUMENT_TAG in changed
        yield ADD_TAGS.on(
            change.address, why, "tags", closes=first, params={"ResourceName": name, "Tags": tag_list(changed)}
        )
