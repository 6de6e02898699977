"""What a test does to RDS by hand, beside calls: time, states, failures, and answers that nobody is sure of.

The base of StrictAws, with the operations of every module of RDS.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from lab import (
    rds_blue_green,
    rds_clock,
    rds_events,
    rds_replicas,
    rds_restores,
    rds_time,
    rds_unsure,
    strict_rds,
    strict_subnet_groups,
)
from lab.live import Answer, Live, Params
from lab.refusal import not_modelled

OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    **strict_rds.OPERATIONS,
    **rds_blue_green.OPERATIONS,
    **rds_events.OPERATIONS,
    **rds_replicas.OPERATIONS,
    **rds_restores.OPERATIONS,
    **strict_subnet_groups.OPERATIONS,
}
_NOT_MODELLED = (
    "ApplyPendingMaintenanceAction", "CreateDBCluster", "CreateDBProxy", "DescribeCertificates",
    "DescribeDBEngineVersions", "DescribeDBMajorEngineVersions", "DescribeOptionGroups",
    "DescribeOrderableDBInstanceOptions", "DescribePendingMaintenanceActions", "DescribeValidDBInstanceModifications",
    "ModifyCertificates", "ModifyDBParameterGroup", "ResetDBParameterGroup", "SwitchoverReadReplica",
)  # fmt: skip
"""Calls that moto does not have, or answers kinder than RDS; nothing that is tried here makes them."""


def _refused(operation: str) -> Callable[[Live, Params], Answer]:
    def act(live: Live, params: Params) -> Answer:
        raise not_modelled(f"{operation} of RDS")

    return act


OPERATIONS |= {operation: _refused(operation) for operation in _NOT_MODELLED}


class RdsControls:
    """The DB instances of one account and Region, in the hands of a test."""

    _live: Live
    _lock: threading.RLock

    @property
    def settle_after(self) -> int:
        """A busy instance settles after being described this many times."""
        return self._live.settle_after

    @settle_after.setter
    def settle_after(self, describes: int) -> None:
        self._live.settle_after = describes

    @property
    def status_lag(self) -> int:
        """For so many describes after a modify, the status of an instance still says `available`."""
        return self._live.status_lag

    @status_lag.setter
    def status_lag(self, describes: int) -> None:
        self._live.status_lag = describes

    def settle(self) -> None:
        """RDS finishes its changes: creating and modifying become available, deleting and switching over end."""
        with self._lock, self._live.writing("rds", "settle", {}):
            rds_clock.settle_all(self._live)
            rds_blue_green.settle(self._live)

    def maintenance_window(self) -> None:
        """The maintenance window comes: everything pending is applied, every instance settles."""
        with self._lock, self._live.writing("rds", "maintenance window", {}):
            rds_clock.maintenance_window(self._live)

    def rds_state(self, identifier: str, status: str | None = None, pending: dict[str, Any] | None = None) -> None:
        """Put an instance into a state that AWS might reach by itself: a status, and all of PendingModifiedValues."""
        with self._lock, self._live.writing("rds", "state", {}):
            rds_clock.put(self._live, identifier, status, pending)

    def advance(self, to: datetime) -> None:
        """The clock of RDS goes on to this time; it stands still otherwise, at 2026-11-22 09:00 in a new laboratory.
        Maintenance windows that open until then apply what waits, and what was stopped for seven days starts.
        """
        with self._lock, self._live.writing("rds", "advance", {}):
            rds_time.advance(self._live, to)

    def rds_fails(self, identifier: str, parameter: str, text: str = rds_events.NO_CAPACITY) -> None:
        """From now on every modify of this parameter of ModifyDBInstance is accepted and not carried out, which only an
        event says; an empty `text` ends that.
        """
        with self._lock:
            rds_events.fail(self._live, identifier, parameter, text)

    def rds_unsure(self, **answers: Any) -> None:
        """Choose answers that nobody is sure of (`rds_unsure.Unsure`)."""
        with self._lock:
            rds_unsure.choose(self._live, **answers)

    def half_switched_over(self, deployment: str) -> None:
        """A switchover is in its middle: the blue instance has given up its name, and the green one lacks it yet."""
        with self._lock, self._live.writing("rds", "switchover", {}):
            rds_blue_green.step_aside(self._live, deployment)

    def new_role(self, arn: str) -> None:
        """A role that AWS does not know everywhere yet: RDS refuses it until `know_roles`."""
        with self._lock:
            self._live.new_roles.add(arn)

    def know_roles(self) -> None:
        """AWS knows every role everywhere now."""
        with self._lock:
            self._live.new_roles.clear()
