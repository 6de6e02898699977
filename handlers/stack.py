"""One deployed stack: the composition root of the Lambda functions.

A warm function keeps its `Stack` and its clients: creating clients costs more than a run in sync.
"""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable, Mapping
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
from handlers.bindings import binding_problem
from handlers.queue import Queue
from handlers.settings import Deployment, SettingsError, deployment, rate_of, settings
from handlers.triggers import Here
from handlers.wiring import version
from reconciler.attempt.keep import Dependencies, Unreachable
from reconciler.aws.client import Aws
from reconciler.aws.item_memo import ItemMemo
from reconciler.cloudtrail.record import is_own
from reconciler.ledger.lease import Ledger
from reconciler.model import Policy
from reconciler.notify.publisher import Publisher

if TYPE_CHECKING:
    from desired_state.document import Document
    from handlers.fleet_sources import Sources

SESSION_NAME = "setpoint-worker"
"""The name of the sessions in other accounts. CloudTrail shows it, and Setpoint recognizes its own calls by it."""
ASSUMED_FOR = timedelta(hours=1)
STALE_BEFORE = timedelta(minutes=20)
"""Assumed credentials with less time left than this are renewed: it is longer than any run takes."""
READ_ONLY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["ec2:Describe*", "rds:Describe*", "rds:ListTagsForResource", "cloudtrail:LookupEvents"],
                "Resource": "*",
            }
        ],
    }
)
"""The session policy of a function that only answers: a session may do what both its role and this allow (STS API
reference, AssumeRole).
"""
ACCOUNTS = 8
"""Accounts whose clients are cached: about what 512 MB can hold."""
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)
"""These services answer in tenths of a second, and the end of a run has to fit into its reserve of time."""


@dataclass(frozen=True)
class Invocation:
    """One invocation: the id of its run, and how many seconds it has left."""

    run_id: str
    seconds_left: Callable[[], float]


class Stack:
    """What the functions of one stack work with. `session` is the function's own, `function` its name, which is
    `<stack>-worker`, `<stack>-sweep` or `<stack>-invoke`.
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
        self._assumed: dict[str, tuple[Aws, datetime]] = {}
        self._memo = ItemMemo() if deployment.item_memo else None
        self._stem = function.rpartition("-")[0]
        self.told: dict[str, datetime] = {}
        """What the sweep told people, and when: a cold start forgets it, so a message may come twice, never not."""
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

    @property
    def invoke_name(self) -> str:
        """The name of the function `invoke`, for the commands in messages."""
        return f"{self._stem}-invoke"

    @property
    def name(self) -> str:
        """The name of the stack."""
        return self._stem

    @property
    def rate(self) -> timedelta | None:
        """How often every document is looked at; None if the deployment does not say so."""
        return rate_of(self.deployment.rate)

    @property
    def fleet_sources(self) -> Sources:
        """What the fleet is read from."""
        from handlers.fleet_sources import Sources, quick
        from reconciler.history.store import Receipts

        bucket = self.deployment.receipts
        listing = quick(self._session.client("s3", region_name=self.region, config=_CONFIG)) if bucket else None
        return Sources(self.ledger, self.documents, Receipts(listing, bucket) if listing else None)

    def now(self) -> datetime:
        """The stack's clock."""
        return self._now()

    @cached_property
    def publisher(self) -> Publisher:
        return Publisher(
            self._client("sns"),
            self._client("events"),
            topic_arn=self.deployment.topic_arn,
            bus=self.deployment.event_bus,
            form=self.deployment.alert_form,
            invoke=self.invoke_name,
        )

    def open(self) -> None:
        """Create the clients of a run in sync now, instead of when they are first needed."""
        _ = self.ledger, self.documents, self.queue, self.publisher
        self._own.open("ec2", "rds")

    def dependencies(self, invocation: Invocation) -> Dependencies:
        """What `keep` works with in one invocation."""
        return Dependencies(
            ledger=self.ledger,
            documents=self.documents,
            publisher=self.publisher,
            aws_for=lambda document: self._bounded(document, invocation),
            scope_problem=self.scope_problem,
            vpc_problem=self.vpc_problem,
            is_own_call=lambda record: is_own(record, self.here.own_roles, self.here.own_sessions),
            policy=self._policy,
            repeat=timedelta(hours=self.deployment.alert_repeat_hours),
            run_id=invocation.run_id,
            now=self._now,
            sleep=self._sleep,
            seconds_left=invocation.seconds_left,
            reserve=self.deployment.reserve_seconds,
            stale=timedelta(seconds=self.deployment.stale_seconds),
            put_receipt=self._put_receipt if self.deployment.receipts else None,
        )

    def _put_receipt(self, key: str, receipt: Mapping[str, Any]) -> str:
        from reconciler.history.store import Receipts

        return Receipts(self._client("s3"), self.deployment.receipts).put(key, receipt)

    def scope_problem(self, document: Document) -> str:
        """Why this deployment does not manage a document's account, region and VPC; empty if it does."""
        scope = document.scope
        if scope.region != self.region:
            hint = f"upload it to the deployment in {scope.region}, or correct scope.region"
            return f"scope.region: the document is for {scope.region}, this deployment is in {self.region}; {hint}"
        if scope.account_id not in self.here.accounts:
            hint = "add a role in it to the stack's parameter TargetRoleArns, or correct scope.account_id"
            return f"scope.account_id: this deployment has no role in account {scope.account_id}; {hint}"
        return binding_problem(self.deployment.bindings, document.name, scope.account_id, scope.vpc_id)

    def vpc_problem(self, document: Document, vpc_id: str) -> str:
        """Why a document may not be for the VPC that it was found to be for (empty: one that it would create)."""
        return binding_problem(self.deployment.bindings, document.name, document.scope.account_id, vpc_id)

    def aws_for(self, document: Document) -> Aws:
        """The AWS of a document's account. Raises `Unreachable`."""
        account = document.scope.account_id
        if account == self.account:
            return self._own
        aws, until = self._assumed.pop(account, (None, self._now()))
        if aws is None or until - self._now() < STALE_BEFORE:
            session, until = self._assume(self._roles[account])
            aws = self._aws(session)
        while len(self._assumed) >= ACCOUNTS:
            del self._assumed[next(iter(self._assumed))]  # the least recently used
        self._assumed[account] = (aws, until)
        return aws

    def _bounded(self, document: Document, invocation: Invocation) -> Aws:
        """The AWS of a document's account, whose reads end before the invocation does. Raises `Unreachable`."""
        aws = self.aws_for(document)
        aws.seconds_left = invocation.seconds_left
        return aws

    @cached_property
    def _own(self) -> Aws:
        return self._aws(self._session)

    def _aws(self, session: boto3.Session) -> Aws:
        return Aws(session, self.region, version=version(), memo=self._memo, sleep=self._sleep)

    def _assume(self, role: str) -> tuple[boto3.Session, datetime]:
        """A session with the role in another account, and when it expires."""
        external: dict[str, Any] = {"ExternalId": self.deployment.external_id} if self.deployment.external_id else {}
        if self.deployment.questions_only:
            external["Policy"] = READ_ONLY
        try:
            answer = self._client("sts").assume_role(
                RoleArn=role, RoleSessionName=SESSION_NAME, DurationSeconds=int(ASSUMED_FOR.total_seconds()), **external
            )
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            hint = "check that its trust policy names this stack's roles and external id"
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
                config=_CONFIG,
            )
        return self._clients[service]


@cache
def warm() -> Stack:
    """The stack of this function, created once per execution environment. Raises `SettingsError`."""
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
    """Creates during Lambda's init phase what the first event would wait for; elsewhere it does nothing.

    The init phase has a whole processor, an event only the share of its memory. What exists by then lives as long as
    the process, so the garbage collector, which `handlers/__init__.py` disabled, never has to look at it.
    """
    if IN_LAMBDA:
        with suppress(SettingsError):  # the first invocation reports it
            warm().open()
        gc.freeze()
        gc.enable()
