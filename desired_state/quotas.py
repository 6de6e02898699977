"""What AWS allows of rules and entries, said once: for refusing a document, and for planning within the same bounds."""

from __future__ import annotations

HIGHEST_RULE_NUMBER = 32766
"""Of a network ACL's entries; those above are AWS's own, which nobody can change (VPC user guide, network ACLs)."""
ACL_ENTRIES = 19
"""Per direction and family: 20, of which AWS's own `*` entry is one (VPC user guide, quotas)."""
GROUP_RULES = 60
"""Per direction and family; a group or a prefix list as peer counts in both (VPC user guide, quotas)."""
