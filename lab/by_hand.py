"""A network as somebody makes it in the console: nothing has a Name tag, and nothing says what it is for.

For the demo and the test of a first contact, with plain boto3 calls. The private subnets reach the internet through a
NAT gateway, and S3 through an endpoint of type Gateway, whose route only AWS can write or delete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3

NETWORK = "10.20.0.0/16"
SUBNETS = (("10.20.0.0/24", "a"), ("10.20.1.0/24", "a"), ("10.20.2.0/24", "c"))
"""Each with its zone: a public one, and two private ones."""
_ANYWHERE = "0.0.0.0/0"
_PORTS = {"launch-wizard-1": 443, "backend": 8080, "postgres": 5432}
_DATA_PORTS = {100: (5432, 5432), 110: (1024, 65535)}
"""What the network ACL of the last subnet allows from and to the network, in both directions."""
_IMAGE = "ami-12c6146b"  # the emulator takes any


def build(session: boto3.Session) -> str:
    """Build it; the VPC's id.

    With what AWS makes together with a VPC, it has three subnets, three route tables, two network ACLs, four security
    groups and an internet gateway; beside them, a NAT gateway, an endpoint and two machines.
    """
    ec2 = session.client("ec2")
    vpc: str = ec2.create_vpc(CidrBlock=NETWORK)["Vpc"]["VpcId"]
    region = session.region_name
    public, private, data = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=network, AvailabilityZone=f"{region}{zone}")["Subnet"]["SubnetId"]
        for network, zone in SUBNETS
    )
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    _table(ec2, vpc, [public], GatewayId=gateway)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"]
    table = _table(ec2, vpc, [private, data], NatGatewayId=nat)
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{region}.s3", RouteTableIds=[table])
    _use_new_acl(ec2, vpc, data)
    groups = _groups(ec2, vpc)
    for subnet, name in ((public, "launch-wizard-1"), (private, "backend")):
        ec2.run_instances(ImageId=_IMAGE, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[groups[name]])
    return vpc


def open_ssh(session: boto3.Session, vpc: str) -> None:
    """Open SSH on the back end to everyone."""
    ec2 = session.client("ec2")
    named: Any = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["backend"]}]
    (group,) = ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    permission: Any = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": _ANYWHERE}]}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[permission])


def _table(ec2: Any, vpc: str, subnets: list[str], **target: str) -> str:
    """A route table with a default route, used by the subnets."""
    table: str = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=_ANYWHERE, **target)
    for subnet in subnets:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return table


def _use_new_acl(ec2: Any, vpc: str, subnet: str) -> None:
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    for number, (first, last) in _DATA_PORTS.items():
        what = {"Protocol": "6", "RuleAction": "allow", "CidrBlock": NETWORK, "PortRange": {"From": first, "To": last}}
        for egress in (False, True):
            ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=number, Egress=egress, **what)
    by_subnet = [{"Name": "association.subnet-id", "Values": [subnet]}]
    (default,) = ec2.describe_network_acls(Filters=by_subnet)["NetworkAcls"]
    current = next(one for one in default["Associations"] if one["SubnetId"] == subnet)
    ec2.replace_network_acl_association(AssociationId=current["NetworkAclAssociationId"], NetworkAclId=acl)


def _groups(ec2: Any, vpc: str) -> dict[str, str]:
    """A chain of groups: the first lets everyone in, each other one only the group before it. Their ids by name."""
    ids: dict[str, str] = {}
    source: dict[str, Any] = {"IpRanges": [{"CidrIp": _ANYWHERE}]}
    for name, port in _PORTS.items():
        ids[name] = ec2.create_security_group(GroupName=name, Description=f"{name} created by hand", VpcId=vpc)[
            "GroupId"
        ]
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
        ec2.authorize_security_group_ingress(GroupId=ids[name], IpPermissions=[permission])
        source = {"UserIdGroupPairs": [{"GroupId": ids[name]}]}
    return ids
