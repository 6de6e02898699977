"""The laboratory's CloudTrail: a record of every write of any session, in AWS's form.

strict_aws reports each write to EC2 and RDS to one Trail; `events` returns what EventBridge would deliver, `lookup`
answers LookupEvents, which moto does not have.

Facts encoded: EC2 writes parameters in lowerCamel with lists under `items`, ModifySecurityGroupRules as its request has
it, RDS with a small first letter and the password masked; error codes of EC2 carry `Client.`; times are whole seconds;
LookupEvents answers 50 events at most, newest first, takes one attribute and times (CloudTrail User Guide, record
contents and userIdentity; CloudTrail API reference, LookupEvents).
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.utils import parse_to_aware_datetime

from lab.live import Answer, Params, without
from lab.refusal import Refusal

OWN_ROLE = "setpoint-worker"
OWN_SESSION = "setpoint-worker"
"""The role of `session()`, and the name of its session."""
_MOST = 500
"""Calls that are stored: a laboratory may see a hundred thousand."""
_PAGE = 50
_ID = re.compile(r"(?P<sort>[a-z]+(?:-[a-z]+)*)-[0-9a-f]{8,17}")
_SORTS = {
    "vpc": "AWS::EC2::VPC",
    "subnet": "AWS::EC2::Subnet",
    "sg": "AWS::EC2::SecurityGroup",
    "acl": "AWS::EC2::NetworkAcl",
    "rtb": "AWS::EC2::RouteTable",
    "igw": "AWS::EC2::InternetGateway",
    "dBInstanceIdentifier": "AWS::RDS::DBInstance",
    "dBSubnetGroupName": "AWS::RDS::DBSubnetGroup",
}
_RENAMED = {
    "UserIdGroupPairs": "groups",
    "SecurityGroupRules": "securityGroupRuleSet",
    "Protocol": "aclProtocol",
    "TagSpecifications": "tagSpecificationSet",
}


@dataclass(frozen=True)
class _Written:
    number: int
    at: datetime
    service: str
    operation: str
    params: Params
    answer: Answer
    user: str | None


class Trail:
    """All writes, oldest first. `now` is its clock; LookupEvents finds a call `delay` after it was made."""

    def __init__(self, account: str, region: str) -> None:
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.delay = timedelta()
        self._account, self._region = account, region
        self._written: deque[_Written] = deque(maxlen=_MOST)
        self._count = 0

    def write(self, service: str, operation: str, params: Params, answer: Answer, user: str | None) -> None:
        """A write was answered; `user` is the name of an IAM user, None for the worker's own role."""
        if service in ("ec2", "rds"):
            self._count += 1
            at = self.now().astimezone(UTC).replace(microsecond=0)
            self._written.append(_Written(self._count, at, service, operation, params, answer, user))

    def clear(self) -> None:
        self._written.clear()

    def records(self) -> list[dict[str, Any]]:
        """The CloudTrail records, oldest first."""
        return [self._record(one) for one in self._written]

    def events(self) -> list[dict[str, Any]]:
        """The records as EventBridge delivers them, oldest first."""
        return [
            {
                "version": "0",
                "id": record["eventID"].replace("-3333-", "-1111-"),
                "detail-type": "AWS API Call via CloudTrail",
                "source": f"aws.{record['eventSource'].partition('.')[0]}",
                "account": self._account,
                "time": record["eventTime"],
                "region": self._region,
                "resources": [],
                "detail": record,
            }
            for record in self.records()
        ]

    def lookup(self, params: Params) -> Answer:
        """The answer to LookupEvents."""
        size, token = params.get("MaxResults", _PAGE), params.get("NextToken", "0")
        if not 1 <= size <= _PAGE:
            raise Refusal("InvalidMaxResultsException", "This exception is thrown if the limit specified is not valid.")
        if not token.isdecimal():
            raise Refusal("InvalidNextTokenException", "A token from a call with different parameters was used.")
        found = [self._entry(one) for one in self._matching(params)]
        start, end = int(token), int(token) + size
        return {"Events": found[start:end]} | ({"NextToken": str(end)} if end < len(found) else {})

    def _matching(self, params: Params) -> Iterator[_Written]:
        """The writes that match a lookup, newest first."""
        first, last = (_moment(params.get(name)) for name in ("StartTime", "EndTime"))
        if first and last and first > last:
            raise Refusal("InvalidTimeRangeException", "The start time is after the end time.")
        attributes = params.get("LookupAttributes", [])
        if len(attributes) > 1:
            raise Refusal("InvalidLookupAttributesException", "At most one attribute can be looked up.")
        latest = self.now() - self.delay
        for one in sorted(self._written, key=lambda one: (one.at, one.number), reverse=True):
            if one.at <= latest and (not first or one.at >= first) and (not last or one.at <= last):
                entry = self._entry(one)
                if all(each["AttributeValue"] in _values(entry, each["AttributeKey"]) for each in attributes):
                    yield one

    def _entry(self, one: _Written) -> dict[str, Any]:
        record = self._record(one)
        return {
            "EventId": record["eventID"],
            "EventName": one.operation,
            "ReadOnly": "false",
            "EventTime": one.at,
            "EventSource": record["eventSource"],
            "Username": OWN_SESSION if one.user is None else one.user,
            "Resources": [
                {"ResourceType": sort, "ResourceName": name}
                for name, sort in sorted(_resources([record["requestParameters"], record["responseElements"]]).items())
            ],
            "CloudTrailEvent": json.dumps(record, default=str),
        }

    def _record(self, one: _Written) -> dict[str, Any]:
        error = one.answer.get("Error")
        return {
            "eventVersion": "1.10",
            "userIdentity": self._identity(one.user),
            "eventTime": one.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": f"{one.service}.amazonaws.com",
            "eventName": one.operation,
            "awsRegion": self._region,
            "sourceIPAddress": "198.51.100.7",
            "userAgent": "aws-cli/2.32.0",
            "requestParameters": _request(one),
            "responseElements": None if error else _response(one),
            "requestID": f"{one.number:08x}-2222-4000-8000-000000000000",
            "eventID": f"{one.number:08x}-3333-4000-8000-000000000000",
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": self._account,
            "eventCategory": "Management",
        } | (_failure(one.service, error) if error else {})

    def _identity(self, user: str | None) -> dict[str, Any]:
        if user is not None:
            return {
                "type": "IAMUser",
                "principalId": "AIDAEXAMPLEEXAMPLEEX1",
                "arn": f"arn:aws:iam::{self._account}:user/{user}",
                "accountId": self._account,
                "accessKeyId": "AKIAEXAMPLEEXAMPLE01",
                "userName": user,
            }
        role = {
            "type": "Role",
            "principalId": "AROAEXAMPLEEXAMPLEEX1",
            "arn": f"arn:aws:iam::{self._account}:role/{OWN_ROLE}",
            "accountId": self._account,
            "userName": OWN_ROLE,
        }
        return {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLEEXAMPLEEX1:{OWN_SESSION}",
            "arn": f"arn:aws:sts::{self._account}:assumed-role/{OWN_ROLE}/{OWN_SESSION}",
            "accountId": self._account,
            "accessKeyId": "ASIAEXAMPLEEXAMPLE01",
            "sessionContext": {"sessionIssuer": role, "attributes": {"mfaAuthenticated": "false"}},
        }


def _failure(service: str, error: dict[str, str]) -> dict[str, str]:
    prefix = "Client." if service == "ec2" else ""
    return {"errorCode": prefix + error["Code"], "errorMessage": error["Message"]}


def _request(one: _Written) -> Any:
    params = without(one.params, "MasterUserPassword", "Resources")
    if one.service == "rds":
        return _plain(params) | ({"masterUserPassword": "****"} if "MasterUserPassword" in one.params else {})
    if one.operation == "ModifySecurityGroupRules":
        rules = [{**rule, "tag": tag} for tag, rule in enumerate(params["SecurityGroupRules"], start=1)]
        request = {"GroupId": params["GroupId"], "SecurityGroupRule": rules[0] if len(rules) == 1 else rules}
        return {"ModifySecurityGroupRulesRequest": request}
    if one.operation in ("CreateTags", "DeleteTags"):
        tagged = [{"resourceId": each} for each in one.params["Resources"]]
        return {"resourcesSet": {"items": tagged}, "tagSet": _itemised(params.get("Tags", []))}
    return _itemised(params)


def _response(one: _Written) -> Any:
    answer = without(one.answer, "ResponseMetadata")
    if one.service == "ec2":
        return {"_return": True, **_itemised(answer)}
    inner = [each for each in answer.values() if isinstance(each, dict)]
    return _plain(inner[0]) if inner else None


def _itemised(value: Any) -> Any:
    """EC2's form: names in lowerCamel, lists inside `items`."""
    if isinstance(value, dict):
        return {_RENAMED.get(name) or _camel(name): _itemised(inner) for name, inner in value.items()}
    return {"items": [_itemised(each) for each in value]} if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """RDS's form: names in lowerCamel."""
    if isinstance(value, dict):
        return {_camel(name): _plain(inner) for name, inner in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def _resources(value: Any, key: str = "") -> dict[str, str]:
    """Name -> type of every resource mentioned anywhere."""
    if isinstance(value, dict):
        return {name: sort for inner, each in value.items() for name, sort in _resources(each, inner).items()}
    if isinstance(value, list):
        return {name: sort for each in value for name, sort in _resources(each, key).items()}
    if not isinstance(value, str):
        return {}
    id_ = _ID.fullmatch(value)
    sort = _SORTS.get(id_["sort"] if id_ else key)
    return {value: sort} if sort else {}


def _values(entry: dict[str, Any], key: str) -> set[str]:
    """The values that an attribute of LookupEvents is compared with."""
    if key in ("ResourceName", "ResourceType"):
        return {each[key] for each in entry["Resources"]}
    return {str(entry[key])} if key in ("EventId", "EventName", "ReadOnly", "EventSource", "Username") else set()


def _moment(given: Any) -> datetime | None:
    return None if given is None else parse_to_aware_datetime(given)
