"""`setpoint import` over the laboratory: arguments in, a document, a report and an exit code out; it never writes."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers import document_file, wiring
from lab import StrictAws, World
from lab.drifts import Network
from tests.support.canaries import CANARIES

EXAMPLE = Path(__file__).parents[2] / "desired_state/examples/test-server.json"
OURS: Any = [{"Key": "setpoint:document"}, {"Key": "setpoint:name"}]
_STRANGE: dict[int, World] = {}


@pytest.fixture
def strange(lab: StrictAws, network: Network) -> str:
    """The example network as if somebody had built it without Setpoint; the VPC's id."""
    if id(lab) not in _STRANGE:
        _forget(lab, network)
        _STRANGE[id(lab)] = lab.save()
    lab.restore(_STRANGE[id(lab)])
    lab.calls.clear()
    return network.vpc_id


def _forget(lab: StrictAws, network: Network) -> None:
    """Take our tags off everything."""
    ec2, rds = lab.outsider().client("ec2"), lab.outsider().client("rds")
    ids = [one for address, one in network.ids.items() if not address.startswith("db_")]
    ec2.delete_tags(Resources=ids, Tags=OURS)
    for instance in rds.describe_db_instances()["DBInstances"]:
        rds.remove_tags_from_resource(ResourceName=instance["DBInstanceArn"], TagKeys=[one["Key"] for one in OURS])


@pytest.fixture(autouse=True)
def nothing_is_written(lab: StrictAws) -> Iterator[None]:
    yield
    assert [call.operation for call in lab.calls if call.kind == "write"] == []


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Somebody at a terminal, with these answers."""

    def answers(*lines: str) -> None:
        class Person:
            def __init__(self) -> None:
                self._lines = list(lines)

            def isatty(self) -> bool:
                return True

            def readline(self, _: int = -1) -> str:
                return self._lines.pop(0) + "\n" if self._lines else ""

        person = Person()
        monkeypatch.setattr(sys, "stdin", person)
        monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True, raising=False)
        monkeypatch.setenv("NO_COLOR", "1")

        def visible(prompt: str = "") -> str:
            sys.stderr.write(prompt)
            line = person.readline()
            if not line:
                raise EOFError
            return line.rstrip("\n")

        monkeypatch.setattr("click.termui.visible_prompt_func", visible)

    return answers


def test_the_document_goes_to_stdout_and_the_report_to_stderr(setpoint: Any, strange: str) -> None:
    ran = setpoint("import", "--vpc", strange)
    assert ran.code == 0
    written = json.loads(ran.out)
    assert (written["name"], written["revision"]) == ("myvpc", 1)
    assert written["scope"] == {"account_id": "123456789012", "region": "ap-northeast-2", "vpc_id": strange}
    lines = ran.err.splitlines()
    assert lines[0] == (f'Account 123456789012, ap-northeast-2: {strange} "MyVPC" -> stdout, 17 resources, 18 reads')
    assert lines[1] == (
        "  takes over    1 VPC, 1 internet gateway, 3 subnets, 3 route tables, 4 security groups, 3 network ACLs, "
        "1 DB subnet group, 1 DB instance"
    )
    assert lines[2] == "  by            what AWS keeps unique 13, Name tag 4"
    assert lines[3].startswith("  proposes      intent 'the internet does not reach mypostgresqldb'")
    assert lines[4] == "  asks AWS      16 tag calls (setpoint:document, setpoint:name), nothing else: proven"
    assert lines[-1] == "Next: write it to a file, then: setpoint plan FILE"


def test_what_it_writes_is_what_plan_then_says(setpoint: Any, strange: str, tmp_path: Path) -> None:
    path = tmp_path / "server.json"
    ran = setpoint("import", "--vpc", strange, "--name", "server", "--out", path)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.splitlines()[0].endswith(f'"MyVPC" -> {path}, 17 resources, 18 reads')
    assert ran.err.splitlines()[-1] == f"Next: setpoint plan {path}"
    planned = setpoint("plan", path, "-o", "json").report()
    assert {one["operation"] for one in planned["actions"]} == {"ec2:CreateTags", "rds:AddTagsToResource"}
    assert len(planned["actions"]) == 16
    assert setpoint("validate", path).code == 0


def test_the_report_as_json_is_all_that_stands_on_stderr(setpoint: Any, strange: str, tmp_path: Path) -> None:
    ran = setpoint("import", "--vpc", strange, "--out", tmp_path / "server.json", "-o", "json")
    told = json.loads(ran.err)
    assert told["format_version"] == 1
    (one,) = told["imports"]
    assert one["takes_over"]["subnet"] == 3
    assert one["target"] == str(tmp_path / "server.json")
    assert told["left_out"] == []


def test_a_folder_gets_a_file_of_the_document_s_name(setpoint: Any, strange: str, tmp_path: Path) -> None:
    assert setpoint("import", "--vpc", strange, "--out", tmp_path).code == 0
    assert [one.name for one in tmp_path.iterdir()] == ["myvpc.json"]
    assert stat.S_IMODE((tmp_path / "myvpc.json").stat().st_mode) == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_file_that_exists_is_never_overwritten(setpoint: Any, strange: str, lab: StrictAws, tmp_path: Path) -> None:
    path = tmp_path / "shop.json"
    path.write_text("mine")
    ran = setpoint("import", "--vpc", strange, "--out", path)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"{path} exists: give --into {path} to add to it, or another --out\n"
    assert path.read_text() == "mine"
    assert len(lab.calls) <= 2  # it is known before the network is read


def test_a_file_that_comes_to_exist_meanwhile_is_not_overwritten_either(
    setpoint: Any, strange: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shop.json"
    check = document_file.check_new

    def checked(*arguments: Any, **more: Any) -> None:
        check(*arguments, **more)
        path.write_text("mine")

    monkeypatch.setattr(document_file, "check_new", checked)
    ran = setpoint("import", "--vpc", strange, "--out", path)
    assert ran.code == 1
    assert "exists: give --into" in ran.err
    assert path.read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["shop.json"]


def test_without_hard_links_a_new_file_is_made_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    path = tmp_path / "shop.json"
    document_file.create(path, b"{}\n")
    assert path.read_bytes() == b"{}\n"
    with pytest.raises(document_file.FileRefused, match="exists"):
        document_file.create(path, b"other")
    assert [one.name for one in tmp_path.iterdir()] == ["shop.json"]


@pytest.mark.parametrize("out", ["missing/shop.json", "no\x1bfolder/x.json"])
def test_a_folder_that_does_not_exist_is_said_so(setpoint: Any, strange: str, tmp_path: Path, out: str) -> None:
    ran = setpoint("import", "--vpc", strange, "--out", tmp_path / out)
    assert ran.code == 1
    assert "the folder does not exist: create it, or give another --out" in ran.err
    assert "\x1b" not in ran.err


# Which VPC.


def test_without_a_terminal_the_vpcs_are_listed_and_one_is_asked_for(setpoint: Any, strange: str) -> None:
    ran = setpoint("import")
    assert (ran.code, ran.out) == (1, "")
    lines = ran.err.splitlines()
    assert lines[0].split() == ["VPC", "Name", "network", "subnets", "interfaces", "databases", "document"]
    assert lines[1].split() == ["1", strange, "MyVPC", "10.0.0.0/16", "3", "1", "1"]
    assert "(default VPC)" in lines[2]
    assert lines[-1] == "there is no terminal to ask which one: give --vpc ID"


def test_the_list_says_which_document_owns_a_vpc(setpoint: Any, lab: StrictAws) -> None:
    assert setpoint("import").err.splitlines()[1].split()[-1] == "test-server"


def test_at_a_terminal_it_asks_for_the_vpc_a_name_and_imports(
    setpoint: Any, strange: str, terminal: Callable[..., None]
) -> None:
    terminal("1", "server", "-")
    ran = setpoint("import")
    assert ran.code == 0
    assert json.loads(ran.out)["name"] == "server"
    assert "Which VPC, by number or id: " in ran.err
    assert "Name of its document [myvpc]: " in ran.err


def test_an_answer_that_is_no_vpc_or_no_name_is_asked_again(
    setpoint: Any, strange: str, terminal: Callable[..., None]
) -> None:
    terminal("7", strange, "My Server", "server", "-")
    ran = setpoint("import")
    assert ran.code == 0
    assert json.loads(ran.out)["name"] == "server"
    assert "'My Server' is not a valid document name" in ran.err


def test_the_document_of_a_dialogue_goes_to_a_file_of_its_name(
    setpoint: Any, strange: str, terminal: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    terminal("1", "server", "")
    ran = setpoint("import")
    assert (ran.code, ran.out) == (0, "")
    assert "File to write it to (- for the terminal) [server.json]: " in ran.err
    assert ran.err.splitlines()[-1] == "Next: setpoint plan server.json"
    assert json.loads((tmp_path / "server.json").read_text())["name"] == "server"


def test_the_end_of_input_writes_nothing(setpoint: Any, strange: str, terminal: Callable[..., None]) -> None:
    terminal()
    ran = setpoint("import")
    assert (ran.code, ran.out) == (130, "")


def test_a_vpc_of_a_document_is_refused(setpoint: Any, lab: StrictAws, network: Network) -> None:
    words = (
        f"{network.vpc_id} belongs to the document 'test-server': give --into its file, or --name another to import "
        "only what is not its own\n"
    )
    for name in ([], ["--name", "test-server"]):
        ran = setpoint("import", "--vpc", network.vpc_id, *name)
        assert (ran.code, ran.out, ran.err) == (1, "", words)


def test_under_another_name_what_is_not_its_own_is_imported(setpoint: Any, lab: StrictAws, network: Network) -> None:
    ec2 = lab.outsider().client("ec2")
    group = ec2.create_security_group(GroupName="reports", Description="Reports", VpcId=network.vpc_id)["GroupId"]
    source = {"UserIdGroupPairs": [{"GroupId": network["security_group/DBSG"]}]}
    permission: Any = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **source}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    ran = setpoint("import", "--vpc", network.vpc_id, "--name", "reports", "--only", "security_group")
    assert ran.code == 0, ran.err
    written = json.loads(ran.out)
    assert written["external"] == {"security_group/DBSG": {"document": "test-server"}}
    assert list(written["resources"]["security_group"]) == ["default", "reports"]


def test_all_goes_into_a_folder_and_says_what_it_left_out(
    setpoint: Any, strange: str, lab: StrictAws, tmp_path: Path
) -> None:
    ec2 = lab.outsider().client("ec2")
    owned = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[owned], Tags=[{"Key": "setpoint:document", "Value": "network"}])
    used = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[used], Tags=[{"Key": "Name", "Value": "MyVPC"}])
    ec2.create_security_group(GroupName="web", Description="Web", VpcId=used)
    folder = tmp_path / "all"
    ran = setpoint("import", "--all", "--out", folder)
    assert ran.code == 0, ran.err
    assert sorted(one.name for one in folder.iterdir()) == sorted(
        [f"myvpc-{strange[-4:]}.json", f"myvpc-{used[-4:]}.json"]
    )
    left_out = [line for line in ran.err.splitlines() if line.startswith("Left out: ")]
    assert len(left_out) == 2
    assert left_out[0] == f"Left out: {owned} (no Name tag) belongs to the document 'network'"
    assert left_out[1].endswith("(default VPC): nothing uses it")
    for path in folder.iterdir():
        assert setpoint("validate", path).code == 0


def test_all_goes_into_a_folder_even_if_it_is_one_document(setpoint: Any, strange: str, tmp_path: Path) -> None:
    folder = tmp_path / "all"
    assert setpoint("import", "--all", "--out", folder).code == 0
    assert [one.name for one in folder.iterdir()] == ["myvpc.json"]


def test_nothing_of_several_documents_is_written_if_one_exists(
    setpoint: Any, strange: str, lab: StrictAws, tmp_path: Path
) -> None:
    other = lab.outsider().client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    (tmp_path / f"{other}.json").write_text("mine")
    ran = setpoint("import", "--vpc", strange, "--vpc", other, "--out", tmp_path)
    assert ran.code == 1
    assert [one.name for one in tmp_path.iterdir()] == [f"{other}.json"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--vpc", "vpc-x"], "'vpc-x' is not a VPC id; write the id as AWS shows it: vpc-..."),
        (["--vpc", "vpc-0123456789abcdef0"], "vpc-0123456789abcdef0 does not exist in account 123456789012"),
        (["--vpc", "vpc-1", "--name", "Shop"], "'Shop' is not a valid document name"),
        (["--vpc", "vpc-1", "--only", "subnets"], "--only: there is no kind 'subnets'; write one of vpc, "),
        (["--vpc", "vpc-1", "--accept", "vpc/x"], "--accept takes live values into a document: give --into DOC too"),
        (["--all"], "several documents need a folder: give --out DIR"),
        (["--vpc", "vpc-1", "--vpc", "vpc-2"], "several documents need a folder: give --out DIR"),
        (["--all", "--vpc", "vpc-1", "--out", "x"], "--all is every VPC: leave --vpc out"),
        (["--all", "--name", "x", "--out", "y"], "--name names one document: leave it out, or import one VPC"),
        (["--into", "x.json", "--out", "y"], "--into adds to one document, in its own file: leave --all, --name, "),
    ],
)
def test_options_that_cannot_be_meant_are_refused(setpoint: Any, strange: str, words: list[str], told: str) -> None:
    ran = setpoint("import", *words)
    assert (ran.code, ran.out) == (1, "")
    assert told in ran.err


# Into a document.


@pytest.fixture
def imported(setpoint: Any, strange: str, tmp_path: Path) -> Path:
    """A file that was just imported."""
    path = tmp_path / "server.json"
    assert setpoint("import", "--vpc", strange, "--name", "server", "--out", path).code == 0
    return path


@pytest.fixture
def cache(imported: Path, strange: str, lab: StrictAws) -> str:
    """A group that appeared after the import."""
    ec2 = lab.outsider().client("ec2")
    return ec2.create_security_group(GroupName="cache", Description="Cache", VpcId=strange)["GroupId"]


def test_a_file_that_declares_everything_is_not_touched(setpoint: Any, imported: Path) -> None:
    before = (imported.read_bytes(), imported.stat().st_mtime_ns, imported.stat().st_ino)
    ran = setpoint("import", "--into", imported)
    assert (ran.code, ran.out) == (0, "")
    assert (imported.read_bytes(), imported.stat().st_mtime_ns, imported.stat().st_ino) == before
    assert ran.err.splitlines()[0].endswith("17 resources, unchanged, revision 1, 18 reads")
    assert "Next: " not in ran.err


def test_a_new_group_is_shown_and_added(setpoint: Any, imported: Path, cache: str) -> None:
    imported.chmod(0o640)
    ran = setpoint("import", "--into", imported)
    assert (ran.code, ran.out) == (0, "")
    assert "  takes over    1 security group" in ran.err
    written = json.loads(imported.read_text())
    assert written["revision"] == 2
    assert "cache" in written["resources"]["security_group"]
    assert stat.S_IMODE(imported.stat().st_mode) == 0o640
    assert [one.name for one in imported.parent.iterdir()] == ["server.json"]


@pytest.mark.parametrize(("answer", "code", "revision"), [("y", 0, 2), ("n", 1, 1)])
def test_at_a_terminal_it_asks_before_it_writes(
    setpoint: Any, imported: Path, cache: str, terminal: Callable[..., None], answer: str, code: int, revision: int
) -> None:
    terminal(answer)
    ran = setpoint("import", "--into", imported)
    assert ran.code == code
    assert f"Write this to {imported}? [y/N]: " in ran.err
    assert json.loads(imported.read_text())["revision"] == revision


def test_accept_takes_what_drifted_into_the_file(
    setpoint: Any, imported: Path, drift: Callable[[str], None], lab: StrictAws, strange: str
) -> None:
    ec2 = lab.outsider().client("ec2")
    (web,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["APIGatewaySG"]}])[
        "SecurityGroups"
    ]
    permission: Any = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "192.0.2.7/32"}]}
    ec2.authorize_security_group_ingress(GroupId=web["GroupId"], IpPermissions=[permission])
    ran = setpoint("import", "--into", imported, "--accept", "security_group/APIGatewaySG")
    assert ran.code == 0, ran.err
    assert "  accepts       + security_group/APIGatewaySG ingress: tcp 22 from 192.0.2.7/32" in ran.err
    rules = json.loads(imported.read_text())["resources"]["security_group"]["APIGatewaySG"]["ingress"]
    assert {"protocol": "tcp", "ports": 22, "source": "192.0.2.7/32"} in rules


def test_a_file_that_changes_meanwhile_is_not_replaced(
    setpoint: Any, imported: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = document_file.replace

    def late(path: Path, *rest: Any) -> None:
        path.write_text("mine")
        replace(path, *rest)

    monkeypatch.setattr(document_file, "replace", late)
    ran = setpoint("import", "--into", imported)
    assert ran.code == 1
    assert f"{imported} has changed meanwhile: run it again" in ran.err
    assert imported.read_text() == "mine"


def test_a_link_to_a_document_stays_a_link(setpoint: Any, imported: Path, cache: str, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(imported)
    assert setpoint("import", "--into", link).code == 0
    assert link.is_symlink()
    assert json.loads(imported.read_text())["revision"] == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [("{", "this is not JSON"), ("[]", "expected an object"), (None, "there is no such file")],
)
def test_what_is_no_document_is_refused(setpoint: Any, strange: str, tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "x.json"
    if text:
        path.write_text(text)
    ran = setpoint("import", "--into", path)
    assert (ran.code, ran.out) == (1, "")
    assert told in ran.err


def test_the_vpc_beside_into_must_be_the_document_s(setpoint: Any, imported: Path, strange: str) -> None:
    assert setpoint("import", "--into", imported, "--vpc", strange).code == 0
    ran = setpoint("import", "--into", imported, "--vpc", "vpc-0123456789abcdef0")
    assert ran.code == 1
    assert f"{imported} describes {strange}, not vpc-0123456789abcdef0" in ran.err


# What fails.


def test_a_refused_read_of_a_kind_leaves_it_out_and_says_so(setpoint: Any, strange: str, lab: StrictAws) -> None:
    lab.faults.refuse("DescribeDBInstances", times=9)
    ran = setpoint("import", "--vpc", strange)
    assert ran.code == 0
    assert not {"db_instance", "db_subnet_group"} & json.loads(ran.out)["resources"].keys()
    assert "  not looked at DB subnet groups: DescribeDBInstances: " in ran.err


def test_a_network_that_cannot_be_read_is_said_so(setpoint: Any, strange: str, lab: StrictAws) -> None:
    lab.faults.refuse("DescribeVpcs", times=9)
    ran = setpoint("import", "--vpc", strange)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("the network could not be read: the VPC could not be read: DescribeVpcs: ")


def test_without_a_region_it_says_how_to_name_one(
    setpoint: Any, strange: str, monkeypatch: pytest.MonkeyPatch, lab: StrictAws
) -> None:
    session = lab.session()
    monkeypatch.setattr(session._session, "get_config_variable", lambda name, *_: None)
    monkeypatch.setattr(wiring, "open_session", lambda options: session)
    monkeypatch.delenv("AWS_REGION", raising=False)
    ran = setpoint("import", "--vpc", strange)
    assert ran.code == 1
    assert "the region is not known: name it with --region, or set AWS_REGION" in ran.err


def test_secrets_that_people_wrote_into_descriptions_stay_out_of_the_report(
    setpoint: Any, strange: str, lab: StrictAws, tmp_path: Path
) -> None:
    """They are in the document, as they are in AWS; nothing of them is told."""
    ec2 = lab.outsider().client("ec2")
    group = ec2.create_security_group(GroupName="odd", Description="Odd", VpcId=strange)["GroupId"]
    canaries = [one for one in CANARIES if one.name in {"a connection string of another kind", "a GitHub token"}]
    for port, canary in enumerate(canaries, start=1):
        said = {"CidrIp": "10.0.0.0/8", "Description": f"{canary.text} & more"}
        permission: Any = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [said]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    ran = setpoint("import", "--vpc", strange, "--out", tmp_path / "server.json")
    assert ran.code == 0
    document = (tmp_path / "server.json").read_text()
    assert [one.name for one in canaries if one.secret not in document] == []
    assert [one.name for one in canaries if one.secret in ran.err] == []
