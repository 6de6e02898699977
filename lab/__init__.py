"""The laboratory: moto made as strict as AWS, with fault injection, so that Setpoint can be tested without an account.

Only the demo, the benchmarks and the tests import it; it is not in the Lambda artefact.
"""

from lab.faults import Faults, Stopped
from lab.strict_aws import Call, StrictAws, laboratory
from lab.world import World

__all__ = ["Call", "Faults", "Stopped", "StrictAws", "World", "laboratory"]
