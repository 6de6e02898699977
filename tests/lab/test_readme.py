"""The table of lab/README.md: every module and every test that it names exists, and every row says what shows it."""

from __future__ import annotations

import re
from pathlib import Path

LAB, TESTS = Path(__file__).parents[2] / "lab", Path(__file__).parent
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in (LAB / "README.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| What AWS does")
]


def _named(cell: str) -> list[tuple[str, str]]:
    """The tests of a cell, each with its file; `::` alone stands for the file before."""
    found, module = [], ""
    for one in re.findall(r"`([^`]+)`", cell):
        before, _, name = one.partition("::")
        module = before or module
        found.append((module, name))
    return found


def test_every_row_names_modules_and_tests_that_exist() -> None:
    assert len(ROWS) > 50
    wrong = []
    for row in ROWS:
        assert len(row) == 3, row
        what, module, shown = row
        modules = re.findall(r"`(\w+\.py)`", module)
        if not (module.startswith(("refused: ", "either way: ")) or modules):
            wrong.append(f"{what}: neither a module, nor refused, nor either way")
        wrong += [f"{what}: no lab/{one}" for one in modules if not (LAB / one).exists()]
        tests = _named(shown)
        wrong += [] if tests else [f"{what}: no test"]
        for file, name in tests:
            text = (TESTS / file).read_text() if (TESTS / file).exists() else ""
            wrong += [] if re.search(rf"^def {name}\(", text, re.MULTILINE) else [f"{what}: no {file}::{name}"]
    assert wrong == []
