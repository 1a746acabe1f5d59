"""The longest run that may be set still reports before the host ends it."""

import json
from datetime import timedelta
from pathlib import Path

from shared.app import REPORT_SECONDS
from shared.budget import SHORTEST_ATTEMPT
from shared.ingestion.refusals import LEAST_SECONDS
from shared.lease import RELEASE_SECONDS, RENEW_ATTEMPT_SECONDS
from shared.settings import MOST_RUN_SECONDS

HOST = Path(__file__).parents[2] / "host.json"


def test_a_failing_run_reports_before_the_host_ends_it() -> None:
    """All that may follow the end of the run's time fits into what host.json leaves."""
    hours, minutes, seconds = map(int, json.loads(HOST.read_text())["functionTimeout"].split(":"))
    timeout = timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    call_in_hand = SHORTEST_ATTEMPT
    # halving ends after its least time; then each part that waits, no more than there were halvings, is posted once
    halving = 2 * LEAST_SECONDS + 3 * SHORTEST_ATTEMPT
    report = REPORT_SECONDS + SHORTEST_ATTEMPT
    release = RENEW_ATTEMPT_SECONDS + RELEASE_SECONDS + SHORTEST_ATTEMPT

    assert MOST_RUN_SECONDS + call_in_hand + halving + report + release < timeout
