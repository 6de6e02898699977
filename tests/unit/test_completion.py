"""What a shell is told may follow: the script of each shell, and the addresses of the documents on the line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from handlers import options
from handlers.cli import cli
from handlers.completion import script

SHOP = {"resources": {"vpc": {"main": {}}, "subnet": {"a": {}, "\x1b[2J": {}}}}
OTHER = {"resources": {"vpc": {"main": {}, "spare": {}}}}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.json").write_text(json.dumps(SHOP))
    (tmp_path / "other.json").write_text(json.dumps(OTHER))
    return tmp_path


def completed(incomplete: str, *words: Path, into: Path | None = None) -> list[str]:
    context = click.Context(cli)
    context.args, context.params = [str(one) for one in words], {"into": into} if into else {}
    parameter: Any = None
    return [one.value for one in options._complete_address(context, parameter, incomplete)]


def test_the_addresses_of_every_document_follow_each_once_and_none_that_a_terminal_acts_on(shop: Path) -> None:
    one, other = shop / "shop.json", shop / "other.json"
    assert completed("", one) == ["vpc/main", "subnet/a"]
    assert completed("", one, other) == ["vpc/main", "subnet/a", "vpc/spare"]
    assert completed("vpc/", one, other) == ["vpc/main", "vpc/spare"]
    assert completed("main", one) == []
    assert completed("", into=other) == ["vpc/main", "vpc/spare"]
    assert completed("", shop / "none.json") == completed("") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script_and_another_none(shell: str) -> None:
    found = script(cli, "setpoint", shell)
    assert f"_SETPOINT_COMPLETE={shell}_complete" in found
    assert script(cli, "other", shell).count("_OTHER_COMPLETE") > 0
    with pytest.raises(LookupError, match="tcsh"):
        script(cli, "setpoint", "tcsh")
