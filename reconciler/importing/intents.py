"""Intents for a new document: what the network keeps today of what people want to stay so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.intents import INTERNET
from desired_state.load import load
from desired_state.strict_json import MAX_BYTES
from desired_state.write import write
from reconciler.engine.intents import judge_run
from reconciler.engine.observe import ObserveOptions, observe
from reconciler.engine.spelled import as_seen
from reconciler.importing.reading import RememberedReads
from reconciler.kinds import declared_effects
from reconciler.model import Snapshot
from reconciler.reach.judge.intents import Status, judge
from reconciler.reach.judge.offline import offline

_CLOSED = "the internet reaches none of these"
Pair = tuple[str, str]
"""Who sends, and who is reached."""


def with_intents(data: bytes, reads: RememberedReads, now: Callable[[], datetime]) -> bytes:
    """The document in `data` with intents: that the internet does not reach its databases and workloads, and which
    workloads reach a database. Only what is kept today is written, by the live network and by the document alone; the
    same bytes if nothing is, or if it is not known who is there. Raises `ObserveError`.
    """
    values: dict[str, Any] = json.loads(data)
    databases = [Address.of("db_instance", name) for name in values["resources"].get("db_instance", {})]
    workloads: dict[str, Any] = values.get("workloads", {})
    pairs = [(INTERNET, end) for end in (*databases, *workloads)]
    for database in databases:
        pairs += [(name, database) for name, one in workloads.items() if _may_reach(values, one, database)]
    if not pairs:
        return data
    document = _with(values, [_intent(f"{source} to {target}", [source], [target]) for source, target in pairs])
    snapshot = observe(document, reads.aws, ObserveOptions(now, lambda: None))
    if not isinstance(snapshot.interfaces, tuple):
        return data
    kept = [pair for pair, is_kept in zip(pairs, _kept(document, snapshot), strict=True) if is_kept]
    together = list(_together(kept, databases))
    lasting = _kept(_with(values, together), snapshot)
    intents = [one for one, is_kept in zip(together, lasting, strict=True) if is_kept]
    written = write({**values, "intents": intents}) if intents else data
    return written if len(written) <= MAX_BYTES else data


def _may_reach(values: Mapping[str, Any], workload: Mapping[str, Any], database: Address) -> bool:
    """Whether a rule of the database's groups may be about a workload. Judging every pair of a large network would take
    seconds; what is declared elsewhere may let in anybody.
    """
    groups = values["resources"]["db_instance"][database.name].get("vpc_security_groups")
    declared = values["resources"].get("security_group", {})
    rules = [declared.get(group.partition("/")[2], {}).get("ingress") for group in groups or ()]
    if groups is None or None in rules:
        return True
    sources = {rule["source"] for some in rules for rule in some}
    return any(one in workload["security_groups"] or not one.startswith("security_group/") for one in sources)


def _together(kept: Sequence[Pair], databases: Sequence[Address]) -> Iterator[dict[str, Any]]:
    """One intent for all that the internet does not reach, and one for each database."""
    if closed := [target for source, target in kept if source == INTERNET]:
        name = f"the internet does not reach {closed[0].rpartition('/')[2]}" if len(closed) == 1 else _CLOSED
        yield _intent(name, [INTERNET], closed)
    for database in databases:
        if senders := [source for source, target in kept if target == database and source != INTERNET]:
            yield _intent(f"what reaches {database.name}", senders, [database])


def _intent(name: str, sources: Sequence[str], targets: Sequence[str]) -> dict[str, Any]:
    expect = "blocked" if INTERNET in sources else "reachable"
    return {"name": name, "from": _ends(sources), "to": _ends(targets), "expect": expect}


def _ends(ends: Sequence[str]) -> str | list[str]:
    return str(ends[0]) if len(ends) == 1 else list(map(str, ends))


def _with(values: Mapping[str, Any], intents: Sequence[Mapping[str, Any]]) -> Document:
    return load(json.dumps({**values, "intents": intents}).encode(), "import")


def _kept(document: Document, snapshot: Snapshot) -> list[bool]:
    """Of each intent, whether it is kept by the live network, and by the document alone, as `validate` judges it."""
    alone = judge(document.intents, offline(document, declared_effects))
    live = judge_run(as_seen(document, snapshot), snapshot, None).verdicts
    return [one.status is other.status is Status.KEPT for one, other in zip(live, alone, strict=True)]
