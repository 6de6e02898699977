"""One deployed stack, as its functions work with it: the composition root of the Lambda doors.

A warm function keeps its `Stack`, and with it the clients: making them costs more than a calm run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from desired_state.load import inert
from desired_state.sources import Documents
from handlers.queue import Queue
from handlers.settings import Deployment, Settings, deployment, settings
from handlers.triggers import Here
from handlers.wiring import version
from reconciler.alerts import Alerts
from reconciler.aws import Aws
from reconciler.cloudtrail import is_own
from reconciler.keep import Means, Unreachable
from reconciler.ledger import Ledger

if TYPE_CHECKING:
    from desired_state.document import Document

SESSION_NAME = "setpoint-worker"
"""What the sessions in other accounts are called; CloudTrail shows it, and our own calls are known again by it."""
ASSUMED_FOR = timedelta(hours=1)
STALE_BEFORE = timedelta(minutes=20)
"""Borrowed credentials are renewed when they have less left than this: longer than any run takes."""
ACCOUNTS = 8
"""Accounts whose clients are kept: a function with 512 MB holds no more of them in comfort."""
_PATIENCE = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=3, read_timeout=10)


class Stack:
    """The functions' means in one account and region. `session` is the function's own, `function` its name: all
    functions of a stack are called `<stack>-<door>`.
    """

    def __init__(
        self,
        session: boto3.Session,
        deployment: Deployment,
        settings: Settings,
        *,
        account: str,
        region: str,
        function: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.deployment, self.account, self.region = deployment, account, region
        self._session, self._settings, self._now, self._sleep = session, settings, now, sleep
        self._clients: dict[str, Any] = {}
        self._reached: dict[str, tuple[Aws, datetime | None]] = {}
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
    def alerts(self) -> Alerts:
        return Alerts(
            self._client("sns"),
            self._client("events"),
            topic_arn=self.deployment.topic_arn,
            bus=self.deployment.event_bus,
            form=self.deployment.alert_form,
            invoke=f"{self._stem}-invoke",
        )

    def means(self, run_id: str, seconds_left: Callable[[], float]) -> Means:
        """What `keep` works with in one invocation, which has `seconds_left`."""
        return Means(
            ledger=self.ledger,
            documents=self.documents,
            alerts=self.alerts,
            reach=self.reach,
            reaches=self.reaches,
            ours=lambda record: is_own(record, self.here.own_roles, self.here.own_sessions),
            policy=self._settings.policy(),
            repeat=timedelta(hours=self.deployment.alert_repeat_hours),
            run_id=run_id,
            now=self._now,
            sleep=self._sleep,
            seconds_left=seconds_left,
            reserve=self.deployment.reserve_seconds,
        )

    def reaches(self, document: Document) -> str:
        """Why this deployment does not look after the place a document is for; empty if it does."""
        scope = document.scope
        if scope.region != self.region:
            mend = f"upload it to the deployment in {scope.region}, or correct scope.region"
            return f"scope.region: it is for {scope.region}, and this deployment is in {self.region}: {mend}"
        if scope.account_id not in self.here.accounts:
            mend = "name a role there in the stack's parameter TargetRoleArns, or correct scope.account_id"
            return f"scope.account_id: this deployment does not reach account {scope.account_id}: {mend}"
        return ""

    def reach(self, document: Document) -> Aws:
        """The account of a document that this deployment reaches. Raises `Unreachable`."""
        account = document.scope.account_id
        aws, until = self._reached.pop(account, (None, None))
        if aws is None or (until is not None and until - self._now() < STALE_BEFORE):
            session, until = (self._session, None) if account == self.account else self._assume(self._roles[account])
            aws = Aws(session, self.region, version=version(), sleep=self._sleep)
        while len(self._reached) >= ACCOUNTS:
            del self._reached[next(iter(self._reached))]  # the one that was not asked for the longest
        self._reached[account] = (aws, until)
        return aws

    def _assume(self, role: str) -> tuple[boto3.Session, datetime]:
        """A session in another account, by the role that the deployment names for it, and when it ends."""
        how: dict[str, Any] = {"ExternalId": self.deployment.external_id} if self.deployment.external_id else {}
        try:
            answer = self._client("sts").assume_role(
                RoleArn=role, RoleSessionName=SESSION_NAME, DurationSeconds=int(ASSUMED_FOR.total_seconds()), **how
            )
        except (ClientError, BotoCoreError) as error:
            mend = "its trust policy must name this stack's roles and its external id"
            raise Unreachable(f"{role} cannot be assumed: {inert(str(error))}; {mend}") from error
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
def warm(function_arn: str) -> Stack:
    """The stack of the function that Lambda calls by this ARN, made once in the life of a warm function.

    Raises `SettingsError`.
    """
    _, _, _, region, account, _, function = function_arn.split(":")[:7]
    return Stack(
        boto3.Session(region_name=region),
        deployment(os.environ),
        settings(os.environ),
        account=account,
        region=region,
        function=function,
    )
