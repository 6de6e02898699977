"""Quotas of rules, entries and routes (VPC user guide, Amazon VPC quotas), for the checks of a document and planning.

AWS raises them for an account, so a document is refused only for what no account can have. What this account has, the
deployment says (`Policy.quotas`); a run holds what would be more.
"""

from __future__ import annotations

from typing import NamedTuple

HIGHEST_RULE_NUMBER = 32766
"""Of a network ACL's entries; higher ones are AWS's own and cannot be changed (VPC user guide, network ACLs)."""


class Quotas(NamedTuple):
    """The quotas of one account and region, each for IPv4 and for IPv6: rules of a security group per direction, where
    a group as peer counts in both, and a prefix list with its maximum of entries; entries of a network ACL per
    direction, of which one is AWS's own; and static routes of a table.
    """

    rules: int = 60
    entries: int = 20
    routes: int = 500

    @property
    def usable_entries(self) -> int:
        """The entries of an ACL without AWS's own `*` entry."""
        return self.entries - 1


DEFAULT = Quotas()
MOST = Quotas(rules=1000, entries=40, routes=1000)
"""The highest that AWS gives an account."""
