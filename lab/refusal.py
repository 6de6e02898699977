"""How a strict module says no: a Refusal carries the wire code, message and HTTP status that AWS would answer with.

Raised by every strict_* module, turned into botocore's parsed error by strict_aws.

Facts encoded: throttles are HTTP 503 on EC2, missing permission is 403, the rest of the client errors 400 (EC2 API
reference, "Error codes"); RDS wire codes drop the "Fault" that moto sometimes leaves on (aws rds model, httpError
code).
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
    """An answer of AWS that is an error: `code` as in Error.Code, `status` the HTTP status, `beside` what else it says
    (DynamoDB shows the item that did not meet a condition).
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
        """The parsed response botocore raises ClientError from."""
        return {
            **self.beside,
            "Error": {"Code": self.code, "Message": self.message},
            "ResponseMetadata": metadata(self.status),
        }


def metadata(status: int = 200) -> dict[str, Any]:
    """ResponseMetadata of an answer that never crossed a wire."""
    return {"RequestId": "laboratory", "HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0}
