"""Regions and zones of every partition, by the data that botocore carries."""

from __future__ import annotations

import json
import subprocess
import sys

import boto3
import pytest

from desired_state.load import DocumentError, load
from desired_state.regions import is_region, listed_regions, region_of
from reconciler.aws.rds import arn

PLACES = ["a", "z", "-lax-1a", "-bos-1b", "-wl1-bos-wlz-1", "-wl1-foe-wlz-1", "-iah-2a"]


def every_region() -> list[str]:
    session = boto3.Session()
    return [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition)
    ]


def document(region: str, zone: str) -> bytes:
    resources = {
        "vpc": {"a": {"cidr_block": "10.0.0.0/16"}},
        "subnet": {"a": {"cidr_block": "10.0.1.0/24", "availability_zone": zone}},
    }
    scope = {"account_id": "123456789012", "region": region}
    whole = {"version": 1, "name": "a", "revision": 1, "scope": scope, "resources": resources}
    return json.dumps(whole).encode()


def test_a_document_can_be_for_every_region_and_zone_that_aws_has() -> None:
    regions = every_region()
    assert {"eusc-de-east-1", "us-gov-west-1", "cn-north-1", "us-isob-east-1", "mx-central-1"} <= set(regions)
    for region in regions:
        for place in PLACES:
            assert load(document(region, region + place), "d.json").scope.region == region
            assert region_of(region + place) == region


def test_a_zone_of_another_region_is_refused_wherever_both_are() -> None:
    regions = every_region()
    for region, other in zip(regions, regions[1:] + regions[:1], strict=True):
        with pytest.raises(DocumentError, match=f"is not a zone of {other}"):
            load(document(other, f"{region}a"), "d.json")


@pytest.mark.parametrize("region", ["ap-southeast-42", "us-gov-south-1", "eusc-de-west-2"])
def test_a_region_that_is_newer_than_botocore_is_one_if_its_partition_says_so(region: str) -> None:
    assert is_region(region)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Seoul",
        "eu-west",
        "eu-west-1a",
        "aws-global",
        "aws-cn-global",
        "euscde-east-1",
        "xx-west-1",
        "eu-west-1\n",
        "eu-wést-1",
        " eu-west-1",
    ],
)
def test_what_no_partition_has_is_no_region(text: str) -> None:
    assert not is_region(text)


@pytest.mark.parametrize(
    "text", ["", "eu-west-1", "use1-az1", "eu-west-1ab", "eu-west-1-", "eu-west-1A", "eu-west-1a\n", "xx-west-1a"]
)
def test_what_is_no_name_of_a_zone_has_no_region(text: str) -> None:
    assert region_of(text) is None


def test_a_misspelled_region_is_refused_with_the_one_that_is_meant() -> None:
    with pytest.raises(DocumentError, match=r"'eu_west-1' is not a valid region .*; did you mean .eu-west-1.\?"):
        load(document("eu_west-1", "eu-west-1a"), "d.json")


def test_botocore_itself_is_not_imported() -> None:
    program = "import sys; from desired_state.regions import is_region; assert is_region('eu-west-1');"
    program += "sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_arns_of_rds_begin_with_the_partition_of_every_region_that_aws_has() -> None:
    session = boto3.Session()
    for region in every_region():
        declared = load(document(region, f"{region}a"), "d.json")
        partition = session.get_partition_for_region(region)
        assert arn(declared, "db:a") == f"arn:{partition}:rds:{region}:123456789012:db:a"


def test_what_stands_for_a_partition_is_never_proposed() -> None:
    assert {"eu-west-1", "cn-north-1"} <= listed_regions()
    assert [one for one in listed_regions() if one.endswith("-global")] == []


def test_where_a_region_is_misspelled_and_could_be_one_the_zones_say_so() -> None:
    with pytest.raises(DocumentError, match=r'zone of eu-wst-1 .*; write a zone such as "eu-wst-1a", or correct scope'):
        load(document("eu-wst-1", "eu-west-1a"), "d.json")
