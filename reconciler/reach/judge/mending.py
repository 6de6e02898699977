"""What mends several broken intents together. Pure.

Each blocker has the smallest mend of its own. Several of them for one side of an ACL may want the same number, and one
wider entry often serves for all: that is offered where it breaks no other intent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import NamedTuple

from desired_state.fields import AclEntry, is_ipv6
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.intents import Status, Verdict, judge
from reconciler.reach.network import Cell
from reconciler.reach.pair.path import Mend


class Mending(NamedTuple):
    """Members that are missing in the document, of all broken intents together.

    `mended` of the `broken` intents would be kept with them; `breaks` names those that are kept now and would not be.
    `alike`: they are what each intent lacks, unchanged.
    """

    mends: tuple[Mend, ...]
    mended: int
    broken: int
    breaks: tuple[str, ...]
    alike: bool = False


def together(verdicts: Sequence[Verdict], context: JudgeContext) -> Mending | None:
    """The members that mend as many of the broken intents as can be; None if there is no mend."""
    wanted = list(dict.fromkeys(mend for one in verdicts if one.status is Status.BROKEN for mend in one.mends))
    if not wanted:
        return None
    apart = _tried(tuple(_apart(wanted, context)), verdicts, context)
    united = tuple(_apart(_united(wanted), context))
    wider = apart if united == apart.mends else _tried(united, verdicts, context)
    found = wider if wider.mended >= apart.mended and len(wider.breaks) <= len(apart.breaks) else apart
    return found._replace(alike=found.mends == tuple(wanted))


def _tried(mends: tuple[Mend, ...], verdicts: Sequence[Verdict], context: JudgeContext) -> Mending:
    network = context.topology.network.after((mend.cell, mend.member, mend.value) for mend in mends)
    mended = replace(context, topology=context.topology.after(network))
    found = judge([one.intent for one in verdicts], mended)
    pairs = list(zip(verdicts, found, strict=True))
    broken = [new for old, new in pairs if old.status is Status.BROKEN]
    kept = [new for old, new in pairs if old.status is not Status.BROKEN]
    return Mending(
        mends,
        sum(one.status is Status.KEPT for one in broken),
        len(broken),
        tuple(one.intent.name for one in kept if one.status is Status.BROKEN),
    )


def _apart(wanted: Iterable[Mend], context: JudgeContext) -> Iterable[Mend]:
    """Each mend as it is, under a number of its own. A lower number is as good: nothing that allows is in its way."""
    taken: dict[Cell, set[int]] = {}
    for mend in wanted:
        if not isinstance(mend.member, int):
            yield mend
            continue
        used = taken.setdefault(mend.cell, set(context.topology.network[mend.cell]))
        number = next((at for at in range(mend.member, 0, -1) if at not in used), None)
        if number is not None:
            used.add(number)
            yield mend._replace(member=number)


def _united(wanted: Iterable[Mend]) -> Iterable[Mend]:
    """The mends with one entry for all networks that lack the same traffic on the same side of an ACL."""
    groups: dict[object, list[Mend]] = {}
    for mend in wanted:
        entry = mend.value
        alike: object = (mend.cell, mend.member)
        if isinstance(entry, AclEntry):
            alike = (mend.cell, entry._replace(cidr=""), is_ipv6(entry.cidr))
        groups.setdefault(alike, []).append(mend)
    for some in groups.values():
        entries = [one.value for one in some if isinstance(one.value, AclEntry)]
        numbers = [one.member for one in some if isinstance(one.member, int)]
        if len(entries) < 2:
            yield some[0]
            continue
        cidr = _around([entry.cidr for entry in entries])
        wider = entries[0]._replace(cidr=cidr)
        yield some[0]._replace(member=min(numbers), value=wider)


def _around(cidrs: Iterable[str]) -> str:
    """The smallest network that contains all of these, which are of one family."""
    networks = sorted(map(ip_network, cidrs), key=lambda one: one.prefixlen)
    around = networks[0]
    while any(not (around.network_address <= one.network_address <= around.broadcast_address) for one in networks):  # type: ignore[operator]
        around = around.supernet()
    return str(around)
