"""The entry points: the command line, and the Lambda functions `worker`, `sweep` and `invoke`. Wiring only."""

import gc
import os

IN_LAMBDA = "AWS_LAMBDA_RUNTIME_API" in os.environ
"""Whether Lambda started this process."""

if IN_LAMBDA:
    # Until `stack.ready`: imports leave no garbage, and collecting costs a quarter of their time.
    gc.disable()
