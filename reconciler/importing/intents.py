"""Intents for a new document: what the network keeps today of what people want to stay so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.intents import INTERNET, Intent
from desired_state.load import load
from desired_state.strict_json import MAX_BYTES
from desired_state.write import write
from reconciler.engine.intent_faults import Verdicts
from reconciler.engine.intents import seen_context
from reconciler.engine.observe import ObserveOptions, observe
from reconciler.engine.spelled import as_seen
from reconciler.importing.reading import RememberedReads
from reconciler.importing.told import Note, Sort
from reconciler.kinds import declared_effects
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.intents import Status
from reconciler.reach.judge.offline import offline

_CLOSED = "the internet reaches none of these"
MOST_JUDGED = 5_000
"""The most pairs that are judged, so that an import of a very large network takes seconds and not minutes."""
_TOO_MANY = f"no intent says what reaches it: more than {MOST_JUDGED:,} pairs would have to be judged; write it by hand"
type _Values = Mapping[str, Any]
"""A part of a document, as JSON has it."""


def with_intents(data: bytes, reads: RememberedReads, now: Callable[[], datetime]) -> tuple[bytes, tuple[Note, ...]]:
    """The document in `data` with intents: that the internet does not reach its databases and workloads, and which
    workloads reach a database. Only what is kept today is written, by the live network and by the document alone; the
    same bytes if nothing is, or if it is not known who is there. With it, what is told of the databases of which
    nothing was judged, because MOST_JUDGED was reached. Raises `ObserveError`.
    """
    values: dict[str, Any] = json.loads(data)
    wanted, left_out = _wanted(values)
    if not wanted:
        return data, left_out
    document = _with(values, wanted)
    snapshot = observe(document, reads.aws, ObserveOptions(now, lambda: None))
    if not isinstance(snapshot.interfaces, tuple):
        return data, ()
    contexts = offline(document, declared_effects), seen_context(as_seen(document, snapshot), snapshot)
    whole = zip(wanted, _are_kept(wanted, contexts), strict=True)
    intents = [kept for one, is_kept in whole if (kept := one if is_kept else _kept_of(one, contexts))]
    written = write({**values, "intents": intents}) if intents else data
    return (written if len(written) <= MAX_BYTES else data), left_out


def _wanted(values: _Values) -> tuple[list[_Values], tuple[Note, ...]]:
    """One intent for all that the internet may not reach, and one for each database, with all that may reach it."""
    databases = [Address.of("db_instance", name) for name in values["resources"].get("db_instance", {})]
    workloads: Mapping[str, Any] = values.get("workloads", {})
    wanted, left_out = [], []
    if ends := [*databases, *workloads]:
        wanted.append(_intent([INTERNET], ends))
    judged = len(ends)
    for database in databases:
        senders = [name for name, one in workloads.items() if _may_reach(values, one, database)]
        judged += len(senders)
        if judged > MOST_JUDGED:
            left_out.append(Note(Sort.INTENT, database, _TOO_MANY))
        elif senders:
            wanted.append(_intent(senders, [database]))
    return wanted, tuple(left_out)


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


def _kept_of(wanted: _Values, contexts: Sequence[JudgeContext]) -> _Values | None:
    """What is kept of an intent that is not kept as a whole; None if nothing is."""
    sources, targets = _listed(wanted["from"]), _listed(wanted["to"])
    pairs = [(source, target) for source in sources for target in targets]
    if len(pairs) == 1:
        return None
    each = _are_kept([_intent([source], [target]) for source, target in pairs], contexts)
    kept = [pair for pair, is_kept in zip(pairs, each, strict=True) if is_kept]
    if not kept:
        return None
    left = _intent(*(list(dict.fromkeys(ends)) for ends in zip(*kept, strict=True)))
    return left if _are_kept([left], contexts) == [True] else None  # together they may be too many to judge


def _intent(sources: Sequence[str], targets: Sequence[str]) -> _Values:
    closed = INTERNET in sources
    only = targets[0].rpartition("/")[2]
    name = f"what reaches {only}"
    if closed:
        name = _CLOSED if len(targets) > 1 else f"the internet does not reach {only}"
    expect = "blocked" if closed else "reachable"
    return {"name": name, "from": _ends(sources), "to": _ends(targets), "expect": expect}


def _ends(ends: Sequence[str]) -> str | list[str]:
    return str(ends[0]) if len(ends) == 1 else list(map(str, ends))


def _listed(ends: str | list[str]) -> list[str]:
    return [ends] if isinstance(ends, str) else ends


def _with(values: _Values, intents: Sequence[_Values]) -> Document:
    return load(json.dumps({**values, "intents": intents}).encode(), "import")


def _are_kept(intents: Iterable[_Values], contexts: Iterable[JudgeContext]) -> list[bool]:
    """Of each intent, whether it is kept in all contexts. What one does not keep is not judged in the next."""
    asked = [Intent.model_validate(one) for one in intents]
    kept = set(range(len(asked)))
    for context in contexts:
        order = sorted(kept)
        verdicts = Verdicts().of([asked[index] for index in order], context)
        kept = {index for index, one in zip(order, verdicts, strict=True) if one.status is Status.KEPT}
    return [index in kept for index in range(len(asked))]
