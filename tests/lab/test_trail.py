from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab import StrictAws

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(aws: StrictAws, request: pytest.FixtureRequest) -> Iterator[list[datetime]]:
    """The trail's clock: a list whose last time is now. The first test that wants a VPC has it made, which is no part
    of what is looked at.
    """
    times = [NOON]
    if "vpc" in request.fixturenames:
        request.getfixturevalue("vpc")
    aws.trail.clear()
    aws.trail.now, was = (lambda: times[-1]), aws.trail.now
    yield times
    aws.trail.now, aws.trail.delay = was, timedelta()
    aws.trail.clear()


@pytest.fixture
def cloudtrail(aws: StrictAws) -> Any:
    return aws.session().client("cloudtrail")


def found(cloudtrail: Any, name: str, **more: Any) -> list[str]:
    about = [{"AttributeKey": "ResourceName", "AttributeValue": name}]
    return [one["EventName"] for one in cloudtrail.lookup_events(LookupAttributes=about, **more)["Events"]]


def group(ec2: Any, vpc: str, name: str) -> str:
    return str(ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"])


def test_a_write_of_somebody_becomes_a_record_of_that_user(aws: StrictAws, vpc: str) -> None:
    ec2 = aws.outsider("alice").client("ec2")
    made, peer = group(ec2, vpc, "web"), group(ec2, vpc, "api")
    tcp: Any = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    ec2.authorize_security_group_ingress(
        GroupId=made,
        IpPermissions=[tcp | {"IpRanges": [{"CidrIp": "10.0.0.0/8"}], "UserIdGroupPairs": [{"GroupId": peer}]}],
    )
    told = aws.trail.records()[-1]
    assert told["eventName"] == "AuthorizeSecurityGroupIngress"
    assert told["eventSource"] == "ec2.amazonaws.com"
    assert told["eventTime"] == "2026-11-22T12:00:00Z"
    assert told["userIdentity"]["arn"] == "arn:aws:iam::123456789012:user/alice"
    assert "sessionContext" not in told["userIdentity"]
    assert "errorCode" not in told
    assert told["requestParameters"] == {
        "groupId": made,
        "ipPermissions": {
            "items": [
                {
                    "ipProtocol": "tcp",
                    "fromPort": 22,
                    "toPort": 22,
                    "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]},
                    "groups": {"items": [{"groupId": peer}]},
                }
            ]
        },
    }
    rules = told["responseElements"]["securityGroupRuleSet"]["items"]
    assert {one["groupId"] for one in rules} == {made}


def test_a_write_of_ours_is_a_session_of_our_role(aws: StrictAws, ec2: Any, vpc: str) -> None:
    made = group(ec2, vpc, "web")
    told = aws.trail.records()[-1]
    assert told["responseElements"]["groupId"] == made
    identity = told["userIdentity"]
    assert (identity["type"], identity["arn"]) == (
        "AssumedRole",
        "arn:aws:sts::123456789012:assumed-role/setpoint-worker/setpoint-worker",
    )
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == "arn:aws:iam::123456789012:role/setpoint-worker"


def test_tags_and_changed_rules_have_shapes_of_their_own(aws: StrictAws, ec2: Any, vpc: str) -> None:
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "team", "Value": "shop"}])
    assert aws.trail.records()[-1]["requestParameters"] == {
        "resourcesSet": {"items": [{"resourceId": vpc}]},
        "tagSet": {"items": [{"key": "team", "value": "shop"}]},
    }
    made = group(ec2, vpc, "web")
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    rule = ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[permission])["SecurityGroupRules"][0]
    wide = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0"}
    changed = {"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": wide}
    ec2.modify_security_group_rules(GroupId=made, SecurityGroupRules=[changed])
    assert aws.trail.records()[-1]["requestParameters"] == {
        "ModifySecurityGroupRulesRequest": {"GroupId": made, "SecurityGroupRule": changed | {"tag": 1}}
    }


def test_a_database_is_written_with_a_small_first_letter_and_without_its_password(
    aws: StrictAws, rds: Any, subnets: list[str]
) -> None:
    rds.create_db_subnet_group(
        DBSubnetGroupName="shop", DBSubnetGroupDescription="d", SubnetIds=[subnets[0], subnets[2]]
    )
    assert aws.trail.records()[-1]["requestParameters"] == {
        "dBSubnetGroupName": "shop",
        "dBSubnetGroupDescription": "d",
        "subnetIds": [subnets[0], subnets[2]],
    }
    rds.create_db_instance(
        DBInstanceIdentifier="shop-db",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="shop",
        MasterUserPassword="never-in-a-record",
        DBSubnetGroupName="shop",
    )
    told = aws.trail.records()[-1]
    assert told["requestParameters"]["dBInstanceIdentifier"] == "shop-db"
    assert told["requestParameters"]["masterUserPassword"] == "****"
    assert told["responseElements"]["dBInstanceIdentifier"] == "shop-db"
    assert "never-in-a-record" not in json.dumps(told, default=str)


def test_a_refused_write_is_a_record_of_a_failure(aws: StrictAws, ec2: Any, vpc: str) -> None:
    aws.faults.refuse("DeleteVpc", times=1)
    with pytest.raises(ClientError):
        ec2.delete_vpc(VpcId=vpc)
    with pytest.raises(ClientError):
        ec2.delete_vpc(VpcId=vpc, DryRun=True)
    failed = [(one["errorCode"], one["responseElements"]) for one in aws.trail.records()]
    assert failed == [("Client.UnauthorizedOperation", None), ("Client.DryRunOperation", None)]


def test_reads_and_other_services_leave_no_record(aws: StrictAws, ec2: Any, cloudtrail: Any, vpc: str) -> None:
    ec2.describe_vpcs()
    cloudtrail.lookup_events()
    assert aws.trail.records() == []
    assert [call.kind for call in aws.calls[-2:]] == ["read", "read"]


def test_a_write_whose_answer_was_lost_is_a_record_all_the_same(aws: StrictAws, ec2: Any, vpc: str) -> None:
    aws.faults.lose_answer("CreateSecurityGroup")
    with pytest.raises(Exception, match=r"laboratory\.invalid"):
        group(ec2, vpc, "web")
    assert [one["eventName"] for one in aws.trail.records()] == ["CreateSecurityGroup"]


def test_events_are_what_eventbridge_delivers(aws: StrictAws, ec2: Any, vpc: str) -> None:
    group(ec2, vpc, "web")
    (event,) = aws.trail.events()
    assert event["detail"] == aws.trail.records()[0]
    assert {key: event[key] for key in ("source", "detail-type", "account", "region", "time")} == {
        "source": "aws.ec2",
        "detail-type": "AWS API Call via CloudTrail",
        "account": "123456789012",
        "region": "ap-northeast-2",
        "time": "2026-11-22T12:00:00Z",
    }


def test_a_lookup_finds_what_mentions_the_resource_newest_first(
    aws: StrictAws, ec2: Any, cloudtrail: Any, vpc: str, clock: list[datetime]
) -> None:
    made, other = group(ec2, vpc, "web"), group(ec2, vpc, "api")
    clock.append(NOON + timedelta(minutes=1))
    ec2.delete_security_group(GroupId=made)
    assert found(cloudtrail, made) == ["DeleteSecurityGroup", "CreateSecurityGroup"]
    assert found(cloudtrail, other) == ["CreateSecurityGroup"]
    assert found(cloudtrail, "sg-0a1b2c3d") == []
    (newest, _) = cloudtrail.lookup_events(LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": made}])[
        "Events"
    ]
    assert newest["EventTime"] == NOON + timedelta(minutes=1)
    assert newest["Resources"] == [{"ResourceType": "AWS::EC2::SecurityGroup", "ResourceName": made}]
    assert json.loads(newest["CloudTrailEvent"])["requestParameters"] == {"groupId": made}


def test_a_lookup_begins_at_its_start_time_however_that_is_written(
    aws: StrictAws, ec2: Any, cloudtrail: Any, vpc: str, clock: list[datetime]
) -> None:
    made = group(ec2, vpc, "web")
    clock.append(NOON + timedelta(minutes=1))
    ec2.delete_security_group(GroupId=made)
    start = NOON + timedelta(seconds=30)
    for written in (start, int(start.timestamp()), start.isoformat()):
        assert found(cloudtrail, made, StartTime=written) == ["DeleteSecurityGroup"]
    assert found(cloudtrail, made, StartTime=NOON) == ["DeleteSecurityGroup", "CreateSecurityGroup"]
    assert found(cloudtrail, made, EndTime=start) == ["CreateSecurityGroup"]


def test_a_lookup_knows_of_a_call_only_after_the_delay(
    aws: StrictAws, ec2: Any, cloudtrail: Any, vpc: str, clock: list[datetime]
) -> None:
    aws.trail.delay = timedelta(minutes=5)
    made = group(ec2, vpc, "web")
    assert found(cloudtrail, made) == []
    clock.append(NOON + timedelta(minutes=5))
    assert found(cloudtrail, made) == ["CreateSecurityGroup"]


def test_a_lookup_pages_by_fifty(aws: StrictAws, ec2: Any, cloudtrail: Any, vpc: str) -> None:
    for number in range(51):
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": "n", "Value": str(number)}])
    first = cloudtrail.lookup_events()
    assert len(first["Events"]) == 50
    rest = cloudtrail.lookup_events(NextToken=first["NextToken"])
    assert len(rest["Events"]) == 1
    assert "NextToken" not in rest
    assert len(found(cloudtrail, vpc, MaxResults=7)) == 7


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"NextToken": "x"}, "InvalidNextTokenException"),
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        ({"StartTime": NOON, "EndTime": NOON - timedelta(1)}, "InvalidTimeRangeException"),
        (
            {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "x"}] * 2},
            "InvalidLookupAttributesException",
        ),
    ],
)
def test_what_cloudtrail_refuses_is_refused(cloudtrail: Any, refused: Any, params: dict[str, Any], code: str) -> None:
    with refused(code):
        cloudtrail.lookup_events(**params)


def test_a_lookup_meets_the_armed_faults(aws: StrictAws, cloudtrail: Any, refused: Any) -> None:
    aws.faults.throttle("LookupEvents", code="ThrottlingException")
    with refused("ThrottlingException"):
        cloudtrail.lookup_events()
