"""How long a verb waits for what may heal, and how a person learns of it.

A timer's run may use all of its time for an outage, for nobody looks at it. Somebody who typed a command does:
one thing has some seconds to heal, each pause is told on stderr, and then the verb fails with a cure.
"""

import math
from collections.abc import Callable
from functools import partial

from operate.output import Output
from shared.budget import Budget
from shared.errors import ServiceUnavailable
from shared.retry import Retry, Told

PATIENCE_SECONDS = 20.0
"""How long one thing may take to heal; a long verb may meet several short outages, each with as much."""
STATE_SECONDS = 60.0
"""How long a look at the state may take, with all of its waiting."""
LONG_SECONDS = 7 * 86_400.0
"""Replay and export have no end but their own."""


def patient(out: Output) -> Callable[[Budget], Retry]:
    """Makes a Retry of a budget that waits as a person would, and says for what."""
    return partial(Retry, patience=PATIENCE_SECONDS, told=teller(out))


def teller(out: Output) -> Told:
    """Tells each pause in a line of its own, such as `Waiting 3 s: <what failed>`."""

    def told(error: ServiceUnavailable, seconds: float) -> None:
        out.aside(f"Waiting {math.ceil(seconds)} s: {str(error).rstrip('.')}.")

    return told
