"""Who speaks for an account that cannot be reached: only that alert is silent, and nothing else that is to be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.attempt.telling import Voice
from reconciler.ledger.record import Untold, UntoldMember
from reconciler.notify.alert import Topic
from reconciler.notify.alert_rules import find_alerts
from reconciler.report.attempt import Ending, Late
from tests.support.attempts import ended
from tests.support.worlds import MORNING

ACCOUNT = "123456789012"


class Speaks:
    """The ledger's item of an account; `mine` says whether this document is the one that tells of it."""

    def __init__(self, *, mine: bool) -> None:
        self.mine = mine

    def speaks(self, account: str, document: str, now: Any) -> bool:
        assert (account, now) == (ACCOUNT, MORNING)
        return self.mine


def voice(accounts: Any) -> Voice:
    return Voice(publisher=None, repeat=timedelta(hours=24), now=lambda: MORNING, accounts=accounts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("accounts", "silent"), [(None, False), (Speaks(mine=True), False), (Speaks(mine=False), True)]
)
def test_where_another_document_speaks_for_the_account_only_that_alert_is_silent(
    accounts: Any, *, silent: bool
) -> None:
    member = UntoldMember("tcp 22 from 0.0.0.0/0", "n")
    corrected = Untold("f" * 16, "drift", "high", "security_group/web ingress", "It was open.", MORNING, (member,))
    lost = replace(ended(Ending.UNOBSERVABLE), unreachable=ACCOUNT, late=(Late(corrected, sure=True),))
    topics = {one.topic for one in find_alerts(lost)}
    assert Topic.UNSEEN in topics
    assert len(topics) > 1
    assert {one.topic for one in voice(accounts).alerts(lost)} == topics - ({Topic.UNSEEN} if silent else set())


def test_what_concerns_one_document_alone_is_told_whoever_speaks() -> None:
    alone = ended(Ending.UNOBSERVABLE)
    assert voice(Speaks(mine=False)).alerts(alone) == tuple(find_alerts(alone))
