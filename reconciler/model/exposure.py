"""The severity of a difference, and a sentence on what it let through or blocked.

A sentence is about one layer only: a security group that let something in does not mean that it arrived, because ACLs
and routes decide too.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from desired_state.fields import AclEntry, RuleKey, is_cidr, is_ipv6, traffic
from reconciler.model.state import ABSENT, Difference


class Severity(StrEnum):
    """Severities, the most severe first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the most severe."""
        return list(Severity).index(self)


class Exposure(NamedTuple):
    """The severity of a difference, and the sentence that says why."""

    severity: Severity
    sentence: str


class Setting(NamedTuple):
    """What a scalar means if it is not as declared, in both tenses; only if the live value is `value` (None: any)."""

    value: Any
    severity: Severity
    is_now: str
    was: str


_WIDE_V4, _WIDE_V6 = 8, 7
"""Shorter prefixes than these are public: 10.0.0.0/8 and fc00::/7 are the largest private networks."""


def of_setting(settings: Mapping[str, Setting], one: Difference, *, past: bool) -> Exposure | None:
    """The exposure of a difference, from a table of settings; None if it is not in the table."""
    setting = settings.get(one.field)
    if setting is None or setting.value not in (None, one.have):
        return None
    return Exposure(setting.severity, f"{one.address} {setting.was if past else setting.is_now}.")


def of_rule(one: Difference, *, past: bool) -> Exposure:
    """A rule of a security group or an entry of an ACL: more or less than declared passes this one layer."""
    address, inward = one.address, one.field == "ingress"
    want, have = one.want, one.have
    if isinstance(one.key, RuleKey):
        rule = one.key
        if want is not ABSENT and have is not ABSENT:
            return Exposure(
                Severity.LOW, f"Only the description of a rule of {address} differs: packets are not affected."
            )
        what, peer = _what(rule), rule.peer
        opens, denied = want is ABSENT, False
    else:
        live = isinstance(have, AclEntry) and (have.action == "allow" or not _is(want, "deny"))
        entry = have if live else want
        what, peer = _what(entry), entry.cidr
        denied = not live and entry.action == "deny"
        opens = denied or (live and entry.action == "allow")
    towards = f"{'from' if inward else 'to'} {who(peer)}"
    if denied:
        verb = "did not deny" if past else "does not deny"
        return Exposure(
            _severity(peer, inward=inward), f"{address} {verb} {what} {towards}, although that is declared."
        )
    if opens:
        verb = f"{'let' if past else 'lets'} {'in' if inward else 'out'}"
        return Exposure(_severity(peer, inward=inward), f"{address} {verb} {what} {towards}, which is not declared.")
    verb = f"{'did' if past else 'does'} not let {'in' if inward else 'out'}"
    return Exposure(Severity.HIGH, f"{address} {verb} {what} {towards}, although that is declared.")


def rule_lets_in(one: Difference) -> bool:
    """Whether a rule or entry lets in what the document does not."""
    if one.field != "ingress":
        return False
    return one.want is ABSENT if isinstance(one.key, RuleKey) else _is(one.have, "allow") or _is(one.want, "deny")


def of_association(one: Difference, *, past: bool) -> Exposure:
    """A subnet that uses another route table or ACL than declared."""
    verb = ("used" if past else "uses", "did not use" if past else "does not use")
    if one.have is ABSENT:
        return Exposure(Severity.HIGH, f"{one.key} {verb[1]} {one.address}, although that is declared.")
    return Exposure(Severity.HIGH, f"{one.key} {verb[0]} {one.address}, which is not declared.")


def who(peer: str) -> str:
    """A peer in words."""
    if not wide(peer):
        return peer
    return f"anyone on the internet ({peer})" if peer.endswith("/0") else f"much of the internet ({peer})"


def wide(peer: str) -> bool:
    """Whether a peer is larger than any private network."""
    if not is_cidr(peer):
        return False
    return int(peer.partition("/")[2]) < (_WIDE_V6 if is_ipv6(peer) else _WIDE_V4)


def _severity(peer: str, *, inward: bool) -> Severity:
    if not inward:
        return Severity.MEDIUM
    return Severity.CRITICAL if wide(peer) else Severity.HIGH


def _is(entry: Any, action: str) -> bool:
    return isinstance(entry, AclEntry) and entry.action == action


def _what(one: RuleKey | AclEntry) -> str:
    text = traffic(one.protocol, one.first, one.last)
    return "all traffic" if text == "all" else text
