"""What no role may do, whatever else it allows: the Deny statements of the templates."""

from __future__ import annotations

from typing import Any

from artefact.permissions import MONITORING
from reconciler.history.receipts import ROOT

PASS_ROLE = "iam:PassRole"  # noqa: S105 (the name of a permission)
DENIED = (
    "cloudtrail:DeleteTrail",
    "cloudtrail:PutEventSelectors",
    "cloudtrail:StopLogging",
    "cloudtrail:UpdateTrail",
    "ec2:CreateVpcPeeringConnection",
    "ec2:DeleteSubnet",
    "ec2:DeleteTags",
    "ec2:DeleteVpc",
    "ec2:DetachInternetGateway",
    "ec2:DisassociateVpcCidrBlock",
    "ec2:RunInstances",
    "ec2:TerminateInstances",
    "iam:A*",
    "iam:C*",
    "iam:D*",
    "iam:E*",
    "iam:G*",
    "iam:L*",
    "iam:Put*",
    "iam:R*",
    "iam:S*",
    "iam:T*",
    "iam:U*",
    "kms:DisableKey",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "lambda:*",
    "organizations:*",
    "rds:DeleteDBCluster*",
    "rds:DeleteDBInstance*",
    "rds:DeleteDBSnapshot",
    "rds:DeleteDBSubnetGroup",
    "rds:ModifyDBClusterSnapshotAttribute",
    "rds:ModifyDBSnapshotAttribute",
    "rds:RebootDBInstance",
    "rds:RemoveTagsFromResource",
    "rds:RestoreDB*",
    "rds:StartExportTask",
    "rds:StopDBInstance",
    "s3:DeleteObject*",
    "s3:PutBucketPolicy",
    "secretsmanager:GetSecretValue",
)
"""Denied whatever else a role allows: calls that destroy data, copy it elsewhere, hide who did it, or escalate
privileges.
"""
WRITE_OBJECTS = "s3:PutObject"
"""Denied for everything but receipts: a document is the right to change a network."""


_DATABASES = "arn:${AWS::Partition}:rds:*:*:db:*"
OTHER_ENGINES = {
    "Sid": "NeverAnotherEngine",
    "Effect": "Deny",
    "Action": ["rds:CreateDBInstance", "rds:ModifyDBInstance"],
    "Resource": {"Fn::Sub": _DATABASES},
    # Where AWS does not say which engine it is, the negated operator would be true.
    "Condition": {
        "Null": {"rds:DatabaseEngine": "false"},
        "StringNotEquals": {"rds:DatabaseEngine": "postgres"},
    },
}
"""A document cannot declare another engine, so only somebody else would change one."""
_PASSWORDS = {"Bool": {"rds:ManageMasterUserPassword": "false"}}
PASSWORDS = (
    {
        "Sid": "NeverMakeWithPassword",
        "Effect": "Deny",
        "Action": "rds:CreateDBInstance",
        "Resource": "*",
        "Condition": _PASSWORDS,
    },
    {
        "Fn::If": [
            "MayChangeOwnPasswords",
            {"Ref": "AWS::NoValue"},
            {
                "Sid": "NeverSetPassword",
                "Effect": "Deny",
                "Action": "rds:ModifyDBInstance",
                "Resource": "*",
                "Condition": _PASSWORDS,
            },
        ]
    },
)
"""A master password that somebody chose opens the database to them. The second also refuses every other change of a
database whose password is not in Secrets Manager (RDS user guide, Enforcing RDS management of the master user
password), so a deployment can leave it out.
"""


def denied(*, receipts: bool = False) -> list[dict[str, Any]]:
    """The statements that deny them, that any object is written but, with `receipts`, those of the deployment, and that
    any role is given to any service but the one for monitoring.
    """
    where = {"NotResource": {"Fn::Sub": f"${{Receipts.Arn}}/{ROOT}*"}} if receipts else {"Resource": "*"}
    return [
        {"Sid": "Never", "Effect": "Deny", "Action": list(DENIED), "Resource": "*"},
        {"Sid": "NeverWriteObjects", "Effect": "Deny", "Action": WRITE_OBJECTS, **where},
        {
            "Sid": "NeverPassOtherwise",
            "Effect": "Deny",
            "Action": PASS_ROLE,
            "Resource": "*",
            "Condition": {"StringNotEquals": {"iam:PassedToService": MONITORING}},
        },
        OTHER_ENGINES,
        *PASSWORDS,
    ]
