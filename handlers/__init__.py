"""The doors: how a run is asked for, and how its report is handed back. Wiring only."""

import gc
import os

IN_LAMBDA = "AWS_LAMBDA_RUNTIME_API" in os.environ
"""Whether this is a process that Lambda has started."""

if IN_LAMBDA:
    # Until all is imported (stack.ready): nothing of that is garbage, and to look for some costs a quarter of the time.
    gc.disable()
