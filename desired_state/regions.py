"""AWS's regions and zones, by the partitions that botocore knows: a new partition needs no change here.

botocore takes a region that it does not list if the region fits the pattern of a partition, so that a region works
before botocore lists it; the same holds here. Its data is read as a file, because importing botocore costs the command
line more than checking a document. The artefact keeps this file whole (`artefact/prune.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_ZONE = re.compile(r"(?P<region>[a-z].*?-[0-9]+)([a-z]|(-[a-z0-9]+)+)", re.ASCII)
"""A zone's name is its region's name and what tells it apart there: the letter of an availability zone (`eu-west-1a`),
the place of a local zone (`us-west-2-lax-1a`), of a Wavelength zone (`us-east-1-wl1-bos-wlz-1`); EC2 user guide,
"Regions and Zones".
"""


@cache
def _partitions() -> tuple[frozenset[str], dict[str, re.Pattern[str]]]:
    """(every region that botocore lists, by the name of each partition the pattern of its regions)."""
    botocore = find_spec("botocore")
    if botocore is None or botocore.origin is None:
        raise ModuleNotFoundError("botocore")
    data = Path(botocore.origin).with_name("data") / "partitions.json"
    partitions = json.loads(data.read_bytes())["partitions"]
    patterns = {one["id"]: re.compile(one["regionRegex"], re.ASCII) for one in partitions}
    listed = (region for one in partitions for region in one["regions"])
    return frozenset(one for one in listed if _partition(one, patterns)), patterns


def _partition(text: str, patterns: Mapping[str, re.Pattern[str]]) -> str:
    return next((name for name, pattern in patterns.items() if pattern.fullmatch(text)), "")


@cache
def partition_of(region: str) -> str:
    """The partition of a region, as ARNs begin with it: `aws`, `aws-cn`; empty if no partition has such regions."""
    return _partition(region, _partitions()[1])


def is_region(text: str) -> bool:
    """Whether this is a region of any partition; `aws-global` and the like, which stand for a partition, are none."""
    return bool(partition_of(text))


def listed_regions() -> frozenset[str]:
    """The regions that botocore lists."""
    return _partitions()[0]


@cache
def region_of(zone: str) -> str | None:
    """The region of an availability zone, a local zone or a Wavelength zone; None if this is no zone's name."""
    parts = _ZONE.fullmatch(zone)
    return parts["region"] if parts and is_region(parts["region"]) else None
