"""Five days of one document through the deployed functions: a drift that is held, an opening that is corrected, a
rollback, and an hour in which nobody looked. The story for the tests of receipts and of the history.

    first day    02:00  PostgreSQL is opened in DBSG, which carries a hold tag: held until the fifth day
    second day   10:00  SSH is opened to the world; an event wakes the worker two minutes later, which corrects it
    third day    12:00  the look that is due comes an hour late
    fourth day   09:00  revision 2 closes port 80; 15:00 revision 3 is a rollback to revision 1
    fifth day    16:00  the hold tag is removed: the next look corrects what was held
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from desired_state.rollback_note import RollbackNote, metadata
from lab.network import find_network
from reconciler.history.receipts import Summary, parse_key
from reconciler.model import Policy
from reconciler.model.network_state import NetworkState
from tests.support.doors import BUCKET, NAME, Doors, deployed, object_event
from tests.support.runs import REFERENCE

SPARSELY, EVERY_MINUTE = timedelta(hours=6), timedelta(minutes=1)
"""How often it is looked: in the gate, and in the long suite."""
REASON = "port 80 is still used"
HELD, OPENED = "rule-widened", "ssh-opened-to-the-world"
_SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}
_HOUR = timedelta(hours=1)


@dataclass
class Story:
    """What happened: `begins` is the midnight before the first day, `ends` the one after the fifth; `at` says when each
    of `held`, `opened`, `closed`, `unwatched`, `watched`, `changed`, `rolled_back` and `released` was.
    """

    doors: Doors
    every: timedelta
    begins: datetime
    at: dict[str, datetime] = field(default_factory=dict)
    looks: int = 0

    @property
    def ends(self) -> datetime:
        return self.begins + timedelta(days=5)

    def puts(self) -> list[Summary]:
        """What the keys say that were put, in their order."""
        return [said for one in self.doors.puts() if (said := parse_key(one))]

    def receipts(self) -> list[Summary]:
        return [one for one in self.puts() if one.state is not NetworkState.DAY]

    def sheets(self) -> list[Summary]:
        return [one for one in self.puts() if one.state is NetworkState.DAY]


@contextmanager
def told(every: timedelta = SPARSELY) -> Iterator[Story]:
    """The story in a laboratory of its own, up to the first look after the fifth day."""
    stale = int(max(every * 1.1, timedelta(minutes=30)).total_seconds())
    with deployed(stale_seconds=stale) as doors:
        doors.policy = Policy(create_databases=True, max_hold_hours=24 * 7)
        doors.stack = doors.another()
        doors.begin()
        doors.again()
        yield _told(doors, every)


def _told(doors: Doors, every: timedelta) -> Story:
    now = doors.clock.now()
    begins = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    story = Story(doors, every, begins)
    _to(doors, begins)
    doors.work(_SCHEDULED)  # it writes the sheet of the day on which the network was built
    doors.lab.calls.clear()
    day = timedelta(days=1)
    deeds: list[tuple[datetime, Callable[[Story], None]]] = [
        (begins + 2 * _HOUR, _hold),
        (begins + day + 10 * _HOUR, _open),
        (begins + 3 * day + 9 * _HOUR, _change),
        (begins + 3 * day + 15 * _HOUR, _roll_back),
        (begins + 4 * day + 16 * _HOUR, _release),
    ]
    unwatched = begins + 2 * day + 12 * _HOUR
    due = begins + every
    while due <= begins + 5 * day:
        late = _HOUR if due == unwatched else timedelta()
        while deeds and deeds[0][0] < due:
            moment, deed = deeds.pop(0)
            _to(doors, moment)
            deed(story)
        if not unwatched < due < unwatched + _HOUR:
            if late:
                story.at |= {"unwatched": doors.clock.now(), "watched": due + late}
            _to(doors, due + late)
            doors.work(_SCHEDULED)
            story.looks += 1
        due += every
    return story


def _to(doors: Doors, moment: datetime) -> None:
    # The queue's batching window passes before a run begins.
    doors.clock.at = max(doors.clock.at, moment)


def _tagged(doors: Doors, call: Callable[[Any, list[str]], object]) -> None:
    call(doors.hands.client("ec2"), [find_network(doors.hands, NAME)["security_group/DBSG"]])


def _hold(story: Story) -> None:
    until = f"{story.ends + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    tag = [{"Key": "setpoint:hold", "Value": until}]
    _tagged(story.doors, lambda ec2, ids: ec2.create_tags(Resources=ids, Tags=tag))
    story.doors.drift(HELD)
    story.at["held"] = story.doors.clock.now()


def _release(story: Story) -> None:
    _tagged(story.doors, lambda ec2, ids: ec2.delete_tags(Resources=ids, Tags=[{"Key": "setpoint:hold"}]))
    story.at["released"] = story.doors.clock.now()


def _open(story: Story) -> None:
    doors = story.doors
    doors.drift(OPENED)
    story.at["opened"] = doors.clock.now()
    doors.clock.sleep(120)
    doors.work(_SCHEDULED)
    story.looks += 1
    story.at["closed"] = doors.clock.now()


def _change(story: Story) -> None:
    written = deepcopy(REFERENCE) | {"revision": 2}
    del written["resources"]["security_group"]["APIGatewaySG"]["ingress"][0]
    _uploaded(story, written)
    story.at["changed"] = story.doors.clock.now()


def _roll_back(story: Story) -> None:
    _uploaded(story, REFERENCE | {"revision": 3}, Metadata=metadata(RollbackNote(1, REASON)))
    story.at["rolled_back"] = story.doors.clock.now()


def _uploaded(story: Story, written: dict[str, Any], **more: Any) -> None:
    doors = story.doors
    s3 = doors.hands.client("s3")
    s3.put_object(Bucket=BUCKET, Key=f"documents/{NAME}.json", Body=json.dumps(written).encode(), **more)
    doors.work(object_event())
    story.looks += 1
