"""What is too long is cut to its room, wherever it stands, and what is lost is counted."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from reconciler.report.fitting import cut_lists, encoded, size


def some(random: Random) -> dict[str, Any]:
    lists = {name: ["é" * random.randint(0, 9) for _ in range(random.randint(0, 40))] for name in "abc"}
    below = {str(number): "x" * random.randint(0, 9) for number in range(random.randint(0, 30))}
    return {"text": "fixed", **lists, "deep": {"m": below, "kept": 1}}


@pytest.mark.parametrize("longest", [80, 200, 500, 5_000])
def test_all_is_cut_to_its_room_or_gone_and_counted(longest: int) -> None:
    for seed in range(50):
        whole = some(Random(seed))
        cut, left_out = cut_lists(whole, longest, nested=(("deep", "m"), ("not", "there")))
        gone = not any(cut[name] for name in "abc") and not cut["deep"]["m"]
        assert size(encoded(cut | {"left_out": left_out})) <= longest or gone, seed
        assert list(cut) == list(whole)
        for name in "abc":
            assert cut[name] == whole[name][: len(cut[name])]
            assert len(cut[name]) + left_out.get(name, 0) == len(whole[name])
        assert len(cut["deep"]["m"]) + left_out.get("deep.m", 0) == len(whole["deep"]["m"])
        assert cut["deep"]["kept"] == 1


def test_what_fits_is_left_as_it_is() -> None:
    whole = some(Random(1))
    assert cut_lists(whole, 1_000_000, nested=(("deep", "m"),)) == (whole, {})


def test_the_measure_is_that_of_whoever_sends_it() -> None:
    whole = {"a": ["é"] * 100}
    longest = size(encoded(whole)) + 60
    assert cut_lists(whole, longest) == (whole, {})
    cut, left_out = cut_lists(whole, longest, bytes_of=lambda value: len(json.dumps(value)))  # it escapes them
    assert (len(cut["a"]), left_out) == (50, {"a": 50})
