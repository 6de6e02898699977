"""What a drift means for people: how grave it is, and what it let through or stopped, in one plain sentence.

Pure; `concerns.py` asks it of every drift. A sentence speaks of one layer only: that a security group let something in
does not say that it arrived, for ACLs and routes have their say too. Nothing here claims what the layer does not show.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from desired_state.fields import AclEntry, RuleKey, is_cidr, is_ipv6, traffic
from reconciler.model import ABSENT, Difference, Outcome, Risk

if TYPE_CHECKING:
    from reconciler.engine.result import Drift


class Severity(StrEnum):
    """How grave it is, the gravest first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return list(Severity).index(self)


class Exposure(NamedTuple):
    """How grave a drift is, and the sentence that says why."""

    severity: Severity
    sentence: str


_WIDE_V4, _WIDE_V6 = 8, 7
"""Prefixes shorter than these are no network that anyone owns: 10.0.0.0/8 and fc00::/7 are the largest private ones."""


def exposure(drift: Drift) -> Exposure:
    """What this drift means as long as it stands, or meant until it was corrected."""
    past = drift.outcome is Outcome.CORRECTED
    one = drift.difference
    match one.field:
        case "":
            return _missing(one, past=past)
        case "tags" | "description":
            return Exposure(Severity.LOW, f"Only {one.field} of {one.address} differ: no packet and no data does.")
        case "ingress" | "egress":
            return _packets(one, past=past)
        case "routes":
            return _route(one, past=past)
        case "subnets" if one.address.kind in {"route_table", "network_acl"}:
            return _followed(one, past=past)
        case _:
            return _setting(one, past=past)


def cost(risk: Risk) -> Exposure | None:
    """What putting it right costs, where that is why a person decides."""
    return {
        Risk.DATA: Exposure(Severity.HIGH, "Putting it right may cost data, so a person decides."),
        Risk.DOWNTIME: Exposure(Severity.MEDIUM, "Putting it right costs downtime, so a person decides."),
    }.get(risk)


def _missing(one: Difference, *, past: bool) -> Exposure:
    address, was = one.address, "was" if past else "is"
    if address.kind == "db_instance":
        severity = Severity.HIGH if past else Severity.CRITICAL
        return Exposure(severity, f"{address} {was} not there, and what was stored in it may be gone.")
    return Exposure(Severity.MEDIUM if past else Severity.HIGH, f"{address} {was} not there.")


def _packets(one: Difference, *, past: bool) -> Exposure:
    """A rule of a security group or an entry of an ACL: more or less than declared passes this one layer."""
    address, inward = one.address, one.field == "ingress"
    want, have = one.want, one.have
    if isinstance(one.key, RuleKey):
        rule = one.key
        if want is not ABSENT and have is not ABSENT:
            return Exposure(Severity.LOW, f"Only the description of a rule of {address} differs: no packet does.")
        what, peer = _what(rule), rule.peer
        opens, denied = want is ABSENT, False
    else:
        live = isinstance(have, AclEntry) and (have.action == "allow" or not _is(want, "deny"))
        entry = have if live else want
        what, peer = _what(entry), entry.cidr
        denied = not live and entry.action == "deny"
        opens = denied or (live and entry.action == "allow")
    towards = f"{'from' if inward else 'to'} {_who(peer)}"
    if denied:
        verb = "did not deny" if past else "does not deny"
        return Exposure(_grave(peer, inward=inward), f"{address} {verb} {what} {towards}, as the document wants it to.")
    if opens:
        verb = f"{'let' if past else 'lets'} {'in' if inward else 'out'}"
        return Exposure(_grave(peer, inward=inward), f"{address} {verb} {what} {towards}, which is not declared.")
    cannot = "could not" if past else "cannot"
    meant = f"reach {address}" if inward else f"leave {address}"
    return Exposure(Severity.HIGH, f"What is meant to {meant} with {what} {towards} {cannot}.")


def _is(entry: Any, action: str) -> bool:
    return isinstance(entry, AclEntry) and entry.action == action


def _what(one: RuleKey | AclEntry) -> str:
    told = traffic(one.protocol, one.first, one.last)
    return "all traffic" if told == "all" else told


def _who(peer: str) -> str:
    if not _wide(peer):
        return peer
    return f"anyone on the internet ({peer})" if peer.endswith("/0") else f"much of the internet ({peer})"


def _wide(peer: str) -> bool:
    if not is_cidr(peer):
        return False
    return int(peer.partition("/")[2]) < (_WIDE_V6 if is_ipv6(peer) else _WIDE_V4)


def _grave(peer: str, *, inward: bool) -> Severity:
    if not inward:
        return Severity.MEDIUM
    return Severity.CRITICAL if _wide(peer) else Severity.HIGH


def _route(one: Difference, *, past: bool) -> Exposure:
    address, destination = one.address, str(one.key)
    if one.have is ABSENT:
        cannot = "could not" if past else "cannot"
        return Exposure(Severity.HIGH, f"What {address} is meant to send to {_who(destination)} {cannot} go there.")
    outside = str(one.have).startswith(("internet_gateway/", "igw-"))
    severity = Severity.CRITICAL if outside and _wide(destination) else Severity.HIGH
    sends, declared = "sent" if past else "sends", "" if one.want is ABSENT else f" instead of {one.want}"
    ending = declared or ", which is not declared"
    return Exposure(severity, f"{address} {sends} what is for {_who(destination)} to {one.have}{ending}.")


def _followed(one: Difference, *, past: bool) -> Exposure:
    verb = ("followed" if past else "follows", "did not follow" if past else "does not follow")
    if one.have is ABSENT:
        return Exposure(Severity.HIGH, f"{one.key} {verb[1]} {one.address}, as it is declared to.")
    return Exposure(Severity.HIGH, f"{one.key} {verb[0]} {one.address}, which is not declared.")


_SETTINGS: dict[tuple[str, str], tuple[Any, Severity, str]] = {
    ("db_instance", "publicly_accessible"): (True, Severity.CRITICAL, "has a public address"),
    ("db_instance", "deletion_protection"): (False, Severity.HIGH, "can be deleted with one call"),
    ("db_instance", "backup_retention_period"): (
        None,
        Severity.HIGH,
        "keeps its backups for another time than it is to",
    ),
    ("db_instance", "storage_encrypted"): (False, Severity.HIGH, "is not encrypted at rest"),
    ("db_instance", "vpc_security_groups"): (None, Severity.HIGH, "is guarded by other security groups than declared"),
    ("subnet", "map_public_ip_on_launch"): (True, Severity.HIGH, "gives public addresses to what is launched in it"),
    ("internet_gateway", "vpc"): (None, Severity.HIGH, "is not attached as declared"),
}
"""By kind and field: the live value that it is told of (None: any), how grave that is, and what it means."""
_PAST = {"has": "had", "can": "could", "keeps": "kept", "is": "was", "gives": "gave"}


def _setting(one: Difference, *, past: bool) -> Exposure:
    """A value of its own; what the table does not know is not as declared, and that is all that is claimed."""
    told = _SETTINGS.get((one.address.kind, one.field))
    if told and told[0] in (None, one.have):
        _, severity, words = told
        verb, _, rest = words.partition(" ")
        return Exposure(severity, f"{one.address} {_PAST[verb] if past else verb} {rest}.")
    verb = "was" if past else "is"
    return Exposure(Severity.MEDIUM, f"{one.address} {verb} not as declared: {one.field}.")


def lets_in(one: Difference) -> bool:
    """Whether a drift lets something in, at its own layer, that the document does not."""
    if one.field == "ingress":
        if isinstance(one.key, RuleKey):
            return one.want is ABSENT
        return _is(one.have, "allow") or _is(one.want, "deny")
    if one.field == "routes":
        return str(one.have).startswith(("internet_gateway/", "igw-"))
    return (one.address.kind, one.field, one.have) == ("db_instance", "publicly_accessible", True)
