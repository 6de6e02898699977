"""The laboratory: moto made as strict as AWS, with a fault switch, so that Setpoint is shown honestly without an
account.

Never part of the Lambda artefact; only the demo and the tests import it.
"""

from lab.faults import Faults, Stopped
from lab.strict_aws import Call, StrictAws, laboratory
from lab.world import World

__all__ = ["Call", "Faults", "Stopped", "StrictAws", "World", "laboratory"]
