"""Every AWS error code this tool may meet, and what it means for a reconciler. One table; `aws.py` applies it.

Sources: EC2 API reference "Error codes", RDS API reference "Common errors" and the wire codes of botocore's RDS
model, and what other tools report of real AWS where the references are silent (for instance `InvalidParameterValue`
from ReplaceRoute). Codes are compared without a trailing `Fault` and without regard to case, since AWS spells some of
them in two ways.
"""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What to do about an error."""

    RETRY = "retry"
    """AWS did nothing and asks us to slow down: send it again after a pause."""
    LOOK_AGAIN = "look again"
    """The world is not as we saw it, or the outcome is unknown: only another look can tell."""
    WAIT = "wait"
    """AWS is busy with the resource: come back later."""
    SKIP = "skip and alert"
    """This call will not work until a person changes something; the others go on."""
    STOP = "stop"
    """No call will work: our credentials or the account are at fault."""


LOST = "AnswerLost"
"""Our own code for a call whose answer never came: it may or may not have been carried out."""
NO_CREDENTIALS = "NoCredentials"
"""Our own code for botocore having found none, or none that it could use."""

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
"""Codes (as `bare` gives them) after which AWS may have carried the call out all the same."""

_TABLE: dict[Verdict, str] = {
    Verdict.RETRY: """
        RequestLimitExceeded Throttling ThrottlingException ThrottledException EC2ThrottledException
        TooManyRequestsException RequestThrottled RequestThrottledException BandwidthLimitExceeded SlowDown
        PriorRequestNotComplete ConcurrentTagAccess
    """,
    Verdict.LOOK_AGAIN: """
        AnswerLost InternalError InternalFailure InternalServerError ServiceUnavailable Unavailable
        RequestTimeout RequestTimeoutException RequestExpired InvalidVpcID.NotFound InvalidSubnetID.NotFound
        InvalidRouteTableID.NotFound InvalidNetworkAclID.NotFound InvalidInternetGatewayID.NotFound
        InvalidInternetGateway.NotFound InvalidGatewayID.NotFound InvalidGroup.NotFound
        InvalidSecurityGroupID.NotFound InvalidGroupId.Malformed InvalidSecurityGroupRuleId.NotFound
        InvalidAssociationID.NotFound InvalidPrefixListID.NotFound InvalidTransitGatewayID.NotFound
        InvalidPermission.Duplicate InvalidPermission.NotFound NetworkAclEntryAlreadyExists
        InvalidNetworkAclEntry.NotFound RouteAlreadyExists InvalidRoute.NotFound Resource.AlreadyAssociated
        Gateway.NotAttached InvalidGroup.Duplicate IncorrectState IdempotentParameterMismatch
        DBInstanceNotFound DBSubnetGroupNotFound DBInstanceAlreadyExists DBSubnetGroupAlreadyExists
        InvalidSubnet ResourceNotFound
    """,
    Verdict.WAIT: """
        InvalidDBInstanceState InvalidDBSubnetGroupState InsufficientDBInstanceCapacity DependencyViolation
        InvalidGroup.InUse InvalidDBSubnetState DBUpgradeDependencyFailure
    """,
    Verdict.SKIP: """
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
    Verdict.STOP: """
        NoCredentials AuthFailure ExpiredToken ExpiredTokenException InvalidClientTokenId
        UnrecognizedClientException SignatureDoesNotMatch IncompleteSignature MissingAuthenticationToken
        OptInRequired Blocked PendingVerification InvalidAccessKeyId NotAuthorized
    """,
}


def bare(code: str) -> str:
    """A code as it is compared: lower case, without `Client.` in front or `Fault` behind."""
    return code.lower().removeprefix("client.").removesuffix("fault")


VERDICTS: dict[str, Verdict] = {bare(code): verdict for verdict, codes in _TABLE.items() for code in codes.split()}


def verdict(code: str, http_status: int = 400) -> Verdict:
    """What to do about `code`. Of a code nobody listed its ending tells whether the world is not as it was seen (EC2 and
    RDS end all such codes in `NotFound`); else the outcome is unknown after a 5xx, and a person must look after a 4xx.
    """
    if known := VERDICTS.get(bare(code)):
        return known
    return Verdict.LOOK_AGAIN if http_status >= 500 or bare(code).endswith("notfound") else Verdict.SKIP
