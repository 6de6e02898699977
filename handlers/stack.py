"""One deployed stack, as its functions work with it: the composition root of the Lambda doors.

A warm function keeps its `Stack`, and with it the clients: making them costs more than a calm run.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from desired_state.sanitize import sanitize
from desired_state.sources import Documents
from handlers import IN_LAMBDA
from handlers.queue import Queue
from handlers.settings import Deployment, SettingsError, deployment, settings
from handlers.triggers import Here
from handlers.wiring import version
from reconciler.attempt.keep import Dependencies, Unreachable
from reconciler.aws.client import Aws
from reconciler.cloudtrail.record import is_own
from reconciler.ledger.lease import Ledger
from reconciler.model import Policy
from reconciler.notify.publisher import Publisher

if TYPE_CHECKING:
    from desired_state.document import Document

SESSION_NAME = "setpoint-worker"
"""What the sessions in other accounts are called; CloudTrail shows it, and our own calls are known again by it."""
ASSUMED_FOR = timedelta(hours=1)
STALE_BEFORE = timedelta(minutes=20)
"""Borrowed credentials are renewed when they have less left than this: longer than any run takes."""
ACCOUNTS = 8
"""Accounts whose clients are kept: a function with 512 MB holds no more of them in comfort."""
_PATIENCE = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)
"""These services answer in tenths of a second, and what ends a run has to fit into the time that is kept for it."""


@dataclass(frozen=True)
class Invocation:
    """One invocation: its name, and how many seconds it has left."""

    run_id: str
    seconds_left: Callable[[], float]


class Stack:
    """The functions' means in one account and region. `session` is the function's own, `function` its name: all
    functions of a stack are called `<stack>-<door>`.
    """

    def __init__(  # noqa: PLR0913 (what a deployment consists of)
        self,
        session: boto3.Session,
        deployment: Deployment,
        policy: Policy,
        *,
        account: str,
        region: str,
        function: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.deployment, self.account, self.region = deployment, account, region
        self._session, self._policy, self._now, self._sleep = session, policy, now, sleep
        self._clients: dict[str, Any] = {}
        self._reached: dict[str, tuple[Aws, datetime]] = {}
        self._stem = function.rpartition("-")[0]
        self._roles = {arn.split(":")[4]: arn for arn in deployment.role_arns}
        self.here = Here(
            account=account,
            region=region,
            bucket=deployment.bucket,
            prefix=deployment.prefix,
            own_roles=frozenset((*deployment.own_roles, *deployment.role_arns)),
            own_sessions=frozenset({f"{self._stem}-worker", f"{self._stem}-invoke", SESSION_NAME}),
            accounts=frozenset({account, *self._roles}),
        )

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self._client("dynamodb"), self.deployment.table, now=self._now)

    @cached_property
    def documents(self) -> Documents:
        return Documents(self._client("s3"), self.deployment.bucket, self.deployment.prefix)

    @cached_property
    def queue(self) -> Queue:
        return Queue(self._client("sqs"), self.deployment.queue_url)

    @cached_property
    def publisher(self) -> Publisher:
        return Publisher(
            self._client("sns"),
            self._client("events"),
            topic_arn=self.deployment.topic_arn,
            bus=self.deployment.event_bus,
            form=self.deployment.alert_form,
            invoke=f"{self._stem}-invoke",
        )

    def open(self) -> None:
        """Make the clients of a calm run, which are otherwise made when they are first needed."""
        _ = self.ledger, self.documents, self.queue, self.publisher
        self._own.open("ec2", "rds")

    def dependencies(self, invocation: Invocation) -> Dependencies:
        """What `keep` works with in one invocation."""
        return Dependencies(
            ledger=self.ledger,
            documents=self.documents,
            publisher=self.publisher,
            aws_for=self.aws_for,
            scope_problem=self.scope_problem,
            is_own_call=lambda record: is_own(record, self.here.own_roles, self.here.own_sessions),
            policy=self._policy,
            repeat=timedelta(hours=self.deployment.alert_repeat_hours),
            run_id=invocation.run_id,
            now=self._now,
            sleep=self._sleep,
            seconds_left=invocation.seconds_left,
            reserve=self.deployment.reserve_seconds,
        )

    def scope_problem(self, document: Document) -> str:
        """Why this deployment does not look after the place a document is for; empty if it does."""
        scope = document.scope
        if scope.region != self.region:
            hint = f"upload it to the deployment in {scope.region}, or correct scope.region"
            return f"scope.region: it is for {scope.region}, and this deployment is in {self.region}: {hint}"
        if scope.account_id not in self.here.accounts:
            hint = "name a role there in the stack's parameter TargetRoleArns, or correct scope.account_id"
            return f"scope.account_id: this deployment does not reach account {scope.account_id}: {hint}"
        return ""

    def aws_for(self, document: Document) -> Aws:
        """The account of a document that this deployment reaches. Raises `Unreachable`."""
        account = document.scope.account_id
        if account == self.account:
            return self._own
        aws, until = self._reached.pop(account, (None, self._now()))
        if aws is None or until - self._now() < STALE_BEFORE:
            session, until = self._assume(self._roles[account])
            aws = self._aws(session)
        while len(self._reached) >= ACCOUNTS:
            del self._reached[next(iter(self._reached))]  # the one that was not asked for the longest
        self._reached[account] = (aws, until)
        return aws

    @cached_property
    def _own(self) -> Aws:
        return self._aws(self._session)

    def _aws(self, session: boto3.Session) -> Aws:
        return Aws(session, self.region, version=version(), sleep=self._sleep)

    def _assume(self, role: str) -> tuple[boto3.Session, datetime]:
        """A session in another account, by the role that the deployment names for it, and when it ends."""
        how: dict[str, Any] = {"ExternalId": self.deployment.external_id} if self.deployment.external_id else {}
        try:
            answer = self._client("sts").assume_role(
                RoleArn=role, RoleSessionName=SESSION_NAME, DurationSeconds=int(ASSUMED_FOR.total_seconds()), **how
            )
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            hint = "its trust policy must name this stack's roles and its external id"
            raise Unreachable(f"{role} cannot be assumed: {sanitize(str(error))}; {hint}") from error
        given = answer["Credentials"]
        session = boto3.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            region_name=self.region,
        )
        return session, given["Expiration"]

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(
                service,  # type: ignore[call-overload]
                region_name=self.region,
                config=_PATIENCE,
            )
        return self._clients[service]


@cache
def warm() -> Stack:
    """The stack that this function is part of, made once in the life of a warm function. Raises `SettingsError`."""
    found, region = deployment(os.environ), os.environ["AWS_REGION"]
    return Stack(
        boto3.Session(region_name=region),
        found,
        settings(os.environ),
        account=found.own_roles[0].split(":")[4],
        region=region,
        function=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
    )


def ready() -> None:
    """Makes, while Lambda starts a function, what its first event would have to wait for; elsewhere nothing.

    Starting has a whole processor, an event only the share that goes with the memory. Nothing that is made by then goes
    away again, so the garbage collector, which `handlers/__init__.py` has stopped, need not look at it ever after.
    """
    if IN_LAMBDA:
        with suppress(SettingsError):  # whoever calls the function is told, in the form that the door answers in
            warm().open()
        gc.freeze()
        gc.enable()
