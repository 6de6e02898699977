"""The table of AWS's error codes: complete, one reaction each, indifferent to AWS's two spellings."""

from __future__ import annotations

import pytest

from reconciler.aws.errors import _TABLE, LOST, NO_CREDENTIALS, REACTIONS, Reaction, bare, reaction

EC2 = {
    Reaction.RETRY: "RequestLimitExceeded Throttling ThrottlingException EC2ThrottledException ConcurrentTagAccess",
    Reaction.LOOK_AGAIN: """
        InternalError InternalFailure ServiceUnavailable Unavailable InvalidVpcID.NotFound InvalidSubnetID.NotFound
        InvalidSubnetId.NotFound InvalidRouteTableID.NotFound InvalidRouteTableId.NotFound
        InvalidNetworkAclID.NotFound InvalidInternetGatewayID.NotFound InvalidInternetGateway.NotFound
        InvalidGatewayID.NotFound InvalidGroup.NotFound InvalidSecurityGroupID.NotFound InvalidGroupId.Malformed
        InvalidSecurityGroupRuleId.NotFound InvalidAssociationID.NotFound InvalidPrefixListID.NotFound
        InvalidPrefixListId.NotFound InvalidTransitGatewayID.NotFound InvalidPermission.Duplicate
        InvalidPermission.NotFound InvalidGroup.Duplicate NetworkAclEntryAlreadyExists
        InvalidNetworkAclEntry.NotFound RouteAlreadyExists InvalidRoute.NotFound Resource.AlreadyAssociated
        Gateway.NotAttached IdempotentParameterMismatch
    """,
    Reaction.WAIT: "DependencyViolation InvalidGroup.InUse IncorrectState",
    Reaction.SKIP: """
        InvalidSubnet.Conflict
        UnauthorizedOperation OperationNotPermitted UnsupportedOperation InvalidParameterValue
        InvalidParameterCombination InvalidParameterException MissingParameter RulesPerSecurityGroupLimitExceeded
        SecurityGroupLimitExceeded SecurityGroupsPerInterfaceLimitExceeded InvalidGroup.Reserved CannotDelete
        NetworkAclEntryLimitExceeded NetworkAclLimitExceeded RouteLimitExceeded RouteTableLimitExceeded
        InvalidSubnet.Range InvalidVpcRange TagLimitExceeded InvalidTagKey.Malformed TagPolicyViolation
        FilterLimitExceeded
    """,
    Reaction.STOP: "AuthFailure ExpiredToken InvalidClientTokenId SignatureDoesNotMatch OptInRequired",
}
"""EC2 API reference, "Error codes", as far as the calls in use can meet them."""

RDS = {
    Reaction.RETRY: "Throttling ThrottlingException",
    Reaction.LOOK_AGAIN: """
        DBInstanceNotFound DBInstanceAlreadyExists DBSubnetGroupAlreadyExists InvalidSubnet
        DBSubnetGroupNotFoundFault ResourceNotFoundFault
    """,
    Reaction.WAIT: """
        InvalidDBInstanceState InsufficientDBInstanceCapacity DBUpgradeDependencyFailure
        InvalidDBSubnetGroupStateFault InvalidDBSubnetStateFault
    """,
    Reaction.SKIP: """
        AccessDenied StorageQuotaExceeded InstanceQuotaExceeded StorageTypeNotSupported DBParameterGroupNotFound
        InvalidDBParameterGroupState DBSubnetGroupDoesNotCoverEnoughAZs DBSubnetGroupQuotaExceeded
        SubnetAlreadyInUse CertificateNotFound AuthorizationNotFound InvalidDBSecurityGroupState
        DBSnapshotAlreadyExists SnapshotQuotaExceeded NetworkTypeNotSupported InvalidDBSubnetGroupFault
        DBSubnetQuotaExceededFault InvalidVPCNetworkStateFault KMSKeyNotAccessibleFault
        ProvisionedIopsNotAvailableInAZFault OptionGroupNotFoundFault
    """,
}
"""Wire codes of the RDS API, of which some end in Fault and some do not."""

CASES = [(code, wanted) for table in (EC2, RDS) for wanted, codes in table.items() for code in codes.split()]


@pytest.mark.parametrize(("code", "wanted"), CASES)
def test_every_code_that_the_calls_can_meet_has_its_reaction(code: str, wanted: Reaction) -> None:
    assert bare(code) in REACTIONS
    assert reaction(code) is wanted


@pytest.mark.parametrize("code", sorted({code for codes in RDS.values() for code in codes.split()}))
def test_rds_codes_are_the_same_with_and_without_fault(code: str) -> None:
    name = code.removesuffix("Fault")
    assert reaction(name) is reaction(f"{name}Fault") is reaction(name.upper())


def test_no_code_has_two_reactions() -> None:
    listed = [bare(code) for codes in _TABLE.values() for code in codes.split()]
    twice = {code for code in listed if listed.count(code) > 1}
    assert {
        code for code in twice if len({v for v, codes in _TABLE.items() if code in map(bare, codes.split())}) > 1
    } == set()
    assert len(REACTIONS) == len(set(listed))


@pytest.mark.parametrize(
    ("status", "wanted"),
    [(400, Reaction.SKIP), (403, Reaction.SKIP), (500, Reaction.LOOK_AGAIN), (503, Reaction.LOOK_AGAIN)],
)
def test_of_a_code_that_nobody_listed_the_outcome_is_unknown_only_after_a_server_error(
    status: int, wanted: Reaction
) -> None:
    assert reaction("SomethingNew", status) is wanted


def test_a_known_code_means_the_same_whatever_the_status() -> None:
    assert reaction("RequestLimitExceeded", 503) is Reaction.RETRY
    assert reaction("Client.UnauthorizedOperation") is Reaction.SKIP


def test_our_own_codes_have_reactions_too() -> None:
    assert (reaction(LOST), reaction(NO_CREDENTIALS)) == (Reaction.LOOK_AGAIN, Reaction.STOP)


@pytest.mark.parametrize(
    "text",
    [
        "the previous storage change is being optimized.",
        "You can't currently modify the storage of this DB instance.",
    ],
)
def test_a_busy_storage_is_told_by_its_text_alone(text: str) -> None:
    assert reaction("InvalidParameterCombination", 400, text) is Reaction.WAIT
    assert reaction("InvalidParameterValue", 400, text) is Reaction.SKIP
    assert reaction("InvalidParameterCombination", 400, "Cannot find version 99 for postgres") is Reaction.SKIP
