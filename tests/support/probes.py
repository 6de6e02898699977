"""Calls, each with one resource and the keys that AWS gives with it, and which roles may make it: just within and just
outside of what each statement of the templates allows.
"""

from __future__ import annotations

from tests.support.calls import HERE, MYSQL, OWN_PASSWORD, TAGGED, TAGGING, THEIRS, beside, born, named, vpc, within
from tests.support.iam import Target

ROLES = ("SweepRole", "WorkerRole", "InvokeRole", "PlanRole", "ScheduleRole", "TargetRole")
FUNCTIONS = {"WorkerRole", "InvokeRole"}
READERS = {*FUNCTIONS, "PlanRole"}
CHANGERS = {*FUNCTIONS, "TargetRole"}
NOBODY: set[str] = set()
ELSEWHERE = "arn:aws:ec2:eu-west-1:111122223333"
"""Another account's, which shares its VPC with us."""


def _own(
    call: str, resource: str, roles: set[str], keys: dict[str, str] | None = None
) -> list[tuple[str, Target, set[str]]]:
    """A call to a resource of the stack, and the same call to another one of its kind."""
    return [(call, (resource, keys or {}), roles), (call, (f"Another{resource}", keys or {}), NOBODY)]


def _made(kind: str, call: str) -> list[tuple[str, Target, set[str]]]:
    """What is made carries our tag from the beginning, and is ours."""
    bare = {"ec2:CreateAction": call}
    return [
        (f"ec2:{call}", beside(kind, TAGGING), CHANGERS),
        (f"ec2:{call}", beside(kind), NOBODY),
        (f"ec2:{call}", (f"{ELSEWHERE}:{kind}/x-0a1b2c3d", TAGGING), NOBODY),
        ("ec2:CreateTags", born(kind, call), CHANGERS),
        ("ec2:CreateTags", (f"{HERE}:{kind}/*", bare), NOBODY),
        ("ec2:CreateTags", (f"{HERE}:instance/*", TAGGING | bare), NOBODY),
    ]


def _bucket(bucket: str, prefix: str, roles: set[str]) -> list[tuple[str, Target, set[str]]]:
    """To list what is below a prefix, nothing else, and no other bucket."""
    return [
        *_own("s3:ListBucket", f"{bucket}.Arn", roles, {"s3:prefix": f"{prefix}/"}),
        ("s3:ListBucket", (f"{bucket}.Arn", {"s3:prefix": "elsewhere/"}), NOBODY),
    ]


VIA = {"aws:ViaAWSService": "true"}
MONITORING, EC2 = ({"iam:PassedToService": f"{service}.amazonaws.com"} for service in ("monitoring.rds", "ec2"))
OUR_ROLE, THEIR_ROLE = (f"arn:aws:iam::123456789012:role/{name}" for name in ("setpoint-monitoring", "any"))
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus"
DOCUMENT: Target = ("Documents.Arn/documents/shop.json", {})
RECEIPT: Target = ("Receipts.Arn/receipts/shop/20261127T051208Z.open.critical.r7.w9.6f2c9a1e.json.gz", {})

ANSWERED: list[tuple[str, Target, set[str]]] = [
    # The stack's own.
    ("cloudtrail:LookupEvents", ("*", {}), {*READERS, "TargetRole"}),
    *_own("s3:GetObject", DOCUMENT[0], READERS),
    *_bucket("Documents", "documents", {*READERS, "SweepRole"}),
    *_bucket("Receipts", "receipts", {"InvokeRole", "PlanRole"}),
    *_own("s3:PutObject", RECEIPT[0], FUNCTIONS),
    ("s3:PutObject", DOCUMENT, NOBODY),
    *_own("dynamodb:UpdateItem", "Ledger.Arn", READERS),
    *_own("dynamodb:Scan", "Ledger.Arn", {*READERS, "SweepRole"}),
    *_own("sqs:SendMessage", "Queue.Arn", {*FUNCTIONS, "SweepRole"}),
    *_own("sqs:SendMessage", "DeadLetters.Arn", {"ScheduleRole"}),
    *_own("sqs:ReceiveMessage", "Queue.Arn", {"WorkerRole"}),
    *_own("sns:Publish", "Alerts", {*FUNCTIONS, "SweepRole"}),
    *_own("kms:GenerateDataKey", "AlertsKey.Arn", {*FUNCTIONS, "SweepRole"}),
    *_own("lambda:InvokeFunction", "SweepFunction.Arn", {"ScheduleRole"}),
    *(
        one
        for name in ("Sweep", "Worker", "Invoke", "Plan")
        for one in _own("logs:PutLogEvents", f"{name}Logs.Arn", {f"{name}Role"})
    ),
    ("events:PutEvents", (f"{BUS}/default", {"events:source": "setpoint"}), FUNCTIONS),
    ("events:PutEvents", (f"{BUS}/default", {"events:source": "aws.ec2"}), NOBODY),
    ("events:PutEvents", (f"{BUS}/theirs", {"events:source": "setpoint"}), NOBODY),
    ("sts:AssumeRole", ("arn:aws:iam::111122223333:role/setpoint", {}), READERS),
    # The network.
    *(
        one
        for kind in ("InternetGateway", "NetworkAcl", "RouteTable", "SecurityGroup", "Subnet", "Vpc")
        for one in _made("".join(f"-{c.lower()}" if c.isupper() else c for c in kind)[1:], f"Create{kind}")
    ),
    ("ec2:ModifyVpcAttribute", (f"{ELSEWHERE}:vpc/vpc-0a1b2c3d", vpc()[1]), NOBODY),
    ("ec2:AttachInternetGateway", (f"{ELSEWHERE}:internet-gateway/igw-1", TAGGED), NOBODY),
    ("ec2:CreateTags", (f"{ELSEWHERE}:internet-gateway/igw-1", TAGGING), NOBODY),
    ("ec2:DeleteNetworkAcl", within("network-acl", keys=TAGGED, here=ELSEWHERE), NOBODY),
    ("ec2:DeleteInternetGateway", (f"{ELSEWHERE}:internet-gateway/igw-1", TAGGED), NOBODY),
    ("ec2:DeleteSecurityGroup", within("security-group", THEIRS, TAGGED), NOBODY),
    ("ec2:DeleteSecurityGroup", within("security-group", keys=TAGGED, here=ELSEWHERE), NOBODY),
    # The databases.
    ("rds:ModifyDBInstance", named("pg", "shop-pg"), CHANGERS),
    ("rds:CreateDBInstance", named("pg", "shop-pg"), CHANGERS),
    ("rds:CreateDBInstance", named("pg", "their-own"), NOBODY),
    ("rds:CreateDBInstance", named("subgrp", "wiki"), NOBODY),
    ("rds:CreateDBInstance", named("db"), NOBODY),
    ("rds:CreateDBInstance", named("db", "wiki", TAGGING), NOBODY),
    ("rds:CreateDBSubnetGroup", named("subgrp"), NOBODY),
    ("rds:CreateDBSubnetGroup", named("subgrp", "wiki", TAGGING), NOBODY),
    ("kms:DescribeKey", ("arn:aws:kms:eu-west-1:123456789012:key/1", {}), CHANGERS),
    ("kms:DescribeKey", ("arn:aws:kms:eu-west-1:111122223333:key/1", {}), NOBODY),
    ("secretsmanager:CreateSecret", ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:other", VIA), NOBODY),
    ("iam:PassRole", (OUR_ROLE, MONITORING), CHANGERS),
    ("iam:PassRole", (OUR_ROLE, EC2), NOBODY),
    ("iam:PassRole", (THEIR_ROLE, MONITORING), NOBODY),
]
"""With all that a deployment can allow."""
REFUSED: list[tuple[str, Target]] = [
    ("s3:PutObject", DOCUMENT),
    ("iam:PassRole", (OUR_ROLE, EC2)),
    ("iam:PassRole", (THEIR_ROLE, EC2)),
    ("iam:PassRole", (THEIR_ROLE, {})),
    *((call, named("db", keys=MYSQL)) for call in ("rds:CreateDBInstance", "rds:ModifyDBInstance")),
    *((call, named("db", keys=OWN_PASSWORD)) for call in ("rds:CreateDBInstance", "rds:ModifyDBInstance")),
]
"""Refused even where another policy allows everything."""
DESTROYS: list[tuple[str, Target]] = [
    (call, ("*", {}))
    for call in (
        *(f"cloudtrail:{one}" for one in ("DeleteTrail", "PutEventSelectors", "StopLogging", "UpdateTrail")),
        *(f"ec2:{one}" for one in ("CreateVpcPeeringConnection", "DeleteSubnet", "DeleteTags", "DeleteVpc")),
        *(f"ec2:{one}" for one in ("DetachInternetGateway", "DisassociateVpcCidrBlock", "RunInstances")),
        "ec2:TerminateInstances",
        *(f"iam:{one}" for one in ("AttachRolePolicy", "CreateAccessKey", "DeleteRolePolicy", "EnableMFADevice")),
        *(f"iam:{one}" for one in ("GetAccountAuthorizationDetails", "ListRoles", "PutRolePolicy", "ResyncMFADevice")),
        *(f"iam:{one}" for one in ("SetDefaultPolicyVersion", "TagRole", "UpdateAssumeRolePolicy")),
        *(f"kms:{one}" for one in ("DisableKey", "PutKeyPolicy", "ScheduleKeyDeletion")),
        *("lambda:UpdateFunctionCode", "organizations:LeaveOrganization"),
        *(f"rds:Delete{one}" for one in ("DBCluster", "DBInstance", "DBSnapshot", "DBSubnetGroup")),
        *(f"rds:{one}" for one in ("DeleteDBInstanceAutomatedBackup", "DeleteDBClusterSnapshot")),
        *(f"rds:Modify{one}Attribute" for one in ("DBClusterSnapshot", "DBSnapshot")),
        *(f"rds:{one}" for one in ("RebootDBInstance", "RemoveTagsFromResource", "RestoreDBInstanceFromDBSnapshot")),
        *(f"rds:{one}" for one in ("StartExportTask", "StopDBInstance")),
        *(f"s3:{one}" for one in ("DeleteObject", "DeleteObjectVersion", "PutBucketPolicy")),
        "secretsmanager:GetSecretValue",
    )
]
"""Of every denied action one that is a call of AWS."""
