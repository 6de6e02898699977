"""How the functions get to the accounts they look after: by one role each, renewed in time, refused without harm."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from desired_state.document import Document
from handlers import stack as stack_of
from handlers.settings import Deployment, SettingsError
from handlers.stack import ACCOUNTS, Stack, ready, warm
from lab.strict_aws import ACCOUNT, REGION
from reconciler.attempt.keep import Unreachable
from reconciler.ledger.lease import TERM
from reconciler.model import Policy
from tests.support.doors import Doors, deployed, object_event
from tests.support.runs import Clock, document

THERE = "111122223333"
ROLE = f"arn:aws:iam::{THERE}:role/setpoint-target"
MANY = tuple(f"arn:aws:iam::2000000000{index:02}:role/setpoint-target" for index in range(ACCOUNTS + 2))


@pytest.fixture(scope="module")
def _far() -> Iterator[Doors]:
    with deployed(role_arns=(ROLE,), external_id="8f14e45f") as stage:
        yield stage


@pytest.fixture
def far(_far: Doors, also_heard: Callable[[str], None]) -> Iterator[Doors]:
    """A stack that may enter another account, before it has looked after anything."""
    _far.lab.faults.clear()
    _far.lab.calls.clear()
    _far._answered = 0
    yield _far
    for told in (*_far.alerts(), *_far.events()):
        also_heard(json.dumps(told))


def stack(far: Doors, clock: Clock | None = None, **changed: Any) -> Stack:
    now = (clock or Clock(datetime.now(UTC))).now  # the emulator's STS goes by the real clock
    deployment = Deployment.model_validate(far.deployment.model_dump() | changed)
    how = {"account": ACCOUNT, "region": REGION, "function": "setpoint-worker"}
    return Stack(far.session, deployment, Policy(), **how, now=now, sleep=far.clock.sleep)


def of(account: str, region: str = REGION) -> Document:
    return document(lambda written: placed(written, account, region))


def placed(written: dict[str, Any], account: str, region: str, name: str = "far") -> None:
    """Make it a document for another place, with nothing but the VPC."""
    written.update(name=name, scope={"account_id": account, "region": region})
    written["resources"] = {"vpc": written["resources"]["vpc"]}
    del written["intents"], written["workloads"]


def assumed(far: Doors) -> list[dict[str, Any]]:
    return [one.params for one in far.lab.calls if one.operation == "AssumeRole"]


def test_another_account_is_entered_by_its_role_with_the_session_name_and_the_external_id(far: Doors) -> None:
    aws = stack(far).aws_for(of(THERE))
    assert assumed(far) == [
        {"RoleArn": ROLE, "RoleSessionName": "setpoint-worker", "DurationSeconds": 3600, "ExternalId": "8f14e45f"}
    ]
    who = aws._session.client("sts").get_caller_identity()
    assert who["Account"] == THERE
    assert who["Arn"] == f"arn:aws:sts::{THERE}:assumed-role/setpoint-target/setpoint-worker"
    assert aws.region == REGION


def test_without_an_external_id_none_is_given(far: Doors) -> None:
    stack(far, external_id="").aws_for(of(THERE))
    assert [one.keys() for one in assumed(far)] == [{"RoleArn", "RoleSessionName", "DurationSeconds"}]


def test_our_own_account_takes_no_role_even_where_one_is_named(far: Doors) -> None:
    one = stack(far, role_arns=(f"arn:aws:iam::{ACCOUNT}:role/other",))
    assert one.aws_for(of(ACCOUNT))._session is far.session
    assert assumed(far) == []


def test_borrowed_credentials_are_kept_and_renewed_before_they_end(far: Doors) -> None:
    clock = Clock(datetime.now(UTC))
    one = stack(far, clock)
    first = one.aws_for(of(THERE))
    clock.sleep(timedelta(minutes=39).total_seconds())
    assert one.aws_for(of(THERE)) is first
    assert len(assumed(far)) == 1
    clock.sleep(timedelta(minutes=2).total_seconds())
    assert one.aws_for(of(THERE)) is not first
    assert len(assumed(far)) == 2


def test_no_more_accounts_are_kept_than_a_function_has_room_for(far: Doors) -> None:
    one = stack(far, role_arns=MANY)
    accounts = [arn.split(":")[4] for arn in MANY]
    for account in accounts[:ACCOUNTS]:
        one.aws_for(of(account))
    one.aws_for(of(accounts[0]))  # asked for last, so it stays
    for account in accounts[ACCOUNTS:]:
        one.aws_for(of(account))
    assert list(one._assumed) == [*accounts[3:ACCOUNTS], accounts[0], *accounts[ACCOUNTS:]]
    assert len(assumed(far)) == ACCOUNTS + 2
    one.aws_for(of(accounts[1]))
    assert (len(assumed(far)), len(one._assumed)) == (ACCOUNTS + 3, ACCOUNTS)


def test_a_role_that_is_refused_is_told_with_its_mend_and_asked_for_again_the_next_time(far: Doors) -> None:
    one = stack(far)
    far.lab.faults.refuse("AssumeRole", code="AccessDenied", times=1)
    with pytest.raises(Unreachable, match=r"setpoint-target cannot be assumed: .*AccessDenied.*its trust policy"):
        one.aws_for(of(THERE))
    assert one.aws_for(of(THERE)).region == REGION


@pytest.mark.parametrize(
    ("account", "region", "told"),
    [
        (ACCOUNT, REGION, ""),
        (THERE, REGION, ""),
        (
            ACCOUNT,
            "us-east-1",
            "scope.region: the document is for us-east-1, this deployment is in ap-northeast-2",
        ),
        (THERE, "us-east-1", "scope.region: the document is for us-east-1"),
        ("444455556666", REGION, "scope.account_id: this deployment has no role in account 444455556666; add a role"),
    ],
)
def test_a_place_that_is_none_of_ours_is_told_with_its_mend(far: Doors, account: str, region: str, told: str) -> None:
    problem = stack(far).scope_problem(of(account, region))
    assert problem.startswith(told)
    assert bool(problem) is bool(told)
    assert assumed(far) == []


def test_a_document_whose_role_is_refused_is_blind_and_told_once_until_it_can_be_entered(far: Doors) -> None:
    far.upload(lambda written: placed(written, THERE, REGION), name="far")
    far.lab.faults.refuse("AssumeRole", code="AccessDenied")
    for _ in range(3):
        assert far.work(object_event(name="far")) == ()
        far.clock.sleep(120)
    (alert,) = far.others()
    assert "could not be read" in alert["Subject"]
    assert ROLE in alert["Message"]
    assert far.writes() == []
    assert [delay for _, delay in far.sent()] == [60, 60, 60]
    far.lab.faults.clear()
    answer = far.invoke(document="far")
    assert (answer["ending"], answer["report"]["account"]) == ("completed", THERE)
    assert [one.service for one in far.lab.calls if one.service in {"ec2", "rds"}] == []  # all of it was there


@pytest.mark.parametrize(("account", "region"), [("444455556666", REGION), (ACCOUNT, "us-east-1")])
def test_a_document_for_a_place_that_is_none_of_ours_is_refused_and_nothing_is_looked_at(
    far: Doors, account: str, region: str
) -> None:
    name = f"lost-{region}"
    far.upload(lambda written: placed(written, account, region, name), name=name)
    assert far.work(object_event(name=name)) == ()
    (alert,) = far.alerts()
    assert "the document is refused" in alert["Subject"]
    assert far.invoke(document=name)["ending"] == "refused"
    assert [one for one in far.lab.calls if one.service in {"ec2", "rds", "sts"}] == []


@pytest.mark.parametrize("service", ["dynamodb", "events", "s3", "sns", "sqs", "sts"])
def test_no_call_that_nobody_answers_outlasts_the_time_kept_for_the_end_or_the_lease(far: Doors, service: str) -> None:
    config = stack(far)._client(service).meta.config
    longest = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
    assert longest <= far.deployment.reserve_seconds
    assert longest <= TERM.total_seconds() / 4


@pytest.fixture
def environment(far: Doors, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    given = {"BUCKET": "documents-of-ours", "TABLE": "ledger", "QUEUE_URL": "https://queue", "ROLE_ARNS": ROLE}
    given["OWN_ROLES"] = f"arn:aws:iam::{THERE}:role/net-keeper-worker"
    for name, value in given.items():
        monkeypatch.setenv(f"SETPOINT_{name}", value)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "net-keeper-worker")
    warm.cache_clear()
    yield monkeypatch
    warm.cache_clear()


def test_a_warm_function_knows_where_it_is_by_its_environment(environment: pytest.MonkeyPatch) -> None:
    one = warm()
    assert (one.account, one.region) == (THERE, "eu-west-1")
    assert one.here.own_sessions == {"net-keeper-worker", "net-keeper-invoke", "setpoint-worker"}
    assert one.here.own_roles == {ROLE, f"arn:aws:iam::{THERE}:role/net-keeper-worker"}
    assert one.deployment.bucket == "documents-of-ours"
    assert warm() is one
    assert one._client("s3") is one._client("s3")


def test_settings_that_cannot_be_used_are_told_each_time_and_once_mended_they_serve(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("SETPOINT_QUEUE_URL", "queue")
    for _ in range(2):
        with pytest.raises(SettingsError, match="SETPOINT_QUEUE_URL: 'queue' is not valid; write the URL"):
            warm()
    environment.setenv("SETPOINT_QUEUE_URL", "https://queue")
    assert warm().deployment.queue_url == "https://queue"


@pytest.fixture
def starting(environment: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As in a process that Lambda starts, where `handlers/__init__.py` has stopped the garbage collector."""
    environment.setattr(stack_of, "IN_LAMBDA", True)
    gc.disable()
    yield environment
    gc.enable()
    gc.unfreeze()


def test_a_function_has_its_clients_before_its_first_event(starting: pytest.MonkeyPatch) -> None:
    ready()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert warm()._clients.keys() == {"dynamodb", "events", "s3", "sns", "sqs"}
    assert {service for service, _ in warm()._own._clients} == {"ec2", "rds"}


def test_a_setting_that_cannot_be_used_is_no_reason_not_to_start(starting: pytest.MonkeyPatch) -> None:
    starting.setenv("SETPOINT_QUEUE_URL", "queue")
    ready()
    assert gc.isenabled()
    with pytest.raises(SettingsError):
        warm()


def test_elsewhere_nothing_is_made_before_it_is_needed(environment: pytest.MonkeyPatch) -> None:
    ready()
    assert warm.cache_info().currsize == 0


def test_a_function_that_only_answers_applies_nothing_and_enters_other_accounts_to_read(far: Doors) -> None:
    one = stack(far, questions_only=True)
    far.upload()
    far.lab.calls.clear()
    asked = far.invoke(one, mode="plan")
    assert asked["ending"] == "completed"
    for payload in ({"mode": "apply"}, {"mode": "apply", "approve": "0" * 16}):
        told = far.invoke(one, **payload)
        assert (told["ending"], told["report"]) == ("refused", None)
        assert told["problem"].startswith("mode: this function only answers questions; invoke ")
    assert far.writes() == []
    one.aws_for(of(THERE))
    (params,) = assumed(far)
    allowed = json.loads(params["Policy"])["Statement"]
    assert [part["Effect"] for part in allowed] == ["Allow"]
    verbs = {action.partition(":")[2] for part in allowed for action in part["Action"]}
    assert all(verb.startswith(("Describe", "List", "Lookup")) for verb in verbs)
    stack(far).aws_for(of(THERE))
    assert "Policy" not in assumed(far)[-1]
