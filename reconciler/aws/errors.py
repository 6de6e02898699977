"""The AWS error codes, and how Setpoint reacts to them. `client.py` applies the table.

Sources: EC2 API reference "Error codes", RDS API reference "Common errors" and the wire codes of botocore's RDS
model, and what other tools report where the references say nothing (for instance `InvalidParameterValue` from
ReplaceRoute). Codes are compared without a trailing `Fault` and regardless of case, because AWS spells some of them in
two ways.
"""

from __future__ import annotations

from enum import Enum


class Reaction(Enum):
    """What to do about an error."""

    RETRY = "retry"
    """AWS throttled the call and did nothing: send it again after a pause."""
    LOOK_AGAIN = "look again"
    """The state that was read is stale, or the outcome is unknown: read again."""
    WAIT = "wait"
    """AWS is busy with the resource: retry later."""
    SKIP = "skip and alert"
    """The call will fail until a person changes something; other calls continue."""
    STOP = "stop"
    """No call will work, because of the credentials or the account."""


LOST = "AnswerLost"
"""Setpoint's own code: the answer never came, so the call may or may not have been carried out."""
NO_CREDENTIALS = "NoCredentials"
"""Setpoint's own code: botocore found no credentials, or none that it could use."""

UNSURE = frozenset(
    {
        "answerlost",
        "internalerror",
        "internalfailure",
        "internalservererror",
        "serviceunavailable",
        "unavailable",
        "requesttimeout",
        "requesttimeoutexception",
    }
)
"""Codes (as from `bare`) after which AWS may have carried out the call anyway."""

_TABLE: dict[Reaction, str] = {
    Reaction.RETRY: """
        RequestLimitExceeded Throttling ThrottlingException ThrottledException EC2ThrottledException
        TooManyRequestsException RequestThrottled RequestThrottledException BandwidthLimitExceeded SlowDown
        PriorRequestNotComplete ConcurrentTagAccess
    """,
    Reaction.LOOK_AGAIN: """
        AnswerLost InternalError InternalFailure InternalServerError ServiceUnavailable Unavailable
        RequestTimeout RequestTimeoutException RequestExpired InvalidVpcID.NotFound InvalidSubnetID.NotFound
        InvalidRouteTableID.NotFound InvalidNetworkAclID.NotFound InvalidInternetGatewayID.NotFound
        InvalidInternetGateway.NotFound InvalidGatewayID.NotFound InvalidGroup.NotFound
        InvalidSecurityGroupID.NotFound InvalidGroupId.Malformed InvalidSecurityGroupRuleId.NotFound
        InvalidAssociationID.NotFound InvalidPrefixListID.NotFound InvalidTransitGatewayID.NotFound
        InvalidPermission.Duplicate InvalidPermission.NotFound NetworkAclEntryAlreadyExists
        InvalidNetworkAclEntry.NotFound RouteAlreadyExists InvalidRoute.NotFound Resource.AlreadyAssociated
        Gateway.NotAttached InvalidGroup.Duplicate IdempotentParameterMismatch
        DBInstanceNotFound DBSubnetGroupNotFound DBInstanceAlreadyExists DBSubnetGroupAlreadyExists
        InvalidSubnet ResourceNotFound
    """,
    Reaction.WAIT: """
        InvalidDBInstanceState InvalidDBSubnetGroupState InsufficientDBInstanceCapacity DependencyViolation
        InvalidGroup.InUse InvalidDBSubnetState DBUpgradeDependencyFailure IncorrectState
    """,
    Reaction.SKIP: """
        UnauthorizedOperation AccessDenied AccessDeniedException Client.UnauthorizedOperation
        OperationNotPermitted UnsupportedOperation InvalidParameter InvalidParameterValue
        InvalidParameterCombination InvalidParameterException MissingParameter UnknownParameter
        ValidationError MalformedQueryString InvalidAction InvalidRequest RulesPerSecurityGroupLimitExceeded
        SecurityGroupLimitExceeded SecurityGroupsPerInterfaceLimitExceeded NetworkAclEntryLimitExceeded
        NetworkAclLimitExceeded RouteLimitExceeded RouteTableLimitExceeded VpcLimitExceeded
        SubnetLimitExceeded InternetGatewayLimitExceeded TagLimitExceeded InvalidTagKey.Malformed
        TagPolicyViolation InvalidVpcRange InvalidVpc.Range InvalidSubnet.Range InvalidSubnet.Conflict
        InvalidGroup.Reserved CannotDelete InvalidPermission.Malformed InvalidCidr.InUse
        ResourceLimitExceeded FilterLimitExceeded InvalidNextToken StorageQuotaExceeded
        InstanceQuotaExceeded StorageTypeNotSupported DBParameterGroupNotFound InvalidDBParameterGroupState
        DBSubnetGroupDoesNotCoverEnoughAZs DBSubnetGroupQuotaExceeded DBSubnetQuotaExceeded
        SubnetAlreadyInUse InvalidVPCNetworkState KMSKeyNotAccessible ProvisionedIopsNotAvailableInAZ
        OptionGroupNotFound CertificateNotFound AuthorizationNotFound InvalidDBSecurityGroupState
        DBSnapshotAlreadyExists SnapshotQuotaExceeded NetworkTypeNotSupported InvalidDBSubnetGroup
    """,
    Reaction.STOP: """
        NoCredentials AuthFailure ExpiredToken ExpiredTokenException InvalidClientTokenId
        UnrecognizedClientException SignatureDoesNotMatch IncompleteSignature MissingAuthenticationToken
        OptInRequired Blocked PendingVerification InvalidAccessKeyId NotAuthorized
    """,
}


def bare(code: str) -> str:
    """A code as it is compared: in lower case, without a leading `Client.` or a trailing `Fault`."""
    return code.lower().removeprefix("client.").removesuffix("fault")


REACTIONS: dict[str, Reaction] = {bare(code): reaction for reaction, codes in _TABLE.items() for code in codes.split()}


_BUSY = (
    ("invalidparametercombination", "previous storage change is being optimized"),
    ("invalidparametercombination", "currently modify the storage"),
)
"""Codes, as from `bare`, that mean a busy resource if AWS's answer has these words: it has no other code for that (RDS
user guide, "Amazon RDS DB instance storage").
"""


_OF_ROLE = ("invalidparametervalue", "IAM role ARN value is invalid or does not include the required permissions")
"""What RDS answers where it cannot use an IAM role: it has no code of its own for that (terraform-provider-aws)."""


def refuses_role(code: str, answer: str) -> bool:
    """Whether AWS refused a call because of an IAM role, which may just be too new."""
    known, words = _OF_ROLE
    return bare(code) == known and words in answer


def reaction(code: str, http_status: int = 400, answer: str = "") -> Reaction:
    """What to do about `code`, which came with the text `answer`. An unlisted code that ends in `NotFound` means stale
    state (EC2 and RDS use that ending for all such codes); otherwise the outcome is unknown after a 5xx, and a person
    has to act after a 4xx.
    """
    if any(bare(code) == known and words in answer for known, words in _BUSY):
        return Reaction.WAIT
    if known := REACTIONS.get(bare(code)):
        return known
    return Reaction.LOOK_AGAIN if http_status >= 500 or bare(code).endswith("notfound") else Reaction.SKIP
