"""PostgreSQL versions as RDS writes them. Every text is compared, and none raises an error.

Sources: RDS API reference, DescribeDBEngineVersions; RDS user guide, "Understanding PostgreSQL versioning" and "Amazon
RDS Extended Support". Below 10, two numbers are the major version (`9.6`). A suffix counts after the minor version:
`10.23-R2` is a second build of RDS, `12.22-rds.20250814` a release of Extended Support, and both are later than `12.22`
alone. RDS writes `-rds.` in lower case, and its announcements `-RDS.`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_DECLARABLE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4}){0,2}(-[A-Za-z0-9.]{1,32})?")
_KNOWN = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,4}))?(?:\.([0-9]{1,4}))?(?:-(r([0-9]{1,4})|rds\.([0-9]{1,14})))?")
"""The counts of digits keep `int` within its limits, whatever the text."""
_TWO_NUMBERS_BELOW = 10
"""The first major version that is one number (PostgreSQL versioning policy)."""


class Version(NamedTuple):
    """A version that compares; `minor` is None if only the major version is given. `build` is the number of a suffix
    (0: there is none), `extended` whether it is a release of Extended Support.
    """

    major: tuple[int, ...]
    minor: int | None
    build: int = 0
    extended: bool = False

    def at_least(self, other: Version) -> bool:
        """Whether it is the same or later, by numbers; without a minor version it is the earliest of its major one."""
        return self._rank() >= other._rank()

    def _rank(self) -> tuple[tuple[int, ...], int, bool, int]:
        return self.major, -1 if self.minor is None else self.minor, self.extended, self.build


def parse(text: str) -> Version | None:
    """The version that a text says; None if it is none that is known."""
    found = _KNOWN.fullmatch(text.lower())
    if not found:
        return None
    first, second, third, _, build, date = found.groups()
    numbers = [int(one) for one in (first, second, third) if one is not None]
    split = 2 if numbers[0] < _TWO_NUMBERS_BELOW else 1
    if len(numbers) > split + 1:
        return None
    major, minor = tuple(numbers[:split]), numbers[split] if len(numbers) > split else None
    if minor is None and (build or date):
        return None
    return Version(major, minor, int(date or build or 0), date is not None)


def declarable(text: str) -> bool:
    """Whether a document may declare it: also a form that RDS may only have in the future."""
    return bool(_DECLARABLE.fullmatch(text))


def same(one: str, other: str) -> bool:
    """Whether two texts are the same version."""
    known, found = parse(one), parse(other)
    return one.lower() == other.lower() or (known is not None and known == found)


def covers(declared: str, found: str) -> bool:
    """Whether `found` is one of the versions that `declared` stands for: `16` is every 16.x, `9.6` every 9.6.x."""
    wanted, live = parse(declared), parse(found)
    if wanted and live and wanted.minor is None:
        return live.major[: len(wanted.major)] == wanted.major
    return same(declared, found)


def same_major(one: str, other: str) -> bool:
    """Whether both are of one major version; False if that cannot be told."""
    known, found = parse(one), parse(other)
    return bool(known and found and known.major == found.major)


def is_later(one: str, other: str) -> bool | None:
    """Whether the first is later than the second; None if that cannot be told."""
    known, found = parse(one), parse(other)
    if known is None or found is None:
        return None
    return not found.at_least(known)


def upgraded(declared: str, found: str, *, automatically: bool) -> bool:
    """Whether AWS upgrades `declared` to `found` by itself: a later minor version of the same major one, with automatic
    minor upgrades, or in Extended Support, which upgrades regardless of them (RDS user guide, Extended Support).
    """
    wanted, live = parse(declared), parse(found)
    if not (wanted and live and wanted.minor is not None and wanted.major == live.major):
        return False
    return live.at_least(wanted) and (automatically or live.extended)
