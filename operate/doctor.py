"""Every dependency in turn: ok, or the fault and its cure. What a failed one would spoil is not checked.

Nothing of it is seen by the run: the stream is asked for one event from now on, storage for a blob of the
doctor's own that it removes again, the workspace for an empty batch that leaves no row.
"""

import contextlib
import email.utils
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from operate.blobs import Blobs
from operate.failures import sentence
from operate.target import DIRECTORY_SWITCH
from shared import lenient_json
from shared.app import Process, make_process, open_road, open_stream
from shared.budget import Budget
from shared.checkpoint import checkpoint_name, refuse_another
from shared.docusign.client import DocuSignClient
from shared.docusign.oauth import DIRECTORY_SCOPES, MONITOR_SCOPES, TokenSource
from shared.docusign.organization import find_organizations
from shared.docusign.private_key import load_private_key
from shared.errors import (
    DocuSignRefused,
    IngestionRefused,
    OperatorError,
    SettingsError,
)
from shared.ingestion.api import BatchRefused
from shared.lease import Lease
from shared.owner import owner_from_json, owner_of
from shared.position import Position, position_from_json
from shared.retry import Retry, Told
from shared.settings import DATA_COLLECTOR, Settings, read_settings
from shared.storage import make_container
from shared.timestamps import iso_utc
from shared.web import Answer, Request, Transport, https_transport

OK, FAULT, NOT_CHECKED = "ok", "fault", "not checked"
CHECK_SECONDS = 10.0
"""How long a check may repeat what fails for a moment."""
WORTH_TELLING_SECONDS = 30.0
"""A clock that is off by more is named beside a refused token: DocuSign allows a minute or so."""
_BAD_FORMAT = 400


@dataclass(frozen=True)
class Finding:
    """What a check found; `detail` is for a person."""

    check: str
    state: str
    detail: str


class Skipped(Exception):
    """The check cannot be made; the text says what it waits for."""


class Clock:
    """How far this machine's clock is from that of the services, by the Date of their answers."""

    def __init__(self, send: Transport, now: Callable[[], float] = time.time) -> None:
        self._send = send
        self._now = now
        self.seconds_off: float | None = None

    def __call__(self, request: Request) -> Answer:
        """Send the request, and look at the answer's Date."""
        answer = self._send(request)
        with contextlib.suppress(KeyError, ValueError, TypeError):
            there = email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp()
            self.seconds_off = round(self._now() - there, 0)
        return answer


class Doctor:
    """Examines one app.

    Args:
        environ: Its settings.
        seconds: How long each check may go on trying.
        now: Seconds since 1970, by the clock that signs the requests.
        told: Learns of every pause.
        broken: Learns of every error that a finding tells.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        seconds: float = CHECK_SECONDS,
        now: Callable[[], float] = time.time,
        told: Told = lambda _error, _seconds: None,
        broken: Callable[[Exception], object] = lambda _error: None,
    ) -> None:
        self._told = told
        self._broken = broken
        self._environ = environ
        self._seconds = seconds
        self._now = now
        self._clock = Clock(https_transport(), now)
        self._secrets: set[str] = set()
        self._consent: DocuSignRefused | None = None
        self._probe = f"doctor/{uuid.uuid4()}.json"

    def examine(self) -> Iterator[Finding]:
        """The findings, one after the other, each as soon as it is known."""
        states: dict[str, str] = {}
        for name, needs, check in self._checks():
            finding = self._made(name, [need for need in needs if states[need] != OK], check)
            states[name] = finding.state
            yield finding

    def _checks(self) -> list[tuple[str, tuple[str, ...], Callable[[], str]]]:
        return [
            ("settings", (), self._check_settings),
            ("vault", ("settings",), self._check_vault),
            ("private key", ("settings",), self._check_private_key),
            ("token", ("private key",), self._check_token),
            ("consent", ("token",), self._check_consent),
            ("organization", ("consent",), self._check_organization),
            ("monitor", ("consent",), self._check_monitor),
            ("storage", ("settings",), self._check_storage),
            ("lease", ("storage",), self._check_lease),
            ("ingestion", ("settings",), self._check_ingestion),
        ]

    def _made(self, name: str, failed: list[str], check: Callable[[], str]) -> Finding:
        if failed:
            return Finding(name, NOT_CHECKED, f"it needs: {', '.join(failed)}")
        try:
            return Finding(name, OK, check())
        except Skipped as reason:
            return Finding(name, NOT_CHECKED, str(reason))
        except Exception as error:  # noqa: BLE001 - what was found before must not be lost, whatever this is
            self._broken(error)
            return Finding(name, FAULT, "\n".join(_sentences(error)))

    @cached_property
    def _settings(self) -> Settings:
        return read_settings(self._environ)

    @cached_property
    def _parts(self) -> Process:
        """The production parts, with a look at the clock."""
        parts = make_process(self._settings)
        return replace(parts, to_docusign=self._clock, tokens=self._tokens(parts, MONITOR_SCOPES))

    def _tokens(self, parts: Process, scopes: str) -> TokenSource:
        return TokenSource(self._settings, parts.secrets, self._clock, scopes=scopes, now=self._now)

    @property
    def _retry(self) -> Retry:
        return Retry(Budget(self._seconds), told=self._told)

    def _check_settings(self) -> str:
        settings = self._settings
        return f"{settings.auth_url}, {settings.ingestion_api}, {settings.log_type}_CL"

    def _check_vault(self) -> str:
        settings, faults = self._settings, []
        names = [settings.private_key_secret]
        names += [settings.workspace_key_secret] if settings.ingestion_api == DATA_COLLECTOR else []
        for name in names:
            try:
                self._parts.secrets.read(name, self._retry)
                self._secrets.add(name)
            except OperatorError as error:
                faults.append(str(error))
        if faults:
            raise OperatorError("\n".join(faults))
        return f"{settings.key_vault_url} gives {' and '.join(names)}"

    def _held(self, name: str) -> None:
        if name not in self._secrets:
            raise Skipped(f"it needs: the secret {name} from the vault")

    def _check_private_key(self) -> str:
        name = self._settings.private_key_secret
        self._held(name)
        key = load_private_key(self._parts.secrets.read(name, self._retry), name)
        return f"{name} holds an RSA key of {key.key_size} bits"

    def _check_token(self) -> str:
        """A refusal for want of consent also means that key, ids and clock are right."""
        try:
            self._parts.tokens.read(self._retry)
        except DocuSignRefused as error:
            self._consent = error
        except OperatorError as error:
            off = self._clock.seconds_off
            if off is None or abs(off) < WORTH_TELLING_SECONDS:
                raise
            side = "ahead of" if off > 0 else "behind"
            raise OperatorError(
                f"{error} This machine's clock is {abs(off):.0f} s {side} DocuSign's."
            ) from None
        return "DocuSign takes key, user and clock"

    def _check_consent(self) -> str:
        if self._consent is not None:
            raise self._consent
        if self._environ.get(DIRECTORY_SWITCH, "").lower() not in ("false", "0"):
            return f"given for {MONITOR_SCOPES}"
        self._tokens(self._parts, DIRECTORY_SCOPES).read(self._retry)
        return f"given for {DIRECTORY_SCOPES}"

    def _check_organization(self) -> str:
        wanted = self._settings.organization_id
        client = DocuSignClient(self._parts.tokens, self._clock, self._retry)
        found = find_organizations(client, self._settings.auth_url)
        named = ", ".join(sorted(found)) or "none"
        if wanted and found and wanted not in found:
            raise OperatorError(
                f"DOCUSIGN_ORGANIZATION_ID is {wanted}, and the user's accounts belong to {named}. Correct it."
            )
        if not wanted and len(found) > 1:
            raise OperatorError(
                f"The user's accounts belong to {len(found)} organizations: {named}. Set "
                "DOCUSIGN_ORGANIZATION_ID to one of them."
            )
        return wanted or named

    def _check_monitor(self) -> str:
        settings = replace(self._settings, page_size=1, page_interval=0.0)
        now = iso_utc(datetime.now(UTC))
        page = open_stream(settings, self._parts, self._retry).page(Position(now, "", now))
        return f"DocuSign Monitor answers ({page.api})"

    def _check_storage(self) -> str:
        """A blob is written and read, for a role that only reads is not enough; another's checkpoint is a fault."""
        container = self._parts.container
        where = f"{container.primary_hostname}/{container.container_name}"  # its url may hold a signature
        make_container(container, self._retry)
        blobs = Blobs(container, self._retry)
        blobs.write(self._probe, b"{}")
        try:
            blobs.read(self._probe)
        finally:
            blobs.remove(self._probe)
        name = self._checkpoint
        found = blobs.read(name)
        if found is None:
            return f"{where}: writable; no run has saved a checkpoint yet"
        blob = f"{container.container_name}/{name}"
        position = position_from_json(found.content, blob)
        refuse_another(blob, owner_from_json(lenient_json.loads(found.content)), owner_of(self._settings))
        return f"{where}: writable; checkpoint saved {position.saved_at}"

    def _check_lease(self) -> str:
        """A lease of the doctor's own is taken and given back; the run's is only looked at."""
        blobs = Blobs(self._parts.container, self._retry)
        blobs.write(self._probe, b"{}")
        try:
            lease = Lease(self._parts.container.get_blob_client(self._probe), self._retry)
            lease.acquire()
            lease.release()
        finally:
            blobs.remove(self._probe)
        found = blobs.read(self._checkpoint)
        held = found is not None and found.leased
        return "can be had; a run holds the checkpoint's at the moment" if held else "can be had"

    @property
    def _checkpoint(self) -> str:
        return checkpoint_name(self._settings.organization_id)

    def _check_ingestion(self) -> str:
        """An empty batch: address, key or token, role and stream are checked, and there is no row to keep."""
        settings = self._settings
        if settings.ingestion_api == DATA_COLLECTOR:
            self._held(settings.workspace_key_secret)
        road = open_road(settings, self._parts, self._retry)
        try:
            road.post(f"{settings.log_type}Health", [], None)
        except BatchRefused as refused:
            if refused.status != _BAD_FORMAT:
                raise IngestionRefused(f"{refused.sentence}.") from None
        return f"{road.name} takes posts for {settings.log_type}"


def _sentences(error: Exception) -> list[str]:
    return error.faults if isinstance(error, SettingsError) else [sentence(error)]
