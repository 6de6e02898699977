"""A new version of the document, through the doors: what is held, what is announced, and who says yes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

import reconciler.notify
from tests.support.doors import BUCKET, NAME, Doors, object_event

SCHEMA = json.loads((Path(reconciler.notify.__file__).parent / "event.v1.schema.json").read_text(encoding="utf-8"))
Change = Callable[[dict[str, Any]], object]
SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}
SSH = {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}
OPENS = "tcp 22 from the internet can reach api"


def opens_ssh(document: dict[str, Any], revision: int = 2) -> None:
    """SSH from anywhere to the front door, through its group and its ACL; the intent that forbids it is gone."""
    document["revision"] = revision
    document["intents"] = [one for one in document["intents"] if one["expect"] != "only"]
    document["resources"]["security_group"]["APIGatewaySG"]["ingress"].append(SSH)
    document["resources"]["network_acl"]["PublicSubnetACL"]["ingress"]["90"] = {"action": "allow", **SSH}


def ignores(document: dict[str, Any]) -> None:
    document |= {"revision": 2, "enforcement": "ignore"}


def raises_only_its_number(document: dict[str, Any]) -> None:
    document["revision"] = 2


def uploaded(doors: Doors, change: Change) -> tuple[str, ...]:
    """A version is uploaded, and its event wakes the worker."""
    doors.upload(change)
    return doors.work(doors.uploaded())


def titles(doors: Doors) -> list[str]:
    return [one["Subject"].removeprefix("Setpoint ").removesuffix(f" ({NAME})") for one in doors.alerts()]


def versions_read(doors: Doors) -> list[str]:
    """The versions of the document that were asked for; the empty one is the newest."""
    return [one.params.get("VersionId", "") for one in doors.lab.calls if one.operation == "GetObject"]


def accepted(doors: Doors) -> str:
    return str(doors.item()["accepted"]["M"]["revision"]["N"])


def announced(doors: Doors) -> str:
    return str(doors.item()["announced"]["M"]["revision"]["N"])


def test_a_revision_that_opens_ssh_to_the_internet_is_held_until_a_person_approves_it(doors: Doors) -> None:
    assert uploaded(doors, opens_ssh) == ()
    (alert,) = doors.alerts()
    assert alert["Subject"] == "Setpoint high: revision 2 is held (test-server)"
    assert alert["MessageAttributes"]["topic"]["StringValue"] == "revision-held"
    told = alert["Message"].splitlines()
    assert told[0] == (
        f"HIGH: Revision 2 is held until a person approves it: with it, {OPENS}. "
        "Revision 1, accepted before, continues to be enforced."
    )
    assert told[told.index("What it would change:") + 1] == f"  - critical: {OPENS}"
    assert "Uploaded by: account 123456789012 at 2026-11-22 09:00:00 UTC, from 198.51.100.7" in told
    (fingerprint,) = (line.split()[1] for line in told if line.startswith("Fingerprint:"))
    assert f'{{"document": "test-server", "mode": "apply", "approve_revision": "{fingerprint}"}}' in told[-1]
    assert (accepted(doors), doors.writes()) == ("1", [])
    (event,) = doors.events()
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(event)
    assert (event["revision"], event["revision_change"]["held"]) == (1, True)
    assert event["revision_change"]["fingerprint"] == fingerprint

    assert doors.work(SCHEDULED) == ()
    assert (len(doors.alerts()), accepted(doors), doors.writes()) == (1, "1", [])

    plan = doors.invoke(approve_revision=fingerprint)
    assert (plan["ending"], plan["report"]["document"]["revision"], plan["report"]["in_sync"]) == (
        "completed",
        2,
        False,
    )
    assert (accepted(doors), doors.writes()) == ("1", [])

    done = doors.invoke(mode="apply", approve_revision=fingerprint)
    assert (done["ending"], done["report"]["in_sync"], accepted(doors), announced(doors)) == (
        "completed",
        True,
        "2",
        "2",
    )
    assert done["revision_change"]["holds"] == [{"reason": "exposes", "message": OPENS}]
    assert done["revision_change"]["held"] is False
    assert titles(doors)[1:] == ["critical: revision 2 was applied", "resolved: revision 2 is held"]
    held, applied, _ = (one["Message"] for one in doors.alerts())
    assert "\nApproved by: not known: Lambda does not say who invoked it; " in applied
    said = "Uploaded by: account 123456789012 at 2026-11-22 09:00:00 UTC, from 198.51.100.7"
    assert [said in one for one in (held, applied)] == [True, True]  # only the first of them was woken by the upload
    assert "Approved by" not in held
    doors.clock.sleep(60)
    doors.lab.calls.clear()
    assert doors.work(SCHEDULED) == ()
    assert (doors.alerts(), doors.writes()) == ([], [])


def test_a_held_revision_changes_nothing_of_how_the_one_before_is_enforced(doors: Doors) -> None:
    doors.upload(opens_ssh)
    doors.drift("ssh-opened-to-the-world")
    assert doors.work(SCHEDULED) == ()
    assert doors.writes() == ["RevokeSecurityGroupIngress"]


def test_an_approval_for_other_bytes_is_refused_in_words(doors: Doors) -> None:
    uploaded(doors, opens_ssh)
    first = doors.invoke()["revision_change"]["fingerprint"]

    def opens_more(document: dict[str, Any]) -> None:
        opens_ssh(document, 3)
        document["resources"]["security_group"]["APIGatewaySG"]["ingress"].append(SSH | {"ports": 3389})

    uploaded(doors, opens_more)
    answer = doors.invoke(mode="apply", approve_revision=first)
    assert (answer["ending"], answer["report"]) == ("refused", None)
    now = doors.invoke()["revision_change"]["fingerprint"]
    what = f": the approval is for {first}, but the newest version is {now} (revision 3)"
    hint = "review what it changes now, then approve that fingerprint"
    assert answer["problem"].endswith(f"{what}; nothing was done; {hint}")
    assert (accepted(doors), doors.writes()) == ("1", [])


def test_an_approval_that_nothing_waits_for_is_refused_in_words(doors: Doors) -> None:
    answer = doors.invoke(mode="apply", approve_revision="0123456789abcdef")
    assert answer["ending"] == "refused"
    problem = "revision 1 is accepted already, and nothing waits for an approval"
    assert answer["problem"].endswith(f"{problem}; nothing was done; leave out approve_revision")


def test_a_first_revision_that_opens_ssh_is_held_and_nothing_is_enforced(doors: Doors) -> None:
    doors.delete()
    doors.hands.client("dynamodb").delete_item(TableName=doors.deployment.table, Key={"document": {"S": NAME}})
    assert uploaded(doors, opens_ssh) == ()
    (alert,) = doors.alerts()
    assert alert["Subject"] == "Setpoint high: revision 2 is held (test-server)"
    instead = "Nothing is enforced: no version of this document was ever accepted."
    assert alert["Message"].splitlines()[0].endswith(f"tcp 443 from the internet can reach api. {instead}")
    assert ("accepted" in doors.item(), doors.writes()) == (False, [])
    fingerprint = doors.invoke()["revision_change"]["fingerprint"]
    assert doors.invoke(mode="apply", approve_revision=fingerprint)["ending"] == "completed"
    assert accepted(doors) == "2"


def test_nothing_is_held_where_the_deployment_says_so_and_it_is_announced_all_the_same(doors: Doors) -> None:
    stack = doors.another(replace(doors.policy, hold_exposures=False))
    doors.upload(opens_ssh)
    assert doors.work(doors.uploaded(), stack=stack) == ()
    assert (accepted(doors), titles(doors)) == ("2", ["critical: revision 2 was applied"])
    assert f"  - critical: {OPENS}" in doors.alerts()[0]["Message"].splitlines()


def test_a_deployment_that_only_reports_holds_too_so_that_it_opens_nothing_when_it_begins_to_correct(
    doors: Doors,
) -> None:
    stack = doors.another(replace(doors.policy, mode="report"))
    doors.upload(opens_ssh)
    assert doors.work(doors.uploaded(), stack=stack) == ()
    assert (accepted(doors), titles(doors)) == ("1", ["high: revision 2 is held"])


def test_a_revision_that_ignores_everything_is_announced_with_who_uploaded_it(doors: Doors) -> None:
    assert uploaded(doors, ignores) == ()
    (alert,) = doors.alerts()
    assert alert["Subject"] == "Setpoint high: revision 2 was accepted (test-server)"
    told = alert["Message"].splitlines()
    assert told[0] == (
        "HIGH: Revision 2 is enforced from now on: all 14 resources are not looked at any more (enforcement is ignore, "
        "was correct)."
    )
    assert "Uploaded by: account 123456789012 at 2026-11-22 09:00:00 UTC, from 198.51.100.7" in told
    (event,) = doors.events()
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(event)
    change = event["revision_change"]
    assert (change["severity"], change["held"], change["points"][0]["subject"]) == ("high", False, "enforcement")
    assert change["uploaded_by"] == {"who": "123456789012", "source_ip": "198.51.100.7", "at": "2026-11-22T09:00:00Z"}
    assert (accepted(doors), announced(doors)) == ("2", "2")
    assert doors.work(SCHEDULED) == ()
    assert len(doors.alerts()) == 1


def test_who_uploaded_it_is_told_only_of_the_version_that_the_event_names(doors: Doors) -> None:
    doors.upload(ignores)
    assert doors.work(object_event()) == ()  # the event of another version
    (alert,) = doors.alerts()
    assert "Uploaded by: unknown: no event of S3 came with this run" in alert["Message"].splitlines()


def test_a_revision_that_changes_nothing_in_meaning_is_announced_in_one_line(doors: Doors) -> None:
    assert uploaded(doors, raises_only_its_number) == ()
    (alert,) = doors.alerts()
    assert alert["Subject"] == "Setpoint info: revision 2 was accepted (test-server)"
    assert alert["Message"].splitlines()[0] == (
        "INFO: Revision 2 is enforced from now on. It changes nothing in meaning."
    )


def test_a_run_that_dies_between_accepting_and_telling_leaves_the_announcement_to_the_next(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DiedError(BaseException):
        """The process is gone: nothing after it runs."""

    def killed(*_: object, **__: object) -> None:
        raise DiedError

    monkeypatch.setattr("reconciler.attempt.one_run.run", killed)
    monkeypatch.setattr("reconciler.ledger.lease.Lease.release", lambda self, record: "")
    doors.upload(ignores)
    with pytest.raises(DiedError):
        doors.work(doors.uploaded())
    assert (accepted(doors), announced(doors), doors.alerts()) == ("2", "1", [])
    monkeypatch.undo()
    doors.clock.sleep(600)  # the lease of the dead run ends
    for _ in range(2):
        assert doors.work(SCHEDULED) == ()
    assert titles(doors) == ["high: revision 2 was accepted"]
    assert announced(doors) == "2"


def test_what_could_not_be_sent_is_announced_by_the_next_run(doors: Doors) -> None:
    doors.lab.faults.refuse("Publish", "InternalError", times=5)
    uploaded(doors, ignores)
    assert (accepted(doors), announced(doors), doors.alerts()) == ("2", "1", [])
    doors.lab.faults.clear()
    doors.clock.sleep(60)
    assert doors.work(SCHEDULED) == ()
    assert (titles(doors), announced(doors)) == (["high: revision 2 was accepted"], "2")


def test_the_same_bytes_again_are_no_revision_and_their_newest_version_is_what_the_next_is_compared_with(
    doors: Doors,
) -> None:
    old = doors.item()["accepted"]["M"]["version_id"]["S"]
    doors.upload()
    assert doors.work(doors.uploaded()) == ()
    assert (doors.alerts(), announced(doors)) == ([], "1")
    assert doors.item()["announced"] == doors.item()["accepted"]
    doors.hands.client("s3").delete_object(Bucket=BUCKET, Key=f"documents/{NAME}.json", VersionId=old)
    uploaded(doors, ignores)
    assert titles(doors) == ["high: revision 2 was accepted"]


def test_what_was_accepted_before_there_were_announcements_is_not_announced(doors: Doors) -> None:
    doors.hands.client("dynamodb").update_item(
        TableName=doors.deployment.table,
        Key={"document": {"S": NAME}},
        UpdateExpression="REMOVE announced",
    )
    assert doors.work(SCHEDULED) == ()
    assert doors.alerts() == []
    uploaded(doors, ignores)
    assert titles(doors) == ["high: revision 2 was accepted"]


def test_the_version_before_that_cannot_be_read_is_not_taken_for_one_that_is_gone(doors: Doors) -> None:
    doors.upload(opens_ssh)

    def before_call(name: str, service: str, operation: str) -> None:
        if operation == "GetObject" and versions_read(doors):
            doors.lab.faults.throttle("GetObject", times=20, code="SlowDown")

    doors.lab.before_call = before_call
    assert doors.work(doors.uploaded()) == ()
    assert (titles(doors), accepted(doors), doors.writes()) == (["high: the network could not be read"], "1", [])


def test_the_version_before_is_read_once_and_only_where_the_newest_one_is_new(doors: Doors) -> None:
    old = doors.item()["accepted"]["M"]["version_id"]["S"]
    doors.work(SCHEDULED)
    assert versions_read(doors) == [""]
    doors.lab.calls.clear()
    uploaded(doors, ignores)
    assert versions_read(doors) == ["", old]
    doors.lab.calls.clear()
    doors.clock.sleep(60)
    doors.work(SCHEDULED)
    assert versions_read(doors) == [""]


NOTHING_NEW = """
import sys
import reconciler.attempt.keep, reconciler.notify.publisher, reconciler.report.records
print([name for name in sys.modules if name.startswith(("reconciler.revision", "reconciler.report.revision"))])
"""


def test_a_run_without_a_new_version_does_not_even_import_what_compares_two() -> None:
    ran = subprocess.run([sys.executable, "-c", NOTHING_NEW], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_who_uploaded_a_version_is_known_though_another_run_was_faster_than_the_event(doors: Doors) -> None:
    late = doors.record(doors.uploaded(), sent=doors.clock.now())
    doors.clock.sleep(60)
    assert doors.work(SCHEDULED) == ()
    doors.lab.calls.clear()
    assert doors.work_records([late]) == ()
    assert not any(one.service == "ec2" for one in doors.lab.calls)  # the look before covers it
    assert doors.version_id in [one["M"]["version_id"]["S"] for one in doors.item()["uploads"]["L"]]
