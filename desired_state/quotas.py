"""Quotas of rules and entries, for the checks of a document and for planning."""

from __future__ import annotations

HIGHEST_RULE_NUMBER = 32766
"""Of a network ACL's entries; higher ones are AWS's own and cannot be changed (VPC user guide, network ACLs)."""
ACL_ENTRIES = 19
"""Per direction and family: 20, one of which is AWS's own `*` entry (VPC user guide, quotas)."""
GROUP_RULES = 60
"""Per direction and family; a group or a prefix list as peer counts in both (VPC user guide, quotas)."""
