"""What people read when several VPCs carry a document's tags: which hold something, and the call that leaves one.

CreateVpc takes no client token, so a run that died may have made one that the next run did not see; and anybody with
the right to tag can make another look like ours. So none is chosen, and none is deleted. Pure; `observe.py` asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from desired_state.document import Document
from reconciler.model import DOCUMENT_TAG, NAME_TAG
from reconciler.model.read import Item, Read, read


def subnets_of(vpcs: Iterable[str]) -> Read:
    """The read of all their subnets."""
    filters = [{"Name": "vpc-id", "Values": sorted(vpcs)}]
    return read("ec2", "DescribeSubnets", "Subnets", {"Filters": filters}, page=1000)


def mend(document: Document, vpcs: Iterable[str], subnets: Iterable[Item]) -> str:
    """The sentence for VPCs by their ids; `subnets` are all of theirs."""
    found = Counter(subnet["VpcId"] for subnet in subnets)
    counts = {one: found[one] for one in sorted(vpcs)}
    region = document.scope.region
    holds = "; ".join(f"{one} has {_subnets(count)}" for one, count in counts.items())
    if empty := [one for one, count in counts.items() if not count]:
        delete = f"aws ec2 delete-vpc --vpc-id {empty[-1]} --region {region}"
        return f"{holds}: delete the one too many, which AWS refuses while anything is in it: {delete}"
    tags = f"Key={DOCUMENT_TAG} Key={NAME_TAG} --region {region}"
    off = " or ".join(f"aws ec2 delete-tags --resources {one} --tags {tags}" for one in counts)
    return f"{holds}: take the tags off the one that it is not: {off}"


def _subnets(count: int) -> str:
    return f"{count or 'no'} subnet{'' if count == 1 else 's'}"
