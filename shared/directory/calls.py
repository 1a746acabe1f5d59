"""Calls for the directory: spaced, counted, and never those that the customer's own apps need.

All apps of an account share 3,000 calls an hour, and 500 (demo: 200) in 30 s (DocuSign's page "API rate limits").
"""

from collections.abc import Callable
from typing import Any

from shared.budget import Budget
from shared.docusign.client import DocuSignClient
from shared.errors import ServiceUnavailable
from shared.web import Answer

RESERVED_SHARE = 1 / 3
"""The share of the hour's calls, and of a burst's, that is left to the customer's own apps."""
SHIPPING_SHARE = 0.2
"""No call is begun with less than this share of the run left: what it brings must still be shipped and saved."""
BURST_SECONDS = 30.0
"""For so long DocuSign counts the calls of a burst."""


class OutOfCalls(Exception):
    """No further call is made: the calls of the hour, or the run's time, are nearly used up."""


class OutOfHourlyCalls(OutOfCalls):
    """It is the calls of the hour, which are counted by account: another one may have some left."""


class Calls:
    """Makes one call after the other.

    Args:
        client: Signed-in requests, with the directory's scopes and answers.
        pace: Waits until the next request may start.
        budget: The run's time.

    Attributes:
        count: Calls so far.
    """

    def __init__(self, client: DocuSignClient, pace: Callable[[], None], budget: Budget) -> None:
        self._client = client
        self._pace = pace
        self._budget = budget
        self._hour_low = ""
        self._burst_low = ""
        self.count = 0

    def ready(self) -> None:
        """Return when the next call may be made, with a token for it.

        Raises:
            OutOfHourlyCalls: The account has no calls left for this hour.
            OutOfCalls: No call may be made in this run.
            ConnectorError: There is no token.
        """
        if self._hour_low:
            raise OutOfHourlyCalls(
                f"the account's API calls for this hour are left to other apps ({self._hour_low})"
            )
        if self._burst_low:
            self._wait_for_burst()
        self.ensure_time()
        self._pace()
        self._client.sign_in()

    def for_another_account(self) -> None:
        """Forget how many calls the hour has left: the next answer tells it for another account."""
        self._hour_low = ""

    def get(self, address: str) -> dict[str, Any]:
        """The JSON object at an address.

        Raises:
            DocuSignRefused, OperatorError: Retrying cannot help.
            ServiceUnavailable: DocuSign stayed down for as long as one call may take.
        """
        self.count += 1
        content, answer = self._client.get(address)
        self._hour_low, self._burst_low = _low(answer, "ratelimit"), _low(answer, "burstlimit")
        if not isinstance(content, dict):
            raise ServiceUnavailable(
                f"{address.partition('?')[0]}: the answer has not the shape of a directory"
            )
        return content

    def ensure_time(self, seconds: float = 0.0) -> None:
        """Return while there is time for something, beside so many seconds.

        Raises:
            OutOfCalls: There is none.
        """
        left = self._budget.remaining
        if left - seconds <= SHIPPING_SHARE * (self._budget.spent + left):
            raise OutOfCalls("the run's time is used up")

    def _wait_for_burst(self) -> None:
        """Let DocuSign's count of a burst run out: half a minute is no reason to leave for hours."""
        self.ensure_time(BURST_SECONDS)
        self._budget.sleep(BURST_SECONDS)
        self._burst_low = ""


def _low(answer: Answer, kind: str) -> str:
    """How many calls of a kind are left, where these are others'; empty while there are more."""
    remaining, limit = answer.number(f"x-{kind}-remaining"), answer.number(f"x-{kind}-limit")
    if remaining is not None and limit and 0 <= remaining <= limit * RESERVED_SHARE:
        return f"{remaining:.0f} of {limit:.0f}"
    return ""
