"""The session at the start of README.md, repeated: somebody takes over a network that nobody described, with four
commands and no edit.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers import wiring
from lab import StrictAws, by_hand, laboratory
from tests.support.packets import look

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
COMMANDS = ["import", "plan shop.json", "apply shop.json", "plan shop.json"]
ANSWERS = ["1", "shop", "", "yes"]
ID = re.compile(r"\b(vpc|subnet|igw|rtb|acl|sg)-[0-9a-f]{17}\b")


@pytest.fixture(scope="module")
def existing() -> Iterator[tuple[StrictAws, str]]:
    """The laboratory with a network that was made by hand, and the id of its VPC."""
    with laboratory() as lab:
        yield lab, by_hand.build(lab.outsider())


class Person:
    """Somebody at a terminal, who answers what is asked; the terminal shows each answer."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = list(answers)

    def isatty(self) -> bool:
        return True

    def readline(self, _: int = -1) -> str:
        answer = self.answers.pop(0)
        sys.stdout.write(f"{answer}\n")
        return f"{answer}\n"

    def asked(self, prompt: str = "") -> str:
        sys.stdout.write(prompt)
        return self.readline().rstrip("\n")


def sit_down(patch: pytest.MonkeyPatch) -> Person:
    """Give this process a terminal; in the test itself, because capsys has other streams while it sets up."""
    person = Person(ANSWERS)
    patch.setenv("NO_COLOR", "1")
    patch.setattr(sys, "stdin", person)
    patch.setattr(sys, "stderr", sys.stdout)  # a terminal shows both in the order in which they are written
    patch.setattr(type(sys.stdout), "isatty", lambda self: True, raising=False)
    patch.setattr("click.termui.visible_prompt_func", person.asked)
    return person


def session_in_readme() -> list[str]:
    (block,) = [one for one in README.split("```")[1::2] if one.startswith("\n$ setpoint import\n")]
    return [line.rstrip() for line in block.splitlines() if line.strip()]


def shown(output: str) -> list[str]:
    """The lines that stay on a terminal, where each report of progress overwrites the one before it."""
    lines = (line.rpartition("\x1b[2K")[2].rstrip() for line in output.split("\n"))
    return [line for line in lines if line]


def pattern(quoted: str) -> re.Pattern[str]:
    """A quoted line: `...` stands for anything, and an id for any id of its kind."""
    parts = (re.escape(ID.sub(r"\1-ID", part)).replace(r"\-ID", "-[0-9a-f]{17}") for part in quoted.split("..."))
    return re.compile(".*".join(parts))


def test_a_stranger_takes_over_a_network_with_the_four_commands_of_the_readme(
    existing: tuple[StrictAws, str], setpoint: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    lab, vpc = existing
    hands = lab.outsider()
    ec2, rds = hands.client("ec2"), hands.client("rds")
    before, built = look(ec2, rds, vpc), len(lab.trail.records())
    states = []
    lab.after_write = lambda call: states.append(look(ec2, rds, vpc))
    product = lab.session()
    written, codes, output = [], [], []
    person = sit_down(monkeypatch)
    for command in COMMANDS:
        name, *arguments = command.split()
        # The import looks at more than the functions' roles allow, with a person's own permissions.
        session = hands if name == "import" else product
        monkeypatch.setattr(wiring, "open_session", lambda entry, session=session: session)
        ran = setpoint(name, *arguments)
        codes.append(ran.code)
        output += [f"$ setpoint {command}", *shown(ran.out)]
        written.append(Path("shop.json").read_bytes())

    assert not person.answers
    assert codes == [0, 2, 0, 0]
    assert len(set(written)) == 1  # nobody edited it
    assert output[-1] == "In sync: 14 resources are as declared; 9 reads, no write."
    made = lab.trail.records()[built:]
    assert [one["eventName"] for one in made] == ["CreateTags"] * 14
    keys = {tag["key"] for one in made for tag in one["requestParameters"]["tagSet"]["items"]}
    assert keys == {"setpoint:document", "setpoint:name"}
    assert states == [before] * 14
    assert set(json.loads(written[0])["adopt"]) == {
        "network_acl/private-c",
        "route_table/private",
        "route_table/public-a",
    }
    assert_quoted(session_in_readme(), output)


def assert_quoted(quoted: list[str], output: list[str]) -> None:
    """README.md shows this output, line by line, and leaves nothing out where it does not say so."""
    left, skips = list(output), False
    for line in quoted:
        if line.strip() == "...":
            skips = True
            continue
        at = next((index for index, one in enumerate(left) if pattern(line).fullmatch(one)), None)
        assert at is not None, f"README.md quotes {line!r}, and the session has {left!r}"
        assert skips or at == 0, f"README.md leaves out {left[:at]!r}"
        left, skips = left[at + 1 :], False
    assert skips or not left, left
