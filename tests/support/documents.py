"""The document that the tests of loading edit, and what `load` says of it then."""

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


def said_of(text: str | bytes) -> list[str]:
    """What `load` says of a document, a line for each problem, without the file's name."""
    with pytest.raises(DocumentError) as refused:
        load(text if isinstance(text, bytes) else text.encode(), "shop.json")
    lines = str(refused.value).split("\n")
    assert len(lines) == len(refused.value.problems)
    return [line.removeprefix("shop.json:") for line in lines]


def edited(*edits: tuple[str, str]) -> str:
    """The document with every text replaced; each stands in it once."""
    text = DOCUMENT
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text
