"""The lease on the checkpoint: the run's lock. It lasts 60 s and is renewed while the run lives.

A killed run blocks the next for a minute at most. A run that was paused, or cut off from storage, for longer
than the lease must assume that another has begun: it renews before it goes on, or stops.
"""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobLeaseClient

from shared.azure_calls import ATTEMPT_SECONDS, azure_call
from shared.errors import (
    AlreadyRunning,
    ConnectorError,
    LeaseLost,
    OperatorError,
    ServiceUnavailable,
    StorageRefused,
)
from shared.retry import Retry
from shared.storage import ROLE, refused

LEASE_SECONDS = 60
RENEW_SECONDS = 15.0
RELEASE_SECONDS = 10.0
_TRUSTED_SECONDS = 40.0
"""A lease renewed so recently still holds when the call that relies on it arrives."""
RENEW_ATTEMPT_SECONDS = 15.0
_CONFLICT = frozenset({409, 412})


class Lease:
    """Holds the lease of one blob; a context manager that renews it in the background.

    Args:
        blob: The checkpoint's blob, which must exist when the lease is taken.
        retry: Repeats what fails for a moment.
        clock: Seconds on a clock that never goes back.
        wait: Waits for some seconds, or until the event it is given is set; whether it was set.
    """

    def __init__(
        self,
        blob: BlobClient,
        retry: Retry,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self._blob = blob
        self._retry = retry
        self._clock = clock
        self._wait = wait
        # The id is ours from the start: a repeated request for a lease that was granted in silence succeeds.
        self._id = str(uuid.uuid4())
        self._client = BlobLeaseClient(blob, lease_id=self._id)
        self._renewed = 0.0
        self._lost = False
        self._ended = threading.Event()
        self._lock = threading.Lock()

    @property
    def fence(self) -> BlobLeaseClient:
        """What every save must show."""
        return self._client

    def acquire(self) -> None:
        """Take the lease and keep it renewed.

        Raises:
            AlreadyRunning: Another run has it.
            ResourceNotFoundError: There is no such blob.
        """
        asked = self._clock()
        self._retry(self._acquire_once)
        self._renewed = asked
        threading.Thread(target=self._keep, daemon=True, name="lease").start()

    def ensure(self) -> None:
        """Return only while the lease is ours for some time to come.

        Raises:
            LeaseLost: It is not, and it cannot be had back.
        """
        if not self._lost and self._clock() - self._renewed > _TRUSTED_SECONDS:
            self._renew()
        if self._lost or self._clock() - self._renewed > _TRUSTED_SECONDS:
            raise LeaseLost(
                f"The lease on {self._blob.blob_name} was lost: this run was paused or cut off from storage for "
                "too long. Nothing more is shipped; the next run goes on from the saved cursor."
            )

    def release(self) -> None:
        """Give the lease back; where that fails, it ends by itself within a minute."""
        self._ended.set()
        with self._lock:
            if self._lost:
                return
            with contextlib.suppress(ConnectorError, HttpResponseError):
                # a time of its own: the run's may be used up, and a lease that is kept blocks the next run
                budget = self._retry.budget.beside(RELEASE_SECONDS)
                Retry(budget)(lambda: self._release_once(budget.attempt_seconds(RELEASE_SECONDS)))

    def _ask(self, what: str, verb: Callable[[], object], seconds: float) -> None:
        """One request about the lease."""
        try:
            azure_call(f"{what} ({self._blob.primary_hostname})", verb, StorageRefused, f"{ROLE}.", seconds)
        finally:
            self._client.id = self._id  # the SDK takes its id from the answer, even from half of one

    def _release_once(self, seconds: float) -> None:
        self._ask("lease", self._client.release, seconds)

    def _acquire_once(self) -> None:
        name = self._blob.blob_name
        try:
            seconds = self._retry.attempt_seconds(ATTEMPT_SECONDS)
            self._ask(f"lease on {name}", lambda: self._client.acquire(LEASE_SECONDS), seconds)
        except ResourceNotFoundError:
            raise
        except HttpResponseError as error:
            if error.status_code in _CONFLICT:
                raise AlreadyRunning(
                    f"Another run holds the lease on {name}: this one leaves. After a crash it ends within "
                    f"{LEASE_SECONDS} s."
                ) from None
            raise refused(f"lease on {name}", error) from None

    def _keep(self) -> None:
        while not self._wait(self._ended, RENEW_SECONDS) and not self._lost:
            self._renew()

    def _renew(self) -> None:
        with self._lock:
            if self._ended.is_set():
                return  # it was given back meanwhile
            asked = self._clock()
            try:
                self._ask("lease", self._client.renew, RENEW_ATTEMPT_SECONDS)
                self._renewed = asked
            except HttpResponseError:
                self._lost = True
            except (ServiceUnavailable, OperatorError):
                return  # not lost yet; the next renewal may come through
