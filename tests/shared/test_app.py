import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from shared import app, health, shutdown
from shared.app import Process, generations, open_road, run_monitor
from shared.docusign.oauth import TokenSource
from shared.errors import (
    AlreadyRunning,
    ConnectorError,
    DocuSignRefused,
    IngestionRefused,
    OperatorError,
    SecretError,
    SettingsError,
    StateError,
)
from shared.ingestion.data_collector import DataCollector
from shared.ingestion.logs_ingestion import LogsIngestion
from shared.ingestion.monitor_token import MonitorToken
from shared.web import Answer, Request
from tests.shared.fakes import (
    IDENTITY_TOKEN,
    PRIVATE_KEY_SECRET,
    TRACE,
    WORKSPACE_KEY,
    WORKSPACE_KEY_SECRET,
    BlobService,
    FakeCredential,
    FakeVault,
    TokenEndpoint,
    Wire,
    json_answer,
    make_client,
    make_retry,
    make_secrets,
    rsa_key,
)
from tests.support import ENVIRON, EVENT, ManualClock, make_event, make_settings

ORGANIZATION = "0a6e6c5c-9c5d-4b8a-8d1e-2f6b0c9d7e11"
OTHER = "1b6e6c5c-9c5d-4b8a-8d1e-2f6b0c9d7e11"
APP = ENVIRON | {"PAGE_INTERVAL_SECONDS": "0"}
CHECKPOINT = "checkpoint/default.json"
LOGS_APP = {
    "INGESTION_API": "logs-ingestion",
    "DATA_COLLECTION_ENDPOINT": "https://example-abcd.eastus-1.ingest.monitor.azure.com",
    "DATA_COLLECTION_RULE_ID": "dcr-0123456789abcdef0123456789abcdef",
}


class DocuSign:
    """DocuSign as one transport: tokens, userinfo, and both streams over a list of events."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.organizations = [ORGANIZATION.upper()]
        self.refusal: Answer | None = None
        self.requests: list[Request] = []
        self._tokens = TokenEndpoint()

    def __call__(self, request: Request) -> Answer:
        """Answer as the service at this address does."""
        self.requests.append(request)
        path = urlsplit(request.url).path
        if path == "/oauth/token":
            return self._tokens(request)
        if path == "/oauth/userinfo":
            accounts = [{"organization": {"organization_id": one}} for one in self.organizations]
            return json_answer(200, {"accounts": accounts})
        return self.refusal or self._page(request, "resultData" if path.startswith("/v1/") else "data")

    def asked(self, part: str) -> int:
        """Count the requests whose address has this part."""
        return sum(part in request.url for request in self.requests)

    def _page(self, request: Request, key: str) -> Answer:
        query = dict(parse_qsl(urlsplit(request.url).query))
        cursor = query["cursor"]
        start = int(cursor.removeprefix("cursor-")) if cursor.startswith("cursor-") else 0
        events = self.events[start : start + int(query["limit"])]
        end_cursor = f"cursor-{start + len(events)}" if events else cursor
        return json_answer(200, {key: events, "endCursor": end_cursor}, TRACE)


class Workspace:
    """A workspace as one transport: the rows of each table."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.answer: Callable[[str], Answer] = lambda _: Answer(200)
        self.signatures: list[str] = []

    def __call__(self, request: Request) -> Answer:
        """Take a post."""
        table = request.headers["Log-Type"]
        self.signatures.append(request.headers["Authorization"].partition(":")[2])
        answer = self.answer(table)
        if answer.status == 200:
            self.tables.setdefault(table, []).extend(json.loads(request.body or b"[]"))
        return answer

    @property
    def ids(self) -> list[str]:
        """The ids of the events, in the order of their acceptance."""
        return [row["eventId"] for row in self.tables.get("DocuSignMonitor", [])]

    @property
    def health(self) -> list[dict[str, Any]]:
        """The rows of the health table."""
        return self.tables.get("DocuSignMonitorHealth", [])


class World:
    """All that a run meets."""

    def __init__(self) -> None:
        self.docusign = DocuSign()
        self.workspace = Workspace()
        self.vault = FakeVault()
        self.storage = BlobService(ManualClock(), exists=False)
        self.parts = self.new_process()

    def new_process(self) -> Process:
        """Give the parts of a fresh process."""
        secrets = make_secrets(self.vault)
        credential = FakeCredential()
        return Process(
            secrets=secrets,
            tokens=TokenSource(make_settings(), secrets, self.docusign),
            monitor_token=MonitorToken(credential, FakeCredential, "scope"),
            container=self.storage.client(),
            to_docusign=self.docusign,
            to_workspace=self.workspace,
            organizations=set(),
        )

    def happen(self, count: int) -> None:
        """Let so many events happen."""
        first = len(self.docusign.events)
        self.docusign.events += [make_event(eventId=f"event-{first + n}") for n in range(count)]

    def saved(self) -> Any:
        """Give what the checkpoint holds."""
        return json.loads(self.storage.content(CHECKPOINT))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Give a world whose parts are the process's."""
    made = World()
    monkeypatch.setattr(app, "process", lambda _: made.parts)
    return made


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Catch whatever is logged once logging is set up as in Azure."""
    names = ("azure", "urllib3", "requests", "msal", health.LOG.name)
    levels = {name: logging.getLogger(name).level for name in names}
    caplog.set_level(logging.DEBUG)
    app.set_up_logging()
    yield caplog
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def line(log: pytest.LogCaptureFixture) -> tuple[int, dict[str, Any]]:
    """Give the level and the figures of the one line that a run logs."""
    (record,) = [record for record in log.records if record.getMessage().startswith(health.LINE)]
    return record.levelno, json.loads(record.getMessage().removeprefix(health.LINE))


def test_first_run(world: World, log: pytest.LogCaptureFixture) -> None:
    """A first run carries what there is, saves it, and reports the same figures in a row and in a line."""
    world.happen(5)
    figures = run_monitor(APP | {"PAGE_SIZE": "2"})
    (row,) = world.workspace.health

    assert [f"event-{n}" for n in range(5)] == world.workspace.ids
    assert ("cursor-5", "v3") == (world.saved()["cursor"], world.saved()["api"])
    assert ("caught-up", 4, 5, 3, 0, 0) == (
        figures.outcome,
        figures.pages,
        figures.events,
        figures.batches,
        figures.retries,
        figures.deadLetters,
    )
    assert figures.row() == row
    assert (logging.INFO, row) == line(log)
    assert ("v3", "data-collector", True) == (row["api"], row["ingestion"], row["lagSeconds"] > 0)
    assert ("live", ORGANIZATION) == (row["lane"], row["organizationId"])
    assert "error" not in row
    assert not world.storage.leased(CHECKPOINT)


def test_next_run_goes_on(world: World) -> None:
    """The next run begins where the last one ended, and nothing comes twice."""
    world.happen(3)
    run_monitor(APP)
    world.happen(2)
    second = run_monitor(APP)
    third = run_monitor(APP)

    assert [f"event-{n}" for n in range(5)] == world.workspace.ids
    assert (2, 0) == (second.events, third.events)
    assert third.lagSeconds is not None
    assert 3 == len({row["runId"] for row in world.workspace.health})


def test_process_keeps_tokens_and_secrets(world: World) -> None:
    """Runs of one process share token, secrets and what userinfo said; another process asks again."""
    for _ in range(3):
        run_monitor(APP)
    assert (1, 1, 2) == (
        world.docusign.asked("/oauth/token"),
        world.docusign.asked("/oauth/userinfo"),
        len(world.vault.reads),
    )
    world.parts = world.new_process()
    run_monitor(APP)

    assert 2 == world.docusign.asked("/oauth/token")


def test_failed_run(world: World, log: pytest.LogCaptureFixture) -> None:
    """A failed run raises, says so in a row and in a warning, keeps what was saved, and frees the lease."""
    world.happen(2)
    run_monitor(APP)
    saved = world.saved()
    world.happen(2)
    world.docusign.refusal = Answer(403, TRACE, b"Organization does not have Monitor entitlement")
    log.clear()

    with pytest.raises(DocuSignRefused, match="Ask DocuSign to add Monitor") as raised:
        run_monitor(APP)

    row = world.workspace.health[-1]
    assert ("failed", f"DocuSignRefused: {raised.value}") == (row["outcome"], row["error"])
    assert (logging.WARNING, row) == line(log)
    assert "trace-4711" in row["error"]
    assert saved == world.saved()
    assert not world.storage.leased(CHECKPOINT)


def test_failure_in_the_middle(world: World) -> None:
    """What was accepted before a failure stays saved, and is counted."""
    world.happen(6)
    posts: list[str] = []

    def answer(table: str) -> Answer:
        posts.append(table)
        return Answer(200 if len(posts) != 2 else 401)

    world.workspace.answer = answer
    with pytest.raises(IngestionRefused):
        run_monitor(APP | {"PAGE_SIZE": "2"})

    assert "cursor-2" == world.saved()["cursor"]
    assert ("failed", 1, 2) == tuple(
        world.workspace.health[0][name] for name in ("outcome", "pages", "events")
    )
    run_monitor(APP)
    assert [f"event-{n}" for n in range(6)] == world.workspace.ids


@pytest.mark.parametrize("status", [400, 404, 405])
def test_report_that_fails(world: World, log: pytest.LogCaptureFixture, status: int) -> None:
    """A health row that cannot be posted fails no run: it is told in the log, and its absence is an alert."""
    world.happen(1)
    world.workspace.answer = lambda table: Answer(status if table.endswith("Health") else 200)

    assert "caught-up" == run_monitor(APP).outcome
    assert any("The health row could not be posted" in record.getMessage() for record in log.records)


@pytest.mark.parametrize("secret", [PRIVATE_KEY_SECRET, WORKSPACE_KEY_SECRET])
def test_missing_secret(world: World, log: pytest.LogCaptureFixture, secret: str) -> None:
    """Without one of its secrets a run fails before anything is asked of DocuSign or the storage account."""
    del world.vault.values[secret]

    with pytest.raises(SecretError, match=secret):
        run_monitor(APP)

    assert ([], []) == (world.docusign.requests, world.storage.names())
    assert "failed" == line(log)[1]["outcome"]


def test_logs_ingestion_needs_no_workspace_key(world: World) -> None:
    """By the other road the workspace key is not read, for there may be none."""
    del world.vault.values[WORKSPACE_KEY_SECRET]
    settings = make_settings(
        INGESTION_API="logs-ingestion",
        DATA_COLLECTION_ENDPOINT="https://example.ingest.monitor.azure.com",
        DATA_COLLECTION_RULE_ID="dcr-00000000000000000000000000000000",
    )
    app.MonitorRun(settings, world.parts)._read_secrets()

    assert [PRIVATE_KEY_SECRET] == world.vault.reads
    assert isinstance(open_road(settings, world.parts, make_retry()), LogsIngestion)
    assert isinstance(open_road(make_settings(), world.parts, make_retry()), DataCollector)


def test_second_run_leaves_politely(world: World, log: pytest.LogCaptureFixture) -> None:
    """While another run holds the lease this one ends at once, without an error and without a row."""
    run_monitor(APP)
    log.clear()
    other = app.MonitorRun(make_settings(), world.parts)._checkpoint
    with other:
        figures = run_monitor(APP)

    level, logged = line(log)
    assert ("already-running", logging.INFO) == (figures.outcome, level)
    assert AlreadyRunning.__name__ in logged["error"]
    assert 1 == len(world.workspace.health)


def test_unreadable_checkpoint(world: World) -> None:
    """A broken checkpoint fails the run; the stream is not begun anew."""
    run_monitor(APP)
    world.storage.write(CHECKPOINT, b"{")

    with pytest.raises(StateError, match=CHECKPOINT):
        run_monitor(APP)

    assert "failed" == world.workspace.health[-1]["outcome"]


def test_wrong_settings() -> None:
    """Wrong settings fail the run with every fault, before anything else."""
    with pytest.raises(SettingsError) as raised:
        run_monitor({"RUN_SECONDS": "soon"})

    assert {"RUN_SECONDS", "KEY_VAULT_URL", "DOCUSIGN_USER_ID", "AzureWebJobsStorage"} <= {
        fault.split()[0] for fault in raised.value.faults
    }


def test_refused_event_is_counted(world: World) -> None:
    """A record that the workspace refuses becomes a dead letter, and the run goes on."""
    world.happen(3)
    world.docusign.events[1]["city"] = "poison"
    refused = json_answer(400, {"Error": "InvalidDataFormat", "Message": "-"})
    workspace = Wire(
        lambda request: refused if b"poison" in (request.body or b"") else world.workspace(request)
    )
    world.parts = replace(world.parts, to_workspace=workspace)
    figures = run_monitor(APP)

    assert (3, 1, ["event-0", "event-2"]) == (figures.events, figures.deadLetters, world.workspace.ids)
    assert 1 == len(world.storage.names("dead-letters/"))


def test_a_run_with_dead_letters_does_not_look_healthy(world: World, log: pytest.LogCaptureFixture) -> None:
    """It ends well, and is told: in the row's sentence, and as a warning in the log."""
    world.happen(2)
    world.docusign.events[1]["userAgent"] = "x" * 40_000
    run_monitor(APP)

    level, logged = line(log)
    assert (logging.WARNING, "caught-up", 1) == (level, logged["outcome"], logged["deadLetters"])
    assert world.workspace.health[-1]["error"].startswith("Dead letters: 1. The workspace does not take")
    assert "manage.py replay" in logged["error"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(
            400, {"content-type": "text/html"}, b"<html>400 Bad Request - Request Header Too Large</html>"
        ),
        json_answer(
            400, {"error": {"code": "InvalidTransformOutput", "message": "the transformation failed"}}
        ),
        json_answer(400, {"error": {"code": "InvalidApiVersion"}}),
        json_answer(400, {"error": {"code": "UnsupportedContentEncoding"}}),
        json_answer(400, {"error": {"code": "InvalidRequest", "message": "the body was spoilt on its way"}}),
        Answer(400),
    ],
)
def test_a_gateway_that_refuses_everything(world: World, answer: Answer) -> None:
    """800 events, every post answered 400: the run is red with the service's words, the cursor stays."""
    world.happen(800)
    world.parts = replace(world.parts, to_workspace=lambda _: answer)

    with pytest.raises(IngestionRefused) as raised:
        run_monitor(APP | LOGS_APP | {"PAGE_SIZE": "200"})

    assert "2026" in world.saved()["cursor"]
    assert [] == world.storage.names("dead-letters/")
    assert any(word in str(raised.value) for word in ("it says", "it answers with", "not known to lie"))


def test_data_collector_that_refuses_everything(world: World) -> None:
    """On the other road as well: all alike for a reason that is listed as the record's fault."""
    world.happen(800)
    world.workspace.answer = lambda _: json_answer(400, {"Error": "InvalidDataFormat", "Message": None})

    with pytest.raises(IngestionRefused, match="All 200 records of a page were refused alike"):
        run_monitor(APP | {"PAGE_SIZE": "200"})

    assert ([], True) == (world.storage.names("dead-letters/"), "2026" in world.saved()["cursor"])


def test_a_failed_runs_fetch_ends_with_it(world: World) -> None:
    """What was to be fetched beside the page that failed is not asked for once the run is over."""
    world.happen(20)
    world.workspace.answer = lambda _: json_answer(400, {"Error": "InactiveCustomer"})
    with pytest.raises(IngestionRefused):
        run_monitor(APP | {"PAGE_SIZE": "1", "PAGE_INTERVAL_SECONDS": "0.3"})
    asked = world.docusign.asked("/stream")
    time.sleep(0.5)

    assert (1, 1) == (asked, world.docusign.asked("/stream"))


def test_another_users_checkpoint(world: World) -> None:
    """Going live with demo's state is refused by name before DocuSign is asked for a page."""
    world.happen(2)
    run_monitor(APP | {"DOCUSIGN_ENVIRONMENT": "demo"})
    asked = world.docusign.asked("/stream")

    with pytest.raises(StateError, match=r"belongs to DocuSign demo, user .*and the settings say production"):
        run_monitor(APP)
    assert asked == world.docusign.asked("/stream")


def test_restart_is_told(world: World, log: pytest.LogCaptureFixture) -> None:
    """A stream that had to be taken up elsewhere is told in the row, and as a warning."""
    world.happen(1)
    run_monitor(APP)
    log.clear()
    run_monitor(APP | {"DOCUSIGN_MONITOR_API": "v2"})

    level, logged = line(log)
    assert (logging.WARNING, "caught-up") == (level, logged["outcome"])
    assert "some events come twice" in world.workspace.health[-1]["error"]


def test_sigterm(world: World) -> None:
    """SIGTERM in the middle of a run ends it after the page in hand."""
    world.happen(20)

    def answer(_: str) -> Answer:
        for stop in shutdown._running:
            stop.set()
        return Answer(200)

    world.workspace.answer = answer
    figures = run_monitor(APP | {"PAGE_SIZE": "1"})

    assert ("budget", 1, "") == (figures.outcome, figures.pages, figures.error)
    assert set() == shutdown._running


def test_organization_names_the_checkpoint(world: World) -> None:
    """Where the organization is set, userinfo is not asked, and the checkpoint has its name."""
    world.parts.organizations.add(ORGANIZATION)
    run_monitor(APP | {"DOCUSIGN_ORGANIZATION_ID": ORGANIZATION})

    assert [f"checkpoint/{ORGANIZATION}.json"] == world.storage.names()
    assert 0 == world.docusign.asked("userinfo")
    assert 0 < world.docusign.asked(f"/v1/organizations/{ORGANIZATION}/stream")


@pytest.mark.parametrize(
    ("setting", "organizations", "apis"),
    [
        ("auto", {ORGANIZATION}, ["v3", "v2"]),
        ("auto", set(), ["v2"]),
        ("auto", {ORGANIZATION, OTHER}, ["v2"]),
        ("v3", {ORGANIZATION}, ["v3"]),
        ("v2", {ORGANIZATION}, ["v2"]),
        ("v2", set(), ["v2"]),
    ],
)
def test_generations(setting: str, organizations: set[str], apis: list[str]) -> None:
    """The generations are those that the setting allows and the organizations make possible."""
    settings = make_settings(DOCUSIGN_MONITOR_API=setting)

    assert apis == [
        monitor.api for monitor in generations(settings, make_client(Wire(Answer(200))), organizations)
    ]


@pytest.mark.parametrize(
    ("organizations", "says"),
    [(set(), "the user has none"), ({ORGANIZATION, OTHER}, f"the user has 2: {ORGANIZATION}, {OTHER}")],
)
def test_v3_without_one_organization(organizations: set[str], says: str) -> None:
    """v3 needs one organization: the sentence says what was found, and which setting cures it."""
    settings = make_settings(DOCUSIGN_MONITOR_API="v3")

    with pytest.raises(OperatorError, match=rf"{says}\. Set DOCUSIGN_ORGANIZATION_ID\.$"):
        generations(settings, make_client(Wire(Answer(200))), organizations)


def test_process_is_made_once() -> None:
    """The parts of a process are made once, and nobody is asked for anything meanwhile."""
    settings = make_settings(DOCUSIGN_ORGANIZATION_ID=ORGANIZATION)
    try:
        parts = app.process(settings)
        assert parts is app.process(make_settings(DOCUSIGN_ORGANIZATION_ID=ORGANIZATION))
        assert {ORGANIZATION} == parts.organizations
        assert "https://examplestorage.blob.core.windows.net/docusign-monitor" == parts.container.url
    finally:
        app.process.cache_clear()


def spoil_nothing(world: World) -> None:
    """Let all go well."""


def spoil_token(world: World) -> None:
    """Let DocuSign know another key."""
    world.docusign._tokens.key = rsa_key(1)[1]


def spoil_stream(world: World) -> None:
    """Let DocuSign refuse the user."""
    world.docusign.refusal = Answer(403, TRACE, json.dumps(EVENT).encode())


def spoil_shape(world: World) -> None:
    """Let DocuSign answer in another shape."""
    world.docusign.refusal = json_answer(200, {"events": [EVENT]})


def spoil_workspace(world: World) -> None:
    """Let the workspace know another key."""
    world.workspace.answer = lambda _: Answer(403)


def spoil_workspace_key(world: World) -> None:
    """Store something else in the place of the workspace key."""
    world.vault.values[WORKSPACE_KEY_SECRET] = f"{WORKSPACE_KEY}!"


def spoil_private_key(world: World) -> None:
    """Store a key that is cut off."""
    world.vault.values[PRIVATE_KEY_SECRET] = rsa_key()[0][:800]


def spoil_checkpoint(world: World) -> None:
    """Store an event in the place of the checkpoint."""
    world.storage.exists = True
    world.storage.write(CHECKPOINT, json.dumps(EVENT).encode())


def spoil_rows(world: World) -> None:
    """Let the workspace refuse every record."""
    world.workspace.answer = lambda _: json_answer(400, {"Error": "InvalidDataFormat"})


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_nothing,
        spoil_token,
        spoil_stream,
        spoil_shape,
        spoil_workspace,
        spoil_workspace_key,
        spoil_private_key,
        spoil_checkpoint,
        spoil_rows,
    ],
)
def test_nothing_secret_is_told(
    world: World, log: pytest.LogCaptureFixture, spoil: Callable[[World], None]
) -> None:
    """No log record, error or health row shows a secret, a token, a signature or a part of an event."""
    world.happen(2)
    spoil(world)
    told = []
    try:
        run_monitor(APP)
    except ConnectorError as error:
        told += [repr(error), repr(error.__cause__)]
    told += [record.getMessage() + (record.exc_text or "") for record in log.records]
    told += [json.dumps(row) for row in world.workspace.health]
    assertions = [dict(parse_qsl(r.body.decode()))["assertion"] for r in world.docusign.requests if r.body]
    key_lines = [text for text in rsa_key()[0].split("\n") if len(text) > 20 and "KEY" not in text]
    private = ["token-1", IDENTITY_TOKEN, WORKSPACE_KEY, *key_lines, *assertions, *world.workspace.signatures]
    private += [EVENT["ipAddress"], EVENT["userId"], EVENT["userAgent"], EVENT["accountId"], "event-0"]

    assert told
    assert [] == [secret for secret in private if any(secret in text for text in told)]


def test_logging() -> None:
    """The libraries may warn; only the connector's own line is logged at INFO."""
    names = ["azure", "urllib3", "requests", "msal", health.LOG.name]
    levels = [logging.getLogger(name).level for name in names]
    try:
        app.set_up_logging()
        assert [logging.WARNING] * 4 + [logging.INFO] == [logging.getLogger(name).level for name in names]
    finally:
        for name, level in zip(names, levels, strict=True):
            logging.getLogger(name).setLevel(level)
