"""The history of a document as a page of its own, and as Markdown: the parts of a run's page that tell it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.report.page import markdown_notes
from reconciler.report.page.cutting import Section, fitted, fixed
from reconciler.report.page.gfm import code, prose
from reconciler.report.page.html import rendered
from reconciler.report.page.past import Episode, History, history
from reconciler.report.page.reading import Json, listed, text
from reconciler.report.page.redaction import without_names
from reconciler.report.page.words import rank

MOST = 300
"""The most episodes of a page; what is left out is counted."""
_HEADINGS = {
    "sync": ("As declared", "good"),
    "differs": ("Something differs", "warn"),
    "open": ("Something stands open", "grave"),
}
_GRAVEST = 3
_NOT_KNOWN = ("How it stands is not known: nobody has looked", "warn")


@dataclass(frozen=True)
class Told:
    """What the page says. `heading` is how it stands at the end of the time, `tone` how grave that is, `standing` what
    differs then.
    """

    document: str
    account: str | None
    region: str | None
    heading: str
    tone: str
    lead: str
    standing: tuple[Episode, ...]
    standing_left_out: int
    past: History
    findings: tuple[str, ...]


def told(given: Json, *, redact: bool) -> Told:
    """The page of the JSON of a history; `redact` replaces accounts, addresses and principals by short names."""
    given = (without_names({}, given)[1] or given) if redact else given
    name = text(given, "document") or "a document"
    findings = given.get("findings")
    segments = listed(given, "segments")
    heading, tone = _HEADINGS.get(str(segments[-1].get("state")) if segments else "", _NOT_KNOWN)
    past = history(given, name, MOST)
    standing = sorted((one for one in past.episodes if not one.until), key=lambda one: rank(one.severity))
    return Told(
        document=name,
        account=text(given, "account"),
        region=text(given, "region"),
        heading=heading,
        tone=tone,
        lead=f"So it stands at {past.until or 'the end'}." if heading != _NOT_KNOWN[0] else "See below since when.",
        standing=tuple(standing[:_GRAVEST]),
        standing_left_out=max(0, len(standing) - _GRAVEST),
        past=past,
        findings=tuple(map(str, findings)) if isinstance(findings, list | tuple) else (),
    )


def history_html(given: Json, *, redact: bool = False) -> str:
    """The page as one HTML file; `redact` as of `told`."""
    return rendered("history.html.jinja", told=told(given, redact=redact))


def history_markdown(given: Json, max_chars: int, *, redact: bool) -> str:
    """The page as Markdown, in at most so many characters; `redact` as of `told`."""
    shown = told(given, redact=redact)
    about = ", ".join(code(one, 70) for one in (shown.account, shown.region) if one)
    heading = Section(
        f"## Setpoint: history of {code(shown.document, 70)}", (fixed(about), fixed(f"### {shown.heading}"))
    )
    sections = [heading, markdown_notes.days(shown.past, shown.document)]
    if shown.findings:
        sections.append(Section("### Not known", (fixed(*(f"- {prose(one, 300)}" for one in shown.findings)),)))
    if episodes := markdown_notes.history(shown.past):
        sections.append(episodes)
    return fitted(
        sections,
        max_chars,
        lambda left: f"> Left out: {sum(left.values())}. `-o json` has all of it." if any(left.values()) else "",
    )
