"""The verdict: one sentence, the worst first, the gravest sentences of layers, six figures, and what to do. Pure.

What a layer lets in, what arrives and what an intent asks may disagree, rightly: the heading is about what arrives, if
anything does that should not, then about intents, then about layers.
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from reconciler.report.page.calls import Calls
from reconciler.report.page.differences import Difference, Differences
from reconciler.report.page.intents import Intents
from reconciler.report.page.lanes import Lane, Lanes
from reconciler.report.page.notes import Notes
from reconciler.report.page.reading import Json, kind_of, listed, mapping, number, text
from reconciler.report.page.words import counted, duration, rank

_SENTENCES = 3
_DOCUMENT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_FINGERPRINT = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_REGION = re.compile(r"[a-z]{2}[a-z-]{1,30}-[0-9]{1,2}", re.ASCII)
_FUNCTION = "setpoint-invoke"


class Grave(NamedTuple):
    """A grave sentence, with the numbers of the differences that it is about."""

    severity: str
    sentence: str
    numbers: tuple[int, ...] = ()

    @property
    def number(self) -> int | None:
        """The first of them."""
        return self.numbers[0] if self.numbers else None


class Figure(NamedTuple):
    """One figure. `tone`: `grave`, `warn`, `good` or empty; `unknown`: the value is a word."""

    value: str
    label: str
    tone: str = ""
    unknown: bool = False


class Verdict(NamedTuple):
    """What the page says first. `tone` is that of all; `steps` are commands to copy, `release` says what they do."""

    heading: str
    lead: str
    tone: str
    graves: tuple[Grave, ...]
    figures: tuple[Figure, ...]
    steps: tuple[str, ...]
    release: str | None
    held: str | None
    unseen: tuple[str, ...]
    problem: str | None


class Parts(NamedTuple):
    """What the verdict is made from. `after`: it is one on a run that changed the network, or tried to."""

    differences: Differences
    lanes: Lanes
    intents: Intents
    calls: Calls
    notes: Notes
    after: bool


_ENDINGS = {
    "refused": "The document was refused; the network was not touched",
    "deleted": "The document was deleted; the network is no longer kept",
    "unobservable": "The network could not be looked at",
    "lease_held": "Another run was at work, so this one did nothing",
}


def is_complete(receipt: Json) -> bool:
    """Whether the run came to an end, so that the receipt tells of a network."""
    return "drifted" in receipt


def is_apply(receipt: Json) -> bool:
    """Whether the run changed the network, or tried to."""
    mode = text(mapping(receipt, "run"), "mode")
    tried = any(one.get("ended") not in {None, "held"} for one in listed(receipt, "actions"))
    return bool(receipt.get("wrote")) or mode == "apply" or tried


def not_completed(receipt: Json) -> Verdict:
    """The verdict on a run that could not look, or was not to."""
    run = mapping(receipt, "run")
    ending = text(run, "ending") or text(receipt, "state") or "not known"
    heading = _ENDINGS.get(ending, f"The run did not complete: {ending.replace('_', ' ')}")
    lead = "Nothing is known of the network from this run, so nothing is said of it."
    return Verdict(heading, lead, "warn", (), (), (), None, None, (), text(run, "problem"))


def verdict(receipt: Json, parts: Parts) -> Verdict:
    """The verdict on a run that completed."""
    graves = _graves(parts)
    heading, tone = _heading(receipt, parts, graves)
    steps, release = _steps(receipt, parts)
    return Verdict(
        heading=heading,
        lead=_lead(receipt, parts),
        tone=tone,
        graves=tuple(graves[:_SENTENCES]),
        figures=_figures(receipt, parts),
        steps=steps,
        release=release,
        held=text(receipt, "held_as_a_whole"),
        unseen=tuple(f"{one.what}: {one.why}" if one.why else one.what for one in parts.notes.unseen),
        problem=text(mapping(receipt, "run"), "problem"),
    )


def _heading(receipt: Json, parts: Parts, graves: list[Grave]) -> tuple[str, str]:
    lanes, after = parts.lanes, parts.after
    if lanes.broken:
        return "The rule was broken: between the calls, packets passed or were cut that should not have been", "grave"
    openings = sorted(lanes.openings(last=after), key=lambda one: (not one.from_internet, not one.to_database))
    if openings:
        return _opening(openings[0], receipt), "grave"
    broken = [one for one in parts.intents.intents if one.status == "broken"]
    if broken and not (after and all(one.after_plan == "kept" for one in broken)):
        return _broken([one.name for one in broken]), "grave"
    done, count = parts.differences.done, parts.differences.count
    if after and count:
        if done == count:
            return f"Put right: {done:,} of {count:,}", "good" if not parts.notes.unseen else "warn"
        return f"Put right: {done:,} of {count:,}; {_left(graves, count - done)}", _tone(graves)
    if graves and rank(graves[0].severity) <= rank("medium"):
        return graves[0].sentence.removesuffix("."), _tone(graves)
    if count:
        return counted(count, "difference"), "warn"
    resources = len(mapping(mapping(receipt, "network"), "declared")) or len(mapping(receipt, "found_by"))
    if parts.notes.unseen:
        return f"In sync as far as could be seen; {counted(len(parts.notes.unseen), 'thing')} could not", "warn"
    return f"In sync: {counted(resources, 'resource')} {'is' if resources == 1 else 'are'} as declared", "good"


def _tone(graves: list[Grave]) -> str:
    return "grave" if graves and rank(graves[0].severity) <= rank("high") else "warn"


def _left(graves: list[Grave], left: int) -> str:
    if graves and rank(graves[0].severity) <= rank("medium"):
        return graves[0].sentence.removesuffix(".")
    return f"{left:,} {'is' if left == 1 else 'are'} left"


def _opening(one: Lane, receipt: Json) -> str:
    databases = sum(kind_of(address) == "db_instance" for address in mapping(mapping(receipt, "network"), "declared"))
    what = one.target if one.to_database else one.target[:1].upper() + one.target[1:]
    what = "The database" if one.to_database and databases <= 1 else what
    can = "can" if one.certain else "may"
    if one.from_internet and one.to_database:
        return f"{what} {can} be reached from the internet"
    return f"{what} {can} be reached from {one.source} on {one.traffic}, which is not declared"


def _broken(names: list[str]) -> str:
    first = f"An intent is broken: {names[0]}"
    return first if len(names) == 1 else f"{len(names)} intents are broken, the first: {names[0]}"


def _graves(parts: Parts) -> list[Grave]:
    """The sentences of what is left, and of what the plan itself would open; the gravest first."""
    found = [
        Grave("critical", f"With this plan, {one.traffic} from {one.source} {_can(one.certain)} reach {one.target}.")
        for one in parts.notes.openings
        if not parts.after
    ]
    found += [
        Grave(str(one.severity), _gravest_sentence(one), (one.number,))
        for entry in parts.differences.entries
        for one in entry.differences
        if one.severity and (one.sentence or one.reach) and not one.done
    ]
    alike: dict[tuple[str, str], tuple[int, ...]] = {}
    for one in sorted(found, key=lambda one: rank(one.severity)):
        same = (one.severity, one.sentence)
        alike[same] = alike.get(same, ()) + one.numbers
    return [Grave(severity, sentence, numbers) for (severity, sentence), numbers in alike.items()]


def _gravest_sentence(one: Difference) -> str:
    """That of its own layer, unless it is what it means from end to end that is so grave."""
    own = rank(one.own_severity) <= rank(one.severity)
    return (one.sentence if own else one.reach) or one.sentence or one.reach or ""


def _can(certain: bool) -> str:  # noqa: FBT001 (of a flow)
    return "can" if certain else "may"


def _lead(receipt: Json, parts: Parts) -> str:
    after = parts.after
    told = [_applied(receipt, parts) if after else _planned(receipt)]
    openings, cuts = len(parts.lanes.openings(last=after)), len(parts.lanes.cuts(last=after))
    if parts.lanes.unknown is None and (openings or cuts):
        told.append(f"{counted(openings, 'opening')} and {counted(cuts, 'cut')} in what arrives.")
    if parts.differences.count and not after:
        done = parts.differences.done
        told += [f"{done} were put right."] if done else []
    return " ".join(told)


def _planned(receipt: Json) -> str:
    signs = [one.get("sign") for one in listed(receipt, "drifted")]
    if not signs:
        return "Nothing was changed, and nothing needs to be."
    words = (("add", "to add"), ("change", "to change"), ("remove", "to remove"))
    told = ", ".join(f"{signs.count(sign):,} {word}" for sign, word in words if sign in signs)
    return f"Plan: {told or counted(len(signs), 'difference')}. Nothing was changed."


def _applied(receipt: Json, parts: Parts) -> str:
    calls = listed(receipt, "actions")
    if not calls:
        return "No call was needed." if not parts.differences.count else "No call was made."
    endings = [str(one.get("ended")) for one in calls]
    told = [f"{endings.count('done'):,} of {counted(len(calls), 'call')} done"]
    told += [
        f"{endings.count(ending):,} {ending}" for ending in dict.fromkeys(endings) if ending not in {"done", "None"}
    ]
    at = duration(float(receipt.get("seconds") or 0))
    return f"{', '.join(told)}, in {at}, and looked at again."


def _figures(receipt: Json, parts: Parts) -> tuple[Figure, ...]:
    after = parts.after
    left = parts.differences.count - parts.differences.done
    tone = "" if not left else "grave" if _tone(_graves(parts)) == "grave" else "warn"
    count = Figure(f"{parts.differences.count:,}", "differences found" if after else "differences", tone)
    counts = mapping(receipt, "counts")
    reads = f"{number(counts, 'reads'):,} / {number(counts, 'writes'):,}"
    return (
        count if parts.differences.count else Figure("0", "differences", "good"),
        _arriving(parts.lanes, last=after),
        _kept(parts.intents),
        _exposed(receipt, parts),
        Figure(f"{len(listed(receipt, 'unmanaged')):,}", "unmanaged"),
        Figure(reads, "reads / writes") if counts else Figure("not known", "reads / writes", unknown=True),
    )


def _arriving(lanes: Lanes, *, last: bool) -> Figure:
    if lanes.unknown is not None:
        return Figure("not worked out", "openings that arrive", unknown=True)
    found = len(lanes.openings(last=last))
    if lanes.pairs_left_out:
        label = "openings that arrive"
        return Figure(f"{found:,} or more", label, "grave") if found else Figure("not known", label, unknown=True)
    return Figure(f"{found:,}", "openings that arrive", "grave" if found else "good")


def _kept(intents: Intents) -> Figure:
    if not intents.count:
        return Figure("none", "intents in the document", unknown=True)
    tone = "grave" if intents.broken else "warn" if intents.unknown else "good"
    return Figure(f"{intents.kept:,} of {intents.count:,}", "intents kept", tone)


def _exposed(receipt: Json, parts: Parts) -> Figure:
    label = "stood open, at most"
    known = [one for one in mapping(receipt, "exposed").values() if isinstance(one, int | float)]
    if known:
        return Figure(duration(max(known)), label, "grave")
    if not parts.differences.count:
        return Figure("none", "stood open", unknown=True)
    if "exposed" not in receipt or listed(receipt, "exposed_unknown"):
        return Figure("not known", label, unknown=True)
    return Figure("none", "stood open", unknown=True)


def _steps(receipt: Json, parts: Parts) -> tuple[tuple[str, ...], str | None]:
    """Commands that do exactly this plan. Only words of an exact form become part of one."""
    document, fingerprint = mapping(receipt, "document"), text(receipt, "fingerprint") or ""
    name = text(document, "name") or ""
    if parts.after or not parts.calls.count or not _FINGERPRINT.fullmatch(fingerprint):
        return (), None
    if not _DOCUMENT.fullmatch(name):
        return (), None
    file, region = f"{name}.json", text(receipt, "region") or ""
    where = f" --region {region}" if _REGION.fullmatch(region) else ""
    payload = shlex.quote(f'{{"document": "{name}", "mode": "apply", "approve": "{fingerprint}"}}')
    how = "--cli-read-timeout 310 --cli-binary-format raw-in-base64-out"
    return (
        f"setpoint plan {file} --out plan.json",
        f"setpoint apply {file} --plan plan.json",
        f"aws lambda invoke --function-name {_FUNCTION}{where} {how} --payload {payload} answer.json",
    ), f"Only the plan with the fingerprint {fingerprint} is released; if anything has changed since, it is refused."
