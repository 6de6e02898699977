"""The fleet's page: self-contained, inert, complete, and small."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reconciler.fleet.fleet import Fleet, fleet_of
from reconciler.fleet.html import page
from reconciler.fleet.markdown import markdown
from reconciler.fleet.standing import State, standing
from reconciler.fleet.strip import strip
from reconciler.model.network_state import NetworkState
from tests.unit.test_fleet import AT, CALM, CASES, HELD_ALERT, NOW, RATE, daily, fleet, item, summary

STYLES = Path(__file__).parents[2] / "reconciler/report/page"
VOID = {"meta", "path"}


class Page(HTMLParser):
    """The elements of a page, its text, and whether every element is closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)
            if "tr" in self._open:
                self.rows[-1] += data

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


HOSTILE = (
    "<script>alert(1)</script>",
    "</style></title></textarea><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;&#x202e;\u202e\u2066\u200f",
    "a\u0300\u0301\u0302\u0303\u0304",
    "x" * 5_000,
    "\x00\x1b[31m",
    "=HYPERLINK(1) @team #1 ![x](http://y) |a| ``b`` <!-- -->",
)


def hostile(text: str) -> Fleet:
    """A fleet in which everything that somebody else may have written is this."""
    record = replace(
        CASES[State.OPEN],
        openings=(text,),
        notified={"f": replace(HELD_ALERT, title=text, severity=text)},
        account=text,
        region=text,
    )
    found = [standing(item(record, text), NOW, RATE), standing({"document": text, "looked_at": text}, NOW, RATE)]
    return fleet_of(found, {text: text}, **AT | {"stack": text, "findings": (text,)})


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_wrote_is_inert(text: str) -> None:
    source = page(hostile(text))
    shown = Page(source)
    assert {tag for tag, _ in shown.elements}.isdisjoint({"script", "img", "iframe", "a", "link"})
    assert not re.search(r"[{]{2}|[{]%", re.sub(r"<style>.*?</style>", "", source, flags=re.DOTALL)) or "{{" in text
    for _, attributes in shown.elements:
        assert not any(name == "style" or name.startswith("on") for name in attributes)
    assert not [char for char in shown.text if unicodedata.category(char) in {"Cc", "Cf"}]
    told = markdown(hostile(text))
    assert len(told) <= 60_000
    assert all(line.count("|") - line.count("\\|") == 9 for line in told.splitlines() if line.startswith("| "))
    assert "<script" not in re.sub(r"`+[^\n]*?`+", "", told)


def test_the_page_asks_nobody_for_anything() -> None:
    shown = Page(page(fleet(*CASES.values())))
    (policy,) = (one["content"] for tag, one in shown.elements if one.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert not [one for _, one in shown.elements if {"src", "href"} & one.keys()]
    ids = [one["id"] for _, one in shown.elements if "id" in one]
    assert len(ids) == len(set(ids))
    labels = {one["aria-labelledby"] for _, one in shown.elements if "aria-labelledby" in one}
    assert labels <= set(ids)


def test_every_fact_of_the_json_is_on_the_page_and_in_the_markdown() -> None:
    records = [
        replace(CASES[State.OPEN], exposed_since=NOW - timedelta(minutes=8), notified={"f": HELD_ALERT}),
        *CASES.values(),
    ]
    made = fleet(*records, findings=("the bucket could not be listed",))
    rows, told = Page(page(made)).rows[1:], markdown(made).replace("`", "").splitlines()[-len(records) :]
    assert len(rows) == len(told) == len(records)
    for line, row, cells in zip(made.as_json()["documents"], rows, told, strict=True):
        facts = [line["state"], line["document"], "123456789012", "eu-central-1", *line["why"], *line["openings"]]
        for fact in facts:
            assert fact in row, fact
            assert fact in cells, fact
    for text in (Page(page(made)).text, markdown(made)):
        assert made.heading in text
        assert "the bucket could not be listed" in text
        assert "27 Nov 2026, 05:12:00 UTC" in text
        assert "at most 8 min" in text
        assert "1 medium since 27 Nov 04:12" in text


def test_500_documents_take_less_than_300_kilobytes_and_the_gravest_is_never_cut() -> None:
    keys = [summary(31, NetworkState.SYNC), *daily()]
    for day in range(1, 8):
        keys += [summary(3.7 * day, NetworkState.OPEN), summary(3.7 * day - 0.04, NetworkState.SYNC)]
    standings, strips = [], dict[str, Any]()
    for number in range(500):
        record = CASES[State.OPEN] if number == 499 else CASES[State.HELD] if number % 50 == 0 else CALM
        name = f"team-{number:03}-network"
        standings.append(standing(item(record, name), NOW, RATE))
        strips[name] = strip(keys, record.looked_at, NOW, quiet=3 * RATE)
    made = fleet_of(standings, strips, **AT)
    source = page(made)
    assert len(source.encode()) < 300_000
    assert Page(source).rows[1].split()[:2] == ["OPEN", "team-499-network"]
    told = markdown(made, 20_000)
    assert len(told) <= 20_000
    assert "**OPEN** | `team-499-network`" in told
    assert re.search(
        r"> Left out, to keep this within 20,000 characters: \d+ IN SYNC\. `-o json` has all of it\.", told
    )


def test_a_share_is_never_rounded_up_to_all_of_the_time() -> None:
    def month(opened: timedelta) -> str:
        keys = [
            summary(31, NetworkState.SYNC),
            *daily(),
            at(NOW - opened - timedelta(days=2)),
            at(NOW - timedelta(days=2)),
        ]
        keys[-2:] = [keys[-2]._replace(state=NetworkState.OPEN), keys[-1]]
        made = fleet(CALM, strips={"d0": strip(keys, NOW, NOW)})
        return Page(page(made)).rows[1].split()[-2]

    def at(moment: datetime) -> Any:
        return summary(0, NetworkState.SYNC)._replace(at=moment)

    assert month(timedelta(seconds=20)) == "99.9"
    assert month(timedelta(0)) == "100"


def test_what_the_style_says_in_quotes_is_as_written() -> None:
    written = re.findall(r'"[^"]*"', (STYLES / "fleet.css").read_text("utf-8"))
    assert '"Last look: "' in written
    assert [one for one in written if one not in page(fleet())] == []
