"""What an editor says of each field of a document. Only `schema.py` reads this, so that a run does not load it.

By the name of the definition in the schema, then by the field. A field that says it itself (`Field(description=...)`)
needs no line here; a new kind's do. `ANY` is for every kind of resource.
"""

from __future__ import annotations

from collections.abc import Mapping

_TRAFFIC = {
    "protocol": "tcp, udp, icmp, icmpv6, all, or the number of another protocol.",
    "ports": 'Of tcp and udp: a port (443) or a range ("1024-65535"). Of nothing else.',
    "icmp_type": "Of icmp and icmpv6: the type, such as 8 for an echo request; left out: every type.",
    "icmp_code": "Of icmp and icmpv6: the code; left out: every code. Only together with icmp_type.",
}
_RULE = _TRAFFIC | {
    "description": 'What the rule is for. Left out: not managed; "": it must have none. Letters, digits, spaces and '
    "._-:/()#,@[]+=&;{}!$*, at most 255.",
}
_ENTRY = _TRAFFIC | {
    "action": "allow or deny. Of all entries that match a packet, the one with the lowest number wins."
}
_PEER = "a network (10.0.0.0/16), security_group/<name>, a group id sg-... or a prefix list pl-..."
_EACH_SUBNET = "subnet/<name> of this document, or a subnet id. A subnet has exactly one; it is moved here."

ANY: Mapping[str, str] = {
    "enforcement": "What to do about drift of this resource: correct it, report it only, or ignore it. Left out: as "
    "the document says.",
    "tags": "The tags that must be there, with their values; other tags are not managed. Keys that begin with aws: or "
    "setpoint: are reserved.",
}

DESCRIPTIONS: Mapping[str, Mapping[str, str]] = {
    "Scope": {
        "account_id": 'The 12 digits of the AWS account, as a string: "123456789012".',
        "region": 'The name of the region: "eu-central-1".',
        "vpc_id": "The id of the VPC. Left out: it is found by its tags, or by its Name tag and CIDR block.",
    },
    "WrittenException": {
        "address": "The resource: <kind>/<name>.",
        "field": "The field whose live value is accepted: ingress, tags, publicly_accessible.",
        "value": "The live value, as the field writes it: one rule, one entry under its number, one route, one tag, "
        "one reference, or the value itself.",
        "until": 'When it ends: "2027-01-31" (until that day starts in UTC) or "2027-01-31T18:00:00Z".',
        "reason": "Why it is accepted, for whoever reads the report.",
    },
    "Intent": {
        "name": "The sentence, in your own words; each once.",
        "expect": "reachable: every request passes, and its replies. blocked: no request arrives. only: reachable, and "
        "everything else from there is blocked.",
    },
    "Workload": {
        "subnets": "The subnets that its machines are in.",
        "security_groups": "The security groups that each of its machines has, all of them.",
    },
    "Vpc": {
        "cidr_block": "Its IPv4 network, /16 to /28. It identifies the VPC, and cannot be changed.",
        "enable_dns_support": "Whether the VPC has Amazon's DNS server.",
        "enable_dns_hostnames": "Whether machines with public addresses get DNS names; needs enable_dns_support.",
    },
    "InternetGateway": {
        "vpc": "The VPC that it is attached to: vpc/<name>. Left out: the document's.",
    },
    "Subnet": {
        "cidr_block": "Its IPv4 network, inside the VPC's. It identifies the subnet, and cannot be changed.",
        "availability_zone": 'The name of its zone: "eu-central-1a". It cannot be changed.',
        "map_public_ip_on_launch": "Whether new machines in it get a public IPv4 address.",
    },
    "RouteTable": {
        "main": "true declares the VPC's main table, which subnets without a table of their own use.",
        "routes": "All routes: destination (a network or a prefix list pl-...) to target (internet_gateway/<name>, or "
        "an id such as nat-..., pcx-..., tgw-..., vpce-...). Without AWS's own, such as the local ones. {}: no route.",
        "subnets": f"All subnets associated with the table: {_EACH_SUBNET}",
    },
    "SecurityGroup": {
        "description": "What the group is for, at most 255 characters. AWS cannot change it later.",
        "ingress": "All inbound rules; any other is revoked. []: nothing is let in.",
        "egress": "All outbound rules; any other is revoked. []: nothing is let out. Left out: not managed, and a new "
        "group lets everything out.",
    },
    "IngressRule": _RULE | {"source": f"Who may send: {_PEER}."},
    "EgressRule": _RULE | {"destination": f"Where to: {_PEER}."},
    "NetworkAcl": {
        "is_default": "true declares the VPC's default ACL.",
        "ingress": "All inbound entries by their number, 1 to 32766, without AWS's closing * that denies the rest.",
        "egress": "All outbound entries by their number, 1 to 32766, without AWS's closing * that denies the rest.",
        "subnets": f"All subnets that the ACL filters: {_EACH_SUBNET}",
    },
    "IngressEntry": _ENTRY | {"source": "The network that packets come from: 0.0.0.0/0 is everywhere in IPv4."},
    "EgressEntry": _ENTRY | {"destination": "The network that packets go to: 0.0.0.0/0 is everywhere in IPv4."},
    "DbSubnetGroup": {
        "description": "What the group is for: 1 to 255 printable ASCII characters.",
        "subnets": "All subnets that its databases may be in, of at least two availability zones.",
    },
    "DbInstance": {
        "engine": "The engine; only postgres.",
        "engine_version": 'A major version ("16": any 16.x) or a minor one ("16.4": this one, or with automatic minor '
        "upgrades a later one). An upgrade is downtime.",
        "db_instance_class": "The class, such as db.t3.micro. A change is downtime.",
        "storage_type": "The type of storage: gp3, gp2, io1, io2, or standard (magnetic).",
        "allocated_storage": "GiB. It can grow, and never shrink; with autoscaling, more than this is no drift.",
        "max_allocated_storage": "GiB that storage autoscaling may grow to. 0: no autoscaling.",
        "iops": "Provisioned IOPS, of io1, io2 and large gp3.",
        "storage_throughput": "MiB/s, of large gp3.",
        "storage_encrypted": "Whether the storage is encrypted. It cannot be changed.",
        "kms_key": "The ARN of the KMS key of the storage. It cannot be changed.",
        "db_name": "The first database in it, made with the instance. It cannot be changed.",
        "master_username": "The master user. It cannot be changed.",
        "manage_master_user_password": "true: RDS makes the master password and keeps it in Secrets Manager. A "
        "document cannot contain one.",
        "port": "The port that it listens on, 1150 to 65535. A change is downtime.",
        "multi_az": "Whether it has a standby in another zone.",
        "publicly_accessible": "Whether it has a public address.",
        "db_subnet_group": "The subnets that it may be in: db_subnet_group/<name>.",
        "vpc_security_groups": "All security groups of the instance: security_group/<name> or ids.",
        "backup_retention_period": "Days that automatic backups are kept, 0 to 35. Between 0 (no backups) and more is "
        "downtime.",
        "preferred_backup_window": 'Daily, UTC, at least 30 minutes: "17:00-17:30".',
        "preferred_maintenance_window": 'Weekly, UTC, at least 30 minutes: "sun:18:00-sun:18:30".',
        "auto_minor_version_upgrade": "Whether RDS installs minor versions by itself, in the maintenance window.",
        "copy_tags_to_snapshot": "Whether snapshots get the instance's tags.",
        "deletion_protection": "Whether RDS refuses to delete it.",
        "enabled_cloudwatch_logs_exports": "All logs that go to CloudWatch Logs: postgresql, upgrade, "
        "iam-db-auth-error. []: none.",
        "monitoring_interval": "Seconds between two figures of Enhanced Monitoring; 0: off. Needs monitoring_role.",
        "monitoring_role": "The ARN of the role that RDS writes the figures with.",
        "performance_insights_enabled": "Whether RDS records what its time is spent on. It is never switched off.",
        "performance_insights_retention_period": "Days that its figures are kept: 7, or 31 times a number of months.",
        "performance_insights_kms_key": "The ARN of the KMS key of its figures. It cannot be changed.",
        "ca_certificate_identifier": "The certificate authority of its certificate, such as rds-ca-rsa2048-g1.",
        "iam_database_authentication": "Whether users can log in with IAM.",
        "db_parameter_group": "The name of its parameter group. The instance takes most of it over at its next reboot, "
        "which Setpoint never makes.",
        "network_type": "IPV4, or DUAL for IPv4 and IPv6.",
        "database_insights_mode": "standard, or advanced, which costs more and needs Performance Insights with "
        "465 days.",
        "dedicated_log_volume": "Whether its log has a volume of its own; only with io1 and io2.",
        "engine_lifecycle_support": "Whether RDS charges for Extended Support after the end of standard support, or "
        "upgrades its major version by itself then. Nothing changes it afterwards.",
    },
}
