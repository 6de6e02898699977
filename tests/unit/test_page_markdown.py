"""The page as Markdown, read by a parser of GitHub's dialect: it tells every fact, and no name in it acts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from markdown_it import MarkdownIt

from reconciler.report.page.limits import LEAST_CHARACTERS as LEAST
from reconciler.report.page.markdown import markdown
from tests.support.hostile import HOSTILE
from tests.support.random_receipts import random_receipt
from tests.support.sampling import sampled

PARSER = MarkdownIt("gfm-like", {"linkify": False, "html": True})
DETAILS = re.compile(r"<details><summary>[A-Z][A-Za-z, ]+</summary>\n|</details>\n?")
BLOCKS = {"heading", "paragraph", "bullet_list", "list_item", "blockquote", "table", "thead", "tbody", "tr", "th", "td"}
INLINE = {"text", "code_inline", "strong_open", "strong_close", "em_open", "em_close", "softbreak"}
ACTS = re.compile(r"[@#|<>\[\]&$~^\\_*`{}\"!+]|://|www\.|\b[0-9a-f]{7,}\b|[^ -~]")
"""What GitHub or a chat program would act on, outside of code. A quote begins with > and stands before its text."""


def told(text: str) -> str:
    """What a reader sees. Fails if anything in it acts, or a row of a table has another number of cells."""
    words = []
    tokens = PARSER.parse(text)
    rows = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---|")]
    assert sum(one.type == "tr_open" for one in tokens) == len(rows)
    for token in tokens:
        if token.type == "html_block":
            assert DETAILS.fullmatch(token.content), token.content
        elif token.type == "fence":
            words.append(token.content)
        elif token.type == "inline":
            assert {one.type for one in token.children or ()} <= INLINE, token.content
            for one in token.children or ():
                assert one.type != "text" or not ACTS.search(one.content), one.content
                assert one.content.isprintable()
                words.append(one.content)
            words.append("\n")
        else:
            assert token.type.removesuffix("_open").removesuffix("_close") in BLOCKS, token.type
    _check_tables(text)
    return " ".join("".join(words).split())


def _check_tables(text: str) -> None:
    tables = "\n".join(line if line.startswith("|") else "" for line in text.splitlines()).split("\n\n")
    for table in filter(None, (table.strip() for table in tables)):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1, table


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every string of a JSON value."""
    if isinstance(value, str):
        yield at
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*at, index))


def put(value: Any, path: tuple[Any, ...], text: str) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = text


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def full() -> dict[str, Any]:
    """A receipt in which every list has a member."""
    return random_receipt(Random(11), most=1, least=1)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_receipt_of_which_every_string_is_hostile_is_told_inert(text: str) -> None:
    receipt = full()
    for path in paths(receipt):
        put(receipt, path, text)
    told(markdown(receipt))


@pytest.mark.parametrize("part", sampled(range(8), 8))
def test_each_string_alone_is_told_inert_and_changes_nothing_around_it(part: int) -> None:
    """One after the other: the parts of the page and their tables stay as they were."""
    receipt = full()

    def shape(text: str) -> Counter[str]:
        return Counter(one.type for one in PARSER.parse(text) if one.type != "inline")

    before, short = shape(markdown(receipt)), [text for text in HOSTILE if len(text) <= 100]
    for number, path in list(enumerate(paths(receipt)))[part::8]:
        changed = deepcopy(receipt)
        put(changed, path, short[number % len(short)])
        text = markdown(changed)
        told(text)
        differs = before - shape(text) + (shape(text) - before)
        assert not differs or path[-1] in CLOSED, (path, differs)


CLOSED = {"status", "class", "severity", "outcome", "ended", "fingerprint", "mode", "basis", "reason", "until", "name"}
"""Words that decide what the page has: with another one in place of it, a part may come or go."""


def _facts(receipt: dict[str, Any]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """What only occurs once, and so can be looked for."""
    for path in paths(receipt):
        text = at(receipt, path)
        if re.search(r"q\d+z", text):
            yield path, text
    for address in (*receipt["ids"], *receipt["actors"]):
        yield ("ids", address), address


def _hidden(receipt: dict[str, Any], path: tuple[Any, ...]) -> bool:
    """What no page shows: paths of intents that are kept, and whose sentence another one has told already."""
    if path[0] == "intents":
        kept = receipt["intents"][path[1]]["status"] == "kept"
        where: bool = path[2] == "blockers" and path[-1] in {"component", "member"}
        return where or bool(kept and path[2] in {"path", "blockers", "pairs"})
    return bool(path[0] == "found_by")


@pytest.mark.parametrize("seed", sampled(range(400), 20))
def test_every_fact_is_told(seed: int) -> None:
    receipt = random_receipt(Random(seed))
    words = told(markdown(receipt, max_chars=10_000_000))
    missing = [path for path, text in _facts(receipt) if text not in words and not _hidden(receipt, path)]
    assert not missing


@pytest.mark.parametrize("seed", sampled(range(200), 20))
@pytest.mark.parametrize("most", [LEAST, 6_000, 20_000])
def test_what_does_not_fit_is_counted_and_the_gravest_goes_last(seed: int, most: int) -> None:
    receipt = random_receipt(Random(seed), most=40)
    text, whole = markdown(receipt, max_chars=most), markdown(receipt, max_chars=10_000_000)
    assert len(text) <= most
    words = told(text)
    if len(whole) <= most:
        assert text == whole
        return
    counted = re.search(r"Left out, to keep this within [0-9,]+ characters: (.*?)\. ", words)
    assert counted
    left_out = {name.removesuffix("s"): int(number) for number, name in re.findall(r"(\d+) ([a-z ]+)", counted[1])}
    rows = {one["number"]: one for one in receipt["drifted"]}
    missing = [one for one in rows.values() if f"{one['address']} " not in _table(text, "What differs")]
    assert len(missing) == left_out.get("difference", 0)
    calls = [one for one in receipt["actions"] if one["operation"] not in words]
    assert len(calls) == left_out.get("call", 0)
    lanes = (receipt["lanes"] or {"flows": ()})["flows"]
    reach = _table(text, "Who reaches what")
    assert sum(one["traffic"] not in reach for one in lanes) == left_out.get("lane", 0)
    graves = [one for one in missing if one["severity"] == "critical"]
    assert not graves or len(missing) == len(rows)


def _table(text: str, heading: str) -> str:
    """The rows of the first table below a heading."""
    _, _, rest = text.partition(f"### {heading}")
    return "\n".join(line.replace("`", "") for line in rest.split("\n### ")[0].splitlines() if line.startswith("|"))


def test_more_than_the_page_shows_are_counted() -> None:
    receipt = random_receipt(Random(11), most=1, least=1)
    one = receipt["drifted"][0] | {"severity": "low"}
    receipt["drifted"] = [one | {"number": n, "address": f"subnet/s{n}", "have": f"value {n}"} for n in range(10_000)]
    text = markdown(receipt)
    assert len(text) <= 60_000
    counted = re.search(r"Left out[^:]*: .*?([0-9,]+) differences", told(text))
    assert counted
    assert int(counted[1].replace(",", "")) == 10_000 - _table(text, "What differs").count("subnet/s")
