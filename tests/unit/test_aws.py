"""The one way to AWS: what is sent again, what is not, what is counted, and what an error becomes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError, ReadTimeoutError

from reconciler.aws.client import READ_ATTEMPTS, WRITE_ATTEMPTS, Aws, AwsError
from reconciler.aws.ec2 import PREFIX_LISTS, permission, prefix_list_sizes, route_destination, rules_of
from reconciler.aws.errors import LOST, NO_CREDENTIALS, Reaction
from reconciler.aws.item_memo import ItemMemo
from reconciler.model import Operation, Phase, Risk
from reconciler.model.read import read

ALLOW = Operation("ec2", "AuthorizeSecurityGroupIngress", Phase.BIND, Risk.REVERSIBLE)
VPCS = read("ec2", "DescribeVpcs", "Vpcs", {}, page=1000)
DNS = read(
    "ec2",
    "DescribeVpcAttribute",
    "EnableDnsSupport.Value",
    {"VpcId": "vpc-1", "Attribute": "enableDnsSupport"},
    absent=("InvalidVpcID.NotFound",),
)
OK = "<ok><return>true</return></ok>"


def error(code: str) -> str:
    return f"<Response><Errors><Error><Code>{code}</Code><Message>told so</Message></Error></Errors></Response>"


_WIRES: list[Wire] = []


def _answer(request: Any, **_: object) -> AWSResponse:
    return _WIRES[0].answer(request)


@cache
def session() -> boto3.Session:
    """One for all tests: a session's first client costs more than all of them together."""
    one = boto3.Session("x", "x", region_name="ap-northeast-2")
    one.events.register("before-send.*.*", _answer)  # type: ignore[arg-type]  # the stubs know no handler that answers
    return one


class Body:
    """The body of an answer, as botocore reads it off the wire."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._text


@dataclass
class Wire:
    """What comes back for each request that botocore would send: (status, body), or an exception."""

    answers: list[tuple[int, str] | Exception]
    sent: list[Any] = field(default_factory=list)
    naps: list[float] = field(default_factory=list)
    throttled: list[tuple[str, float]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)

    def answer(self, request: Any, **_: object) -> AWSResponse:
        self.sent.append(request)
        told = self.answers.pop(0)
        if isinstance(told, Exception):
            raise told
        return AWSResponse(request.url, told[0], {}, Body(told[1]))  # type: ignore[arg-type]

    def aws(self) -> Aws:
        _WIRES[:] = [self]
        return Aws(
            session(),
            "ap-northeast-2",
            sleep=self.naps.append,
            on_read=self.reads.append,
            on_throttle=lambda operation, seconds: self.throttled.append((operation, seconds)),
            version="1.2",
        )


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore pauses between its own attempts; how long is its affair."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)


def failed(wire: Wire, aws: Aws | None = None) -> AwsError:
    with pytest.raises(AwsError) as caught:
        (aws or wire.aws()).write(ALLOW, {"GroupId": "sg-1"})
    return caught.value


def test_a_write_that_is_throttled_is_sent_again_by_us() -> None:
    wire = Wire([(503, error("RequestLimitExceeded")), (503, error("RequestLimitExceeded")), (200, OK)])
    aws = wire.aws()
    aws.write(ALLOW, {"GroupId": "sg-1"})
    assert (len(wire.sent), aws.writes, aws.reads) == (3, 3, 0)
    assert 1.0 <= wire.naps[0] <= 2.0 <= wire.naps[1] <= 4.0
    assert wire.throttled == [(ALLOW.name, nap) for nap in wire.naps]


def test_before_a_write_is_sent_again_it_may_be_refused() -> None:
    wire = Wire([(503, error("RequestLimitExceeded")), (200, OK)])

    def refuse() -> None:
        assert len(wire.naps) == 1, "it was asked before the pause"
        raise InterruptedError

    with pytest.raises(InterruptedError):
        wire.aws().write(ALLOW, {"GroupId": "sg-1"}, refuse)
    assert len(wire.sent) == 1


def test_throttling_is_waited_out_only_so_often() -> None:
    wire = Wire([(503, error("RequestLimitExceeded"))] * 9)
    told = failed(wire)
    assert told.reaction is Reaction.RETRY
    assert len(wire.sent) == WRITE_ATTEMPTS == len(wire.naps) + 1


@pytest.mark.parametrize(
    ("status", "code", "reaction"),
    [
        (500, "InternalError", Reaction.LOOK_AGAIN),
        (503, "ServiceUnavailable", Reaction.LOOK_AGAIN),
        (400, "InvalidPermission.Duplicate", Reaction.LOOK_AGAIN),
        (403, "UnauthorizedOperation", Reaction.SKIP),
        (401, "AuthFailure", Reaction.STOP),
    ],
)
def test_a_write_with_any_other_error_is_sent_once(status: int, code: str, reaction: Reaction) -> None:
    wire = Wire([(status, error(code)), (200, OK)])
    aws = wire.aws()
    told = failed(wire, aws)
    assert (told.code, told.message, told.reaction) == (code, "told so", reaction)
    assert (len(wire.sent), aws.writes, wire.naps) == (1, 1, [])


@pytest.mark.parametrize(
    "lost", [ReadTimeoutError(endpoint_url="https://x.invalid"), ConnectTimeoutError(endpoint_url="https://x.invalid")]
)
def test_a_write_whose_answer_is_lost_is_sent_once(lost: Exception) -> None:
    wire = Wire([lost, (200, OK)])
    told = failed(wire)
    assert (told.code, told.reaction, len(wire.sent)) == (LOST, Reaction.LOOK_AGAIN, 1)


@pytest.mark.parametrize("body", ["<!DOCTYPE html><br></body>", "half <of", "\xff"])
def test_a_write_whose_answer_cannot_be_read_may_have_been_made(body: str) -> None:
    wire = Wire([(200, body), (200, OK)])
    told = failed(wire)
    assert (told.code, told.unsure, len(wire.sent)) == (LOST, True, 1)


def test_without_credentials_the_reaction_is_to_stop() -> None:
    told = failed(Wire([NoCredentialsError()]))
    assert (told.code, told.reaction) == (NO_CREDENTIALS, Reaction.STOP)


def test_parameters_that_the_library_refuses_fail_that_call_and_are_not_sent() -> None:
    wire = Wire([])
    with pytest.raises(AwsError) as caught:
        wire.aws().write(ALLOW, {"GroupId": 7})
    assert (caught.value.code, caught.value.reaction, wire.sent) == ("ParamValidationError", Reaction.SKIP, [])


def test_a_read_may_be_repeated_by_the_library() -> None:
    body = "<r><vpcSet><item><vpcId>vpc-1</vpcId></item></vpcSet></r>"
    wire = Wire([*[(503, error("RequestLimitExceeded"))] * (READ_ATTEMPTS - 1), (200, body)])
    assert [one["VpcId"] for one in wire.aws().read(VPCS)] == ["vpc-1"]
    assert len(wire.sent) == READ_ATTEMPTS
    assert wire.naps == []


def test_every_page_is_read_and_counted() -> None:
    tokens = ("<nextToken>a</nextToken>", "<nextToken>b</nextToken>", "")
    pages: list[tuple[int, str] | Exception] = [
        (200, f"<r><vpcSet><item><vpcId>vpc-{n}</vpcId></item></vpcSet>{token}</r>")
        for n, token in enumerate(tokens, 1)
    ]
    wire = Wire(pages)
    aws = wire.aws()
    assert [one["VpcId"] for one in aws.read(VPCS)] == ["vpc-1", "vpc-2", "vpc-3"]
    assert (aws.reads, aws.writes) == (3, 0)


def test_a_read_that_is_cut_short_answers_with_nothing_at_all() -> None:
    wire = Wire(
        [(200, "<r><vpcSet><item/></vpcSet><nextToken>t</nextToken></r>"), (403, error("UnauthorizedOperation"))]
    )
    with pytest.raises(AwsError) as caught:
        wire.aws().read(VPCS)
    assert caught.value.reaction is Reaction.SKIP


def test_a_value_within_an_answer_is_a_list_of_one() -> None:
    wire = Wire([(200, "<r><vpcId>vpc-1</vpcId><enableDnsSupport><value>true</value></enableDnsSupport></r>")])
    assert wire.aws().read(DNS) == [True]


def test_a_read_may_say_that_there_is_none_and_only_with_the_codes_it_names() -> None:
    assert Wire([(400, error("InvalidVpcID.NotFound"))]).aws().read(DNS) == []
    with pytest.raises(AwsError, match="UnauthorizedOperation"):
        Wire([(403, error("UnauthorizedOperation"))]).aws().read(DNS)


def test_our_calls_say_whose_they_are() -> None:
    wire = Wire([(200, OK)])
    wire.aws().write(ALLOW, {"GroupId": "sg-1"})
    assert b"app/setpoint-1.2" in wire.sent[0].headers["User-Agent"]


@pytest.mark.parametrize(("left", "patience"), [(math.inf, None), (300, 285), (15, 0), (3, 0)])
def test_reads_leave_the_end_of_an_invocation_alone(left: float, patience: float | None) -> None:
    wire = Wire([])
    aws = wire.aws()
    aws.seconds_left = lambda: left
    assert aws.patience == patience
    if patience == 0:
        with pytest.raises(AwsError, match="within the time of this run"):
            aws.read(VPCS)
        assert wire.sent == []


@pytest.mark.parametrize(("service", "most"), [("ec2", 65), ("rds", 65), ("cloudtrail", 15)])
def test_a_read_that_nobody_answers_ends_within_the_time_that_a_run_may_begin_with(service: str, most: float) -> None:
    """80 s: the reserve of 60 s, and the 20 s without which none begins; less the 15 s for the end."""
    config = Wire([]).aws()._client(service, READ_ATTEMPTS).meta.config
    longest = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
    assert longest <= most


def test_an_item_that_comes_again_is_not_parsed_again_by_the_clients_that_read() -> None:
    item = (
        "<item><vpcId>vpc-0123456789abcdef0</vpcId><cidrBlock>10.0.0.0/16</cidrBlock><ownerId>111122223333</ownerId>"
        "<state>available</state><isDefault>false</isDefault><instanceTenancy>default</instanceTenancy></item>"
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
    body = f"{head}<requestId>1</requestId><vpcSet>{item}</vpcSet></DescribeVpcsResponse>"
    wire = Wire([(200, body), (200, body)])
    aws, memo = wire.aws(), ItemMemo()
    remembering = Aws(session(), "ap-northeast-2", memo=memo)
    (first,), (again,) = (remembering.read(VPCS) for _ in range(2))
    assert first is again
    assert first["VpcId"] == "vpc-0123456789abcdef0"
    assert (memo.parsed, memo.reused) == (1, 1)
    wire.answers += [(200, body), (200, body)]
    (first,), (again,) = (aws.read(VPCS) for _ in range(2))
    assert first is not again
    assert first == again


def test_a_prefix_list_counts_as_its_maximum_and_aws_s_own_by_their_weight() -> None:
    lists = [
        ("pl-1", "AWS", "com.amazonaws.global.cloudfront.origin-facing", None, 55),
        ("pl-2", "AWS", "com.amazonaws.global.ipv6.cloudfront.origin-facing", None, 55),
        ("pl-3", "AWS", "com.amazonaws.eu-west-1.ipv6.route53-healthchecks", None, 25),
        ("pl-4", "AWS", "com.amazonaws.eu-west-1.vpc-lattice", None, 10),
        ("pl-5", "AWS", "com.amazonaws.eu-west-1.s3express", None, 6),
        ("pl-6", "AWS", "com.amazonaws.global.groundstation", None, 5),
        ("pl-7", "AWS", "com.amazonaws.eu-west-1.ec2-instance-connect", None, 2),
        ("pl-8", "AWS", "com.amazonaws.eu-west-1.s3", None, 1),
        ("pl-9", "123456789012", "my.cloudfront.origin-facing", 7, 7),
        ("pl-a", "123456789012", "my.cloudfront.origin-facing", None, 1),
    ]
    shown = [
        {"PrefixListId": one, "OwnerId": owner, "PrefixListName": name} | ({"MaxEntries": most} if most else {})
        for one, owner, name, most, _ in lists
    ]
    assert prefix_list_sizes({PREFIX_LISTS: shown}) == {one: count for one, *_, count in lists}


def test_a_prefix_list_that_nobody_understands_counts_as_one_and_costs_no_other() -> None:
    odd: list[Any] = [None, "alien", {}, {"PrefixListId": None}, {"PrefixListId": "pl-2", "MaxEntries": "alien"}]
    odd += [{"PrefixListId": "pl-3", "MaxEntries": -7}]
    assert prefix_list_sizes({PREFIX_LISTS: [*odd, {"PrefixListId": "pl-1", "MaxEntries": 7}]}) == {"pl-1": 7}


def test_what_ec2_takes_for_no_network_is_none() -> None:
    """Else it would be taken for a group's name, and sent as one."""
    rule = {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "fe80::1%eth0/64"}]}
    with pytest.raises(ValueError, match="the network 'fe80::1%eth0/64'"):
        rules_of([rule], "123456789012", {})
    (odd,) = rules_of([{"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "alien"}]}], "123456789012", {})
    with pytest.raises(ValueError, match="'alien' is no peer that a call can name"):
        permission(odd)
    with pytest.raises(ValueError, match="DestinationPrefixListId is 'alien'"):
        route_destination({"DestinationPrefixListId": "alien"})
