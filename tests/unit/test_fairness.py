"""Slow accounts do not starve the others: with a message group per account and one message a batch, not with either
alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from tests.support.cfn import template
from tests.support.queue_model import RATE, SLOW, Fleet, Model
from tests.support.sampling import sampled

FAIR = RATE + 2 * SLOW
"""Seconds: the sweep's rate, and that each worker may have just begun with something slow."""
WITHOUT = [(False, 10), (True, 10), (False, 1)]
SEEDS = (1, 2)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level("CRITICAL"):
        yield


@pytest.mark.parametrize("slow", [0, 1, 2, 3, 4])
def test_a_group_for_each_account_and_one_message_a_batch_keep_the_others_in_time(slow: int) -> None:
    assert Model(Fleet(slow, fair=True, batch=1)).gap() <= FAIR


@pytest.mark.parametrize(("slow", "how"), sampled(list(product([1, 2, 3, 4], WITHOUT)), 4))
def test_either_alone_does_not(slow: int, how: tuple[bool, int]) -> None:
    fair, batch = how
    assert Model(Fleet(slow, fair=fair, batch=batch)).gap() > 1.5 * FAIR


@pytest.mark.long
@pytest.mark.parametrize(("slow", "failing", "seed"), list(product([1, 2, 3, 4], [False, True], SEEDS)))
def test_a_thousand_documents_in_fifty_accounts_for_two_hours(slow: int, *, failing: bool, seed: int) -> None:
    size = {"accounts": 50, "documents": 20, "workers": 5}
    fleet = Fleet(slow, True, 1, failing, (0.5, 0.9), seconds=7_200.0, seed=seed, **size)
    assert Model(fleet).gap() <= FAIR


def test_the_template_has_both() -> None:
    resources = template("template.yaml")["Resources"]
    mapping = resources["WorkerMessages"]["Properties"]
    assert mapping["BatchSize"] == 1
    assert "MaximumBatchingWindowInSeconds" not in mapping
    assert "FifoQueue" not in resources["Queue"]["Properties"]
