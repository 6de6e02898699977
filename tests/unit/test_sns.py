"""Whatever is in an alert, SNS takes one message about it; what it does not take is lost by name, and told later."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from reconciler.attempt.telling import ASK_AGAIN, _StillOurs
from reconciler.model import Outcome
from reconciler.model.exposure import Severity
from reconciler.notify.alert import Alert, Member, Topic
from reconciler.notify.deduplication import Notification, Notifications, Status
from reconciler.notify.message import NotificationOrigin
from reconciler.notify.publisher import Publisher, Sent
from tests.support.attempts import NOW, completed
from tests.support.sampling import sampled

HERE = NotificationOrigin("small", 1, "123456789012", "eu-west-1", "run-1", "")
ODD = (
    *("", " ", "\n", "\x00\x07\x1b[2J", "a\r\nSubject: forged\r\n", "\ud800", "\u202e\u2066abc", "<!here>", "`x`"),
    *("x" * 99, "x" * 100, "é" * 120, "\U0001f600" * 500, "long " * 60_000, "\\" * 90_000, "\n".join("y" * 9_000)),
)


@dataclass
class Desk:
    """SNS as it is documented: what it does not take, it refuses. `refuses` says so of any other text, with a code."""

    refuses: Any = lambda text: ""
    taken: list[dict[str, Any]] = field(default_factory=list)
    tried: int = 0
    meta: Any = field(default_factory=lambda: SimpleNamespace(region_name="eu-west-1"))

    def publish(self, **message: Any) -> None:
        self.tried += 1
        said, subject = message["Message"], message["Subject"]
        attributes = {name: one["StringValue"] for name, one in message["MessageAttributes"].items()}
        size = len(said.encode()) + sum(len(name + value) for name, value in attributes.items())
        good = subject.isascii() and subject.isprintable() and 0 < len(subject) < 100 and subject[0] != " "
        code = "" if good and said and size <= 262_144 and all(attributes.values()) else "InvalidParameter"
        if code := code or self.refuses(said):
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Publish")
        self.taken.append(message)

    def put_events(self, **_: Any) -> dict[str, Any]:
        return {"FailedEntryCount": 0, "Entries": []}


def publisher(desk: Desk, form: Literal["text", "chat"] = "text") -> Publisher:
    return Publisher(cast("Any", desk), cast("Any", desk), topic_arn="arn", form=form)


def notification(number: int = 0, /, **words: str) -> Notification:
    members = tuple(Member(words.get("member", "a rule"), None, words.get("why", "")) for _ in range(3))
    told = words.get("title", "security_group/web ingress"), words.get("sentence", "It is open.")
    alert = Alert(f"{number:016}", "d", "", Topic.DRIFT, Severity.HIGH, *told, members, aws_id=words.get("id", ""))
    return Notification(Status.FIRING, alert.fingerprint, alert.severity, alert.title, alert)


def all_of(*some: Notification) -> Notifications:
    return Notifications(some, {}, {})


PLACES = ("title", "sentence", "member", "why", "id")


@pytest.mark.parametrize("form", ["text", "chat"])
@pytest.mark.parametrize("part", sampled(range(len(ODD)), 8, seed="words"))
def test_of_every_alert_one_message_arrives_whatever_its_words_are(part: int, form: Literal["text", "chat"]) -> None:
    mixed = {name: Random(f"{part} {name}").choice(ODD) for name in PLACES}
    for words in [*({name: ODD[part]} for name in PLACES), dict.fromkeys(PLACES, ODD[part]), mixed]:
        desk = Desk()
        assert publisher(desk, form).send(all_of(notification(**words)), completed()) == Sent()
        assert (len(desk.taken), desk.tried) == (1, 1), words.keys()
        if form == "chat":
            json.loads(desk.taken[0]["Message"])


@pytest.mark.parametrize("where", ["document", "run_id", "account", "region", "invoke", "approved_by", "receipt"])
def test_where_it_comes_from_may_be_odd_too(where: str) -> None:
    for odd in ODD:
        desk = Desk()
        changed: dict[str, Any] = {where: odd}
        here = replace(HERE, **changed)
        assert publisher(desk).publish(notification(), here), odd[:20]
        assert desk.tried == 1


def test_a_message_whose_words_sns_does_not_take_is_sent_in_the_plainest_ones() -> None:
    desk = Desk(lambda text: "InvalidParameter" if "could not be written as it should be" not in text else "")
    one = notification()
    assert one.alert
    members = tuple(each._replace(outcome=Outcome.CORRECTED) for each in one.alert.members)
    assert publisher(desk).send(all_of(replace(one, alert=replace(one.alert, members=members))), completed()) == Sent()
    (told,) = desk.taken
    assert "security_group/web ingress" in told["Message"]
    assert "  - a rule (corrected)" in told["Message"]
    assert "SNS did not take the words that it had" in told["Message"]


def test_messages_that_sns_never_takes_are_lost_by_name_and_keep_no_other_one_back() -> None:
    desk = Desk(lambda text: "InvalidParameter" if "cursed" in text else "")
    some = [notification(number, title=f"cursed {number}" if number < 3 else "well") for number in range(5)]
    sent = publisher(desk).send(all_of(*some), completed())
    assert (set(sent.lost), sent.messages) == ({one.fingerprint for one in some[:3]}, 3)
    assert len(desk.taken) == 2


def test_a_topic_that_is_away_is_left_alone_after_two_tries() -> None:
    desk = Desk(lambda text: "NotFound")
    some = [notification(number) for number in range(5)]
    sent = publisher(desk).send(all_of(*some), completed())
    assert (len(sent.lost), sent.messages, desk.tried) == (5, 5, 2)


def test_what_our_own_client_refuses_is_sent_in_the_plainest_words(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, take = Desk(), Desk.publish

    def strict(self: Desk, **message: Any) -> None:
        if "could not be written" not in message["Message"]:
            raise ParamValidationError(report="no")
        take(self, **message)

    monkeypatch.setattr(Desk, "publish", strict)
    assert publisher(desk).send(all_of(notification()), completed()) == Sent()
    assert len(desk.taken) == 1


@pytest.mark.parametrize(("slow", "asked"), [(0, 1), (20, 2), (61, 5)])
def test_before_each_message_it_is_certain_that_no_other_run_tells_it(slow: int, asked: int) -> None:
    """The lease is renewed when asked, for longer than the answer holds."""
    clock = [NOW]
    asks: list[int] = []

    def ours() -> bool:
        asks.append(len(desk.taken))
        return True

    def passes(text: str) -> str:
        clock[0] += timedelta(seconds=slow)
        return ""

    desk = Desk(passes)
    some = [notification(number) for number in range(5)]
    assert publisher(desk).send(all_of(*some), completed(), _StillOurs(ours, lambda: clock[0])) == Sent()
    assert (len(asks), len(desk.taken)) == (asked, 5)


def test_once_another_run_has_the_lease_it_tells_the_rest() -> None:
    clock, desk = [NOW], Desk()

    def passes(text: str) -> str:
        clock[0] += ASK_AGAIN
        return ""

    desk.refuses = passes
    some = [notification(number) for number in range(5)]
    sent = publisher(desk).send(
        all_of(*some), completed(), _StillOurs(lambda: clock[0] < NOW + 2 * ASK_AGAIN, lambda: clock[0])
    )
    assert (len(desk.taken), sent.messages, set(sent.lost)) == (2, 0, {one.fingerprint for one in some[2:]})
