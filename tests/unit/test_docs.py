"""What the documentation shows is so: every document loads, every command and every request parses."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import desired_state
from desired_state.load import load
from handlers import fleet
from handlers.cli import cli
from handlers.triggers import read_request

ROOT = Path(desired_state.__file__).parents[1]
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")} - {ROOT / "CHANGELOG.md"})
"""What is so now; the changelog has what was."""
FENCED = re.compile(r"^[ ]*```(\w*)\n(.*?)^[ ]*```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
README: dict[str, Any] = json.loads(
    next(one for _, one in FENCED.findall((ROOT / "README.md").read_text("utf-8")) if '"version": 1' in one)
)
EXAMPLE: dict[str, Any] = json.loads(
    Path(desired_state.__file__).with_name("examples").joinpath("test-server.json").read_text("utf-8")
)


def blocks() -> Iterator[tuple[str, str, str]]:
    """(page, language, text) of every fenced block."""
    for page in PAGES:
        for language, text in FENCED.findall(page.read_text(encoding="utf-8")):
            yield str(page.relative_to(ROOT)), language, text


def documents() -> Iterator[Any]:
    """Every block that is a document, or some fields of one."""
    for page, language, text in blocks():
        policy = '"Statement"' in text  # IAM's, not a document's
        if (language == "json" or text.lstrip().startswith(('{ "', '"'))) and not policy:
            whole = text.lstrip().startswith("{")
            yield pytest.param(json.loads(text if whole else f"{{{text}}}"), id=f"{page}: {text.strip()[:24]}")


def completed(shown: dict[str, Any]) -> dict[str, Any]:
    """The fields as they would stand in a document that declares what they speak of."""
    if "version" in shown:
        return shown
    if "intents" in shown:
        return {**json.loads(json.dumps(EXAMPLE).replace("mypostgresqldb", "orders")), **shown}
    if "external" in shown:  # another document owns the way out
        resources = json.loads(
            json.dumps(README["resources"]).replace("internet_gateway/way-out", "internet_gateway/main")
        )
        del resources["internet_gateway"]
        return {**README, "resources": resources, **shown}
    return {**README, **shown}


@pytest.mark.parametrize("shown", list(documents()))
def test_every_document_that_is_shown_loads(shown: dict[str, Any]) -> None:
    load(json.dumps(completed(shown)).encode(), "shown.json")


def test_the_documentation_shows_documents() -> None:
    assert len(list(documents())) >= 4


def commands() -> Iterator[Any]:
    """Every command line of ours: in a block after a prompt or at a command's place, or on its own in backquotes."""
    found = dict[str, str]()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in FENCED.findall(text):
            for line in block[1].splitlines():
                for part in re.split(r"&&|\|\|", line.strip().removeprefix("$ ")):
                    if re.match(r"(\.venv/bin/)?setpoint [a-z-]", part.strip()):
                        found.setdefault(part.strip(), page.name)
        for span in SPAN.findall(FENCED.sub("", text)):
            if re.match(r"(\.venv/bin/)?setpoint [a-z-]+( |$)", span):
                found.setdefault(" ".join(span.split()), page.name)
    yield from (pytest.param(line, id=f"{page}: {line}") for line, page in found.items())


def words_of(line: str) -> list[str]:
    """The arguments of a command line, without what is not its own: comments, redirections; `[x]` is an option."""
    words = shlex.split(line.replace("[", "").replace("]", "").replace("...", ""), comments=True)
    ends = [at for at, word in enumerate(words) if word in {">", "<", "|", ";"}]
    return words[1 : min(ends, default=len(words))]


@pytest.mark.parametrize("line", list(commands()))
def test_every_command_that_is_shown_parses(line: str) -> None:
    name, *arguments = words_of(line)
    if name.startswith("-"):
        return
    program = click.Context(cli, info_name="setpoint", **cli.context_settings)
    try:
        cli.commands[name].make_context(name, arguments, parent=program)
    except click.MissingParameter:
        assert arguments == [], "a command is named, and nothing else"


def test_the_documentation_shows_every_command() -> None:
    assert {words_of(one.values[0])[0] for one in commands()} >= set(cli.commands)


def requests() -> Iterator[Any]:
    for page, _, text in blocks():
        for payload in re.findall(r"(?:ask|--payload) '(\{.*?\})'", text):
            yield pytest.param(payload, id=f"{page}: {payload}")


@pytest.mark.parametrize("payload", list(requests()))
def test_every_request_that_is_shown_is_one(payload: str) -> None:
    asked = json.loads(payload)
    if "fleet" in asked:
        assert fleet.request_problem(asked) == ""
    else:
        assert read_request(asked).document == "shop"


def test_the_documentation_shows_requests() -> None:
    assert len(list(requests())) >= 8
