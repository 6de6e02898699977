"""What is one thing is told once, and what can be no opening does not keep the worker busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers import wiring
from lab import by_hand
from tests.support.doors import Doors, deployed, object_event


@pytest.fixture
def by_hand_doors(setpoint: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Doors]:
    """A deployed stack whose first document was just imported from a network that was made by hand."""
    with deployed() as doors:
        written = tmp_path / "shop.json"
        monkeypatch.setattr(wiring, "open_session", lambda entry: doors.hands)
        vpc = by_hand.build(doors.hands)
        assert setpoint("import", "--vpc", vpc, "--name", "shop", "--out", written).code == 0
        doors.upload_bytes(written.read_bytes(), name="shop")
        doors.lab.calls.clear()
        yield doors


def test_a_first_run_says_once_what_it_adopted_or_could_not_adopt(by_hand_doors: Doors) -> None:
    doors = by_hand_doors
    doors.lab.faults.refuse("CreateTags", code="UnauthorizedOperation")
    assert doors.work(object_event(name="shop")) == ()
    doors.lab.faults.clear()
    doors.clock.sleep(300)
    assert doors.work(object_event(name="shop")) == ()
    told = [one["Subject"].partition(" of vpc-")[0] for one in doors.alerts()]
    assert told == [
        "Setpoint high: 14 resources",
        "Setpoint info: revision 1 was accepted (shop)",
        "Setpoint low (update): adopted 14 resources",
    ]
