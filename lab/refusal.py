"""A Refusal has the wire code, message and HTTP status of an AWS error; strict_aws turns it into a parsed error.

Facts encoded: throttling is HTTP 503 on EC2, a missing permission 403, other client errors 400 (EC2 API reference,
"Error codes"); RDS wire codes have no "Fault", which moto sometimes adds (aws rds model, httpError code).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STATUS = {
    "RequestLimitExceeded": 503,
    "Unavailable": 503,
    "ServiceUnavailable": 503,
    "InternalError": 500,
    "InternalFailure": 500,
    "UnauthorizedOperation": 403,
    "AccessDenied": 403,
    "AuthFailure": 401,
    "DryRunOperation": 412,
    "DBInstanceNotFound": 404,
    "DBSubnetGroupNotFoundFault": 404,
}

RDS_WIRE_CODES = {
    "InvalidDBInstanceStateFault": "InvalidDBInstanceState",
    "DBInstanceNotFoundFault": "DBInstanceNotFound",
    "DBInstanceAlreadyExistsFault": "DBInstanceAlreadyExists",
    "DBSubnetGroupAlreadyExistsFault": "DBSubnetGroupAlreadyExists",
    "InvalidSubnetFault": "InvalidSubnet",
}


class Refusal(Exception):
    """An AWS error: `code` as in Error.Code, `status` of HTTP, `beside` what else the answer has (DynamoDB returns the
    item that did not meet a condition).
    """

    def __init__(
        self, code: str, message: str, status: int | None = None, beside: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or STATUS.get(code, 400)
        self.beside = beside or {}

    def parsed(self) -> dict[str, Any]:
        """The parsed response from which botocore raises ClientError."""
        return {
            **self.beside,
            "Error": {"Code": self.code, "Message": self.message},
            "ResponseMetadata": metadata(self.status),
        }


NOT_MODELLED = "NotModelled"
"""The laboratory's own code, for what it would have to answer as moto does: kinder than AWS."""


def not_modelled(what: str) -> Refusal:
    """A call that the laboratory does not model."""
    return Refusal(NOT_MODELLED, f"the laboratory does not model {what}", 501)


def metadata(status: int = 200) -> dict[str, Any]:
    """ResponseMetadata of a local answer."""
    return {"RequestId": "laboratory", "HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0}
