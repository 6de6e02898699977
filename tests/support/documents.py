"""The documents that the tests of loading edit, and what `load` says of them then."""

from __future__ import annotations

import pytest

from desired_state.load import DocumentError, load

DOCUMENT = """\
{
  "version": 1,
  "name": "shop",
  "revision": 3,
  "scope": { "account_id": "123456789012", "region": "ap-northeast-2" },
  "resources": {
    "vpc": {
      "main": { "cidr_block": "10.0.0.0/16", "enable_dns_support": true, "enable_dns_hostnames": true }
    },
    "internet_gateway": { "door": {} },
    "subnet": {
      "a": { "cidr_block": "10.0.1.0/24", "availability_zone": "ap-northeast-2a" },
      "c": { "cidr_block": "10.0.2.0/24", "availability_zone": "ap-northeast-2c" }
    },
    "route_table": {
      "out": { "routes": { "0.0.0.0/0": "internet_gateway/door" }, "subnets": ["subnet/a"] },
      "in": { "routes": {}, "subnets": ["subnet/c"] }
    },
    "security_group": {
      "web": {
        "description": "The front door",
        "ingress": [{ "protocol": "tcp", "ports": 443, "source": "0.0.0.0/0", "description": "HTTPS" }],
        "egress": [{ "protocol": "all", "destination": "0.0.0.0/0" }]
      },
      "db": {
        "ingress": [{ "protocol": "tcp", "ports": 5432, "source": "security_group/web" }],
        "tags": { "team": "shop" }
      }
    },
    "network_acl": {
      "front": {
        "subnets": ["subnet/a", "subnet/c"],
        "ingress": { "100": { "action": "allow", "protocol": "tcp", "ports": 443, "source": "0.0.0.0/0" } },
        "egress": { "100": { "action": "allow", "protocol": "all", "destination": "0.0.0.0/0" } }
      }
    },
    "db_subnet_group": { "data": { "description": "Two zones", "subnets": ["subnet/a", "subnet/c"] } },
    "db_instance": {
      "orders": {
        "engine": "postgres",
        "engine_version": "16",
        "storage_type": "gp3",
        "allocated_storage": 20,
        "master_username": "postgres",
        "manage_master_user_password": true,
        "publicly_accessible": false,
        "db_subnet_group": "db_subnet_group/data",
        "vpc_security_groups": ["security_group/db"],
        "preferred_backup_window": "17:00-17:30",
        "preferred_maintenance_window": "sun:18:00-sun:18:30"
      }
    }
  },
  "intents": [
    { "name": "open", "from": "internet", "to": "api", "protocol": "tcp", "ports": 443, "expect": "reachable" },
    { "name": "shut", "from": "192.0.2.0/24", "to": "db_instance/orders", "expect": "blocked" }
  ],
  "workloads": { "api": { "subnets": ["subnet/a"], "security_groups": ["security_group/web"] } },
  "exceptions": [
    {
      "address": "security_group/web",
      "field": "ingress",
      "value": { "protocol": "tcp", "ports": 22, "source": "192.0.2.7/32" },
      "until": "2027-01-31",
      "reason": "the migration"
    }
  ]
}
"""

ADOPTED = """\
{
  "version": 1,
  "name": "shop",
  "formerly": ["shop-prod"],
  "note": "taken over",
  "revision": 3,
  "scope": { "account_id": "123456789012", "region": "eu-central-1", "vpc_id": "vpc-0123456789abcdef0" },
  "adopt": {
    "vpc/main": "vpc-0123456789abcdef0",
    "route_table/in": "rtb-0123456789abcdef0",
    "network_acl/spare": "new",
    "security_group/web": "sg-0123456789abcdef0",
    "db_subnet_group/data": "data",
    "db_instance/app": "db-ABCDEFGHIJKLMNOPQRSTUVWX01"
  },
  "external": {
    "subnet/a": { "document": "network" },
    "subnet/b": { "document": "network", "name": "PrivateB" },
    "security_group/ops": { "id": "sg-0fedcba9876543210" },
    "internet_gateway/door": { "id": "igw-0123456789abcdef0" },
    "db_subnet_group/theirs": { "id": "other" },
    "db_instance/theirs": { "id": "db-ABCDEFGHIJKLMNOPQRSTUVWX02" }
  },
  "resources": {
    "vpc": { "main": { "cidr_block": "10.0.0.0/16", "secondary_cidr_blocks": ["100.64.0.0/16", "10.1.0.0/20"] } },
    "subnet": {
      "c": { "cidr_block": "100.64.1.0/24", "availability_zone": "eu-central-1a" }
    },
    "route_table": {
      "out": { "routes": { "0.0.0.0/0": "internet_gateway/door", "10.9.0.0/16": "igw-00000000" } },
      "in": { "formerly": ["rt-2", "rt 1"], "note": "by hand", "subnets": ["subnet/b", "subnet-0fedcba9876543210"] }
    },
    "network_acl": { "spare": {} },
    "security_group": {
      "web": { "formerly": ["launch-wizard-3"], "ingress": [{ "protocol": "all", "source": "security_group/ops" }] },
      "db": { "ingress": [{ "protocol": "all", "source": "security_group/web" }] }
    },
    "db_subnet_group": { "data": { "subnets": ["subnet/a", "subnet/c"] } },
    "db_instance": { "app": { "db_subnet_group": "db_subnet_group/data", "publicly_accessible": false } }
  },
  "intents": [{ "name": "shut", "from": "internet", "to": "db_instance/theirs", "expect": "blocked" }],
  "workloads": { "ops": { "subnets": ["subnet/b"], "security_groups": ["security_group/ops"] } },
  "exceptions": [
    {
      "address": "security_group/db",
      "field": "ingress",
      "value": { "protocol": "tcp", "ports": 22, "source": "security_group/ops" },
      "until": "2027-01-31",
      "reason": "the migration"
    }
  ]
}
"""
"""A document of a network that exists: every word about who is who."""


def said_of(text: str | bytes) -> list[str]:
    """What `load` says of a document, a line for each problem, without the file's name."""
    with pytest.raises(DocumentError) as refused:
        load(text if isinstance(text, bytes) else text.encode(), "shop.json")
    lines = str(refused.value).split("\n")
    assert len(lines) == len(refused.value.problems)
    return [line.removeprefix("shop.json:") for line in lines]


def edited(*edits: tuple[str, str], of: str = DOCUMENT) -> str:
    """The document with every text replaced; each stands in it once."""
    text = of
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text
