"""Sessions whose calls are answered by the strict laboratory instead of AWS.

`laboratory()` starts moto in this process and yields a StrictAws. botocore's before-call event passes each call here
before anything is sent. Faults come first, then what answers the operation (operations.py), then paging.

Facts encoded: DryRun answers DryRunOperation or UnauthorizedOperation and changes nothing (EC2 API reference, common
parameters); that it validates the request is not documented, so here it does not. Refusals are answered before
botocore's retry handler: the caller meets every throttle once, without waiting.
"""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from moto import mock_aws

from lab import (
    arrivals,
    owners,
    paging,
    rds_controls,
    strict_groups,
    strict_nat,
    strict_propagation,
    strict_tags,
    world,
)
from lab.faults import Fault, Faults
from lab.live import Answer, Live, Meanwhile, Params, without
from lab.operations import STRICT, act_for
from lab.patched_moto import patched_moto
from lab.refusal import Refusal, metadata
from lab.sessions import fake_session
from lab.trail import Trail
from lab.world import World

if TYPE_CHECKING:
    import boto3

ACCOUNT = "123456789012"
REGION = "ap-northeast-2"
_READS = ("Describe", "List", "Get", "Lookup", "Scan", "Query")
_FAKE_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
}
_NO_SUCH_ENVIRONMENT = (
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


class Used(NamedTuple):
    """A call of any session() of this process, and the names of its parameters."""

    service: str
    operation: str
    params: frozenset[str]


used: set[Used] = set()
"""The calls of every session() since this process started, successful or not, without those of outsider()."""


@dataclass(frozen=True)
class Call:
    """One API call of session(). `error` is its error code, None if it succeeded."""

    service: str
    operation: str
    params: Params
    kind: Literal["read", "write"]
    error: str | None


class _Status(NamedTuple):
    status_code: int


class _Nameless:
    """What botocore says of itself with every call takes a twentieth of a run, and nobody hears it: nothing is sent."""

    def to_string(self) -> str:
        return "laboratory"


class StrictAws(rds_controls.RdsControls):
    """One emulated account and Region. Calls may come from several threads; one at a time enters moto.

    `calls` has every call of session() in order. `before_call` is called before each of them with the session's name,
    the service and the operation, `after_write` after each write that was applied; both outside the lock, so that they
    may wait, or make calls from other threads.
    """

    def __init__(self, region: str = REGION) -> None:
        self.region = region
        self.account = ACCOUNT
        self.faults = Faults()
        self.trail = Trail(ACCOUNT, region)
        self.calls: list[Call] = []
        self.before_call: Callable[[str, str, str], None] | None = None
        self.after_write: Callable[[Call], None] | None = None
        self.keep_past = True  # off: writes do not copy the world, which is slow with thousands of rules
        self._live = Live(region, ACCOUNT)
        self._lock = threading.RLock()
        strict_groups.let_itself_in(self._live, self._live.ec2.default_vpc.id)
        self._before_last_write = world.save(self._live)

    @property
    def arrive_after(self) -> int:
        """A new VPC, subnet or NAT gateway is available after being seen as pending this many times; so is a change of
        a prefix list complete.
        """
        return self._live.arrive_after

    @arrive_after.setter
    def arrive_after(self, times: int) -> None:
        self._live.arrive_after = times

    @property
    def meanwhile(self) -> Meanwhile:
        """What a call meets that names something pending: accepted, unknown (NotFound), refused (IncorrectState)."""
        return self._live.meanwhile

    @meanwhile.setter
    def meanwhile(self, what: Meanwhile) -> None:
        self._live.meanwhile = what

    def session(self, name: str = "") -> boto3.Session:
        """A strict session: its calls are recorded and meet the armed faults; `before_call` knows it by `name`."""
        return self._session(None, name)

    def outsider(self, user: str = "somebody") -> boto3.Session:
        """A session of somebody else: as strict, without faults, not in `calls`; `trail` has `user` as its name."""
        return self._session(user)

    def network_state(self, resource_id: str, state: str) -> None:
        """Put a VPC, a subnet or a NAT gateway into a state that AWS might give it by itself."""
        with self._lock:
            arrivals.put(self._live, resource_id, state)

    def an_hour_later(self) -> None:
        """NAT gateways that have failed or were deleted are shown no more."""
        with self._lock:
            strict_nat.forget(self._live)

    def give(self, resource_id: str, account: str) -> None:
        """Make an EC2 resource belong to another account; of a VPC also everything in it."""
        with self._lock:
            owners.give(self._live, resource_id, account)

    def learn(self, gateway_id: str, networks: Iterable[str]) -> None:
        """The networks that a VPN gateway has learned from its partner, instead of those before."""
        with self._lock:
            strict_propagation.learn(self._live, gateway_id, networks)

    def tag_as_aws(self, resource: str, tags: Mapping[str, str]) -> None:
        """Put tags that only AWS may put (`aws:...`) on an EC2 resource, by its id, or a DB instance, by its name."""
        with self._lock:
            strict_tags.tag_as_aws(self._live, resource, tags)

    def save(self) -> World:
        """The current state of EC2, RDS and this layer, without faults, calls and settings."""
        with self._lock:
            return world.save(self._live)

    def restore(self, saved: World) -> None:
        """Restore a saved world; until the next write, stale reads show it too."""
        with self._lock:
            world.restore(self._live, saved)
            self._before_last_write = saved

    def _session(self, user: str | None, name: str = "") -> boto3.Session:
        session = fake_session(self.region)

        def keep(params: Params, context: dict[str, Any], **_: object) -> None:
            context["laboratory"] = copy.deepcopy(params) if _is_plain(params) else dict(params)

        # The stubs know only handlers without an answer; before-call is documented to take one.
        def answer(model: Any, context: dict[str, Any], **_: object) -> Any:
            if user is None and self.before_call is not None:
                self.before_call(name, model.service_model.service_name, model.name)
            return self._answer(model.service_model.service_name, model.name, context["laboratory"], user)

        cached: dict[str, Any] = {}
        create = session.client

        def client(service_name: str, **options: Any) -> Any:
            """Caches clients without options, because creating one costs more than many calls."""
            if options or service_name not in cached:
                made: Any = create(service_name, **options)  # type: ignore[call-overload]
                made._user_agent_creator = _Nameless()
                return made if options else cached.setdefault(service_name, made)
            return cached[service_name]

        session.client = client  # type: ignore[assignment]
        session.events.register_first("provide-client-params", keep)
        session.events.register_first("before-call", answer)
        return session

    def _answer(self, service: str, operation: str, params: Params, user: str | None) -> tuple[_Status, Answer]:
        watched = user is None
        kind: Literal["read", "write"] = "read" if operation.startswith(_READS) else "write"
        with self._lock:
            if watched:
                used.add(Used(service, operation, frozenset(params)))
            if watched and kind == "write":
                self.faults.count_write()
            fault = self.faults.take(operation, kind, params) if watched else None
            self._live.by_force = not watched
            past = self.faults.past(operation) if watched and kind == "read" else None
            if fault is not None and fault.kind == "stale":
                past = self._before_last_write
            parsed = self._carried_out(service, operation, params, kind, fault, past)
            lost = self._lost(fault)
            error = type(lost).__name__ if lost else parsed.get("Error", {}).get("Code")
            call = Call(service, operation, params, kind, error)
            if kind == "write":
                self.trail.write(service, operation, params, parsed, user)
            if watched:
                self.calls.append(call)
        if watched and kind == "write":
            if self.after_write is not None and "Error" not in parsed:
                self.after_write(call)
            self.faults.after_write()
        if lost is not None:
            raise lost
        return _Status(parsed["ResponseMetadata"]["HTTPStatusCode"]), parsed

    def _carried_out(
        self,
        service: str,
        operation: str,
        params: Params,
        kind: Literal["read", "write"],
        fault: Fault | None,
        past: World | None,
    ) -> Answer:
        try:
            _refuse_early(service, params, fault)
            if kind == "write":
                with self._live.looking():
                    arrivals.check(self._live, service, operation, params)
            if past is not None:
                with world.looking_back(self._live, past), self._live.looking():
                    return self._strict(service, operation, params)
            if kind == "write":
                return self._write(service, operation, params)
            with self._live.looking():
                return self._strict(service, operation, params)
        except Refusal as refusal:
            return refusal.parsed()

    def _write(self, service: str, operation: str, params: Params) -> Answer:
        if not self.keep_past or service not in STRICT:  # only EC2 and RDS have stale reads
            return self._strict(service, operation, params)
        before = world.save(self._live)
        try:
            with self._live.writing(service, operation, params):
                answer = self._strict(service, operation, params)
        except BaseException:
            # AWS carries out a call or refuses it; moto may raise in between.
            world.restore(self._live, before)
            raise
        self._before_last_write = before
        self.faults.wrote(before)
        return answer

    def _strict(self, service: str, operation: str, params: Params) -> Answer:
        plain = without(params, "DryRun")
        if service == "cloudtrail" and operation == "LookupEvents":
            return {**self.trail.lookup(plain), "ResponseMetadata": metadata()}
        strict_tags.check_at_creation(operation, plain)
        if service == "ec2" and not operation.startswith(_READS):
            owners.check(self._live, operation, plain)
        pages = paging.pages_of(service, operation)
        if pages is not None:
            paging.check(service, pages, plain)
        request = paging.unpaged(service, plain) if pages is not None else plain
        answer = act_for(service, operation)(self._live, request)
        if service == "ec2":
            owners.mark(self._live, operation, answer)
            arrivals.made(self._live, operation, answer)
            arrivals.shown(self._live, operation, answer)
        if pages is not None:
            answer = paging.cut(service, operation, pages, plain, answer)
        return {**answer, "ResponseMetadata": metadata()}

    def _lost(self, fault: Fault | None) -> ReadTimeoutError | ConnectionClosedError | None:
        if fault is None or fault.kind != "lost":
            return None
        self.faults.lost += 1
        kind = ReadTimeoutError if self.faults.lost % 2 else ConnectionClosedError
        return kind(endpoint_url="https://laboratory.invalid/")


def _refuse_early(service: str, params: Params, fault: Fault | None) -> None:
    if fault is not None and fault.kind == "refused":
        code = fault.code_for(service)
        raise Refusal(code, fault.text or f"{code} (laboratory fault)")
    if params.get("DryRun"):
        raise Refusal("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")


def _is_plain(params: Params) -> bool:
    # Request bodies that are open files cannot be copied, and need not be.
    return not any(hasattr(value, "read") for value in params.values())


@contextmanager
def laboratory(region: str = REGION) -> Iterator[StrictAws]:
    """Starts moto in this process, with fake credentials and without a port; restores the environment at the end.

    A nested laboratory starts with an empty world; the outer one's is restored at the end.
    """
    changed = (*_FAKE_ENVIRONMENT, *_NO_SUCH_ENVIRONMENT, "AWS_DEFAULT_REGION", "AWS_REGION")
    before = {name: os.environ.get(name) for name in changed}
    for name in _NO_SUCH_ENVIRONMENT:
        os.environ.pop(name, None)
    os.environ.update(_FAKE_ENVIRONMENT, AWS_DEFAULT_REGION=region, AWS_REGION=region)
    try:
        with mock_aws(), patched_moto(), world.fresh(Live(region, ACCOUNT)):
            yield StrictAws(region)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
