"""Which differences a version makes itself until the network is at it: the judgement, without a run. The doors' tests
let the first run fail.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from desired_state.document import Document, DocumentException
from desired_state.fields import Address, RuleKey
from desired_state.rules import Ingress
from desired_state.sources import SourceError
from reconciler.attempt.rollout import Judge, after, judge_of, own
from reconciler.engine.result import Drift, Report
from reconciler.ledger.record import Accepted, Rollout
from reconciler.model import ABSENT, DOCUMENT_TAG, NAME_TAG, Difference, Outcome
from tests.support.reports import report
from tests.support.worlds import APP, DATABASE, DOCUMENT_OF, MORNING, VPC, WEB
