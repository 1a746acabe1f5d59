"""Hostile events through the whole connector: shipped or set aside, never stuck, never dropped."""

import json
from typing import Any

import pytest

from sandbox.functions.host import FunctionHost
from sandbox.state import dead_letters
from sandbox.web import json_response
from sandbox.world import Sandbox
from tests.integration.support import Record, fire, records

pytestmark = pytest.mark.integration

DEEP = '{"a":' * 100 + "1" + "}" * 100
HOSTILE = {
    "lone surrogate": '{"eventId":"h1","userAgent":"bad \\ud800 text","data":{"\\udfff":"\\ud83d"}}',
    "NUL": '{"eventId":"h2","userAgent":"nul \\u0000 here"}',
    "NaN": '{"eventId":"h3","latitude":NaN,"data":{"x":[NaN,Infinity,-Infinity]}}',
    "beyond double": '{"eventId":"h4","latitude":1e999,"data":{"n":123456789012345678901234567890,"m":-1e400}}',
    "deep": '{"eventId":"h5","data":' + DEEP + "}",
    "wrong types": '{"eventId":{"a":1},"userId":5,"object":["x"],"latitude":"47.6","isUserMemberOfDomain":"yes",'
    '"data":"text","userAgentClientInfo":[],"ipAddressLocation":"here","timestamp":20240101}',
    "no id": '{"object":"User","action":"Login"}',
    "unreadable time": '{"eventId":"h6","timestamp":"2026-13-45T99:00:00Z"}',
    "many keys": '{"eventId":"h7",' + ",".join(f'"key{n}":{n}' for n in range(10_000)) + "}",
    "long field": '{"eventId":"h8","userAgent":"' + "é" * 40_000 + '"}',
    "long data": '{"eventId":"h9","data":{"x":"' + "y" * 100_000 + '"}}',
    "null": "null",
    "a number": "42",
    "a list": '[1,"two"]',
    "empty object": "{}",
    "reserved names": '{"eventId":"h10","TimeGenerated":"2020-01-01T00:00:00Z","tenant":"t","RawData":"r"}',
    "odd keys": '{"eventId":"h11","":1,"a.b c":2,"' + "k" * 200 + '":3}',
}


def test_hostile_events_are_shipped_and_the_stream_goes_on(sandbox: Sandbox, host: FunctionHost) -> None:
    """Every hostile event becomes a row; what is over a field's limit also becomes a dead letter, whole."""
    fire(host)
    record = Record(sandbox)
    for event in HOSTILE.values():
        sandbox.docusign.append_raw(event.encode())
    sandbox.happen(6)
    figures = fire(host)
    rows = records(
        sandbox, 'DocuSignMonitor_CL | where isnotempty(additionalFields_s) or eventId_s startswith "h"'
    )
    letters = dead_letters(sandbox).values()

    assert ("caught-up", len(HOSTILE) + 6) == (figures["outcome"], figures["events"])
    assert len(HOSTILE) + 6 == len(record.ids)
    assert {f"h{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)} <= {
        str(row.get("eventId_s")) for row in rows
    }
    assert all(isinstance(json.loads(row["additionalFields_s"] or "{}"), dict) for row in rows)
    assert {"h7", "h8", "h9"} == {letter["event"]["eventId"] for letter in letters}
    assert 3 == figures["deadLetters"]
    assert 0 == sandbox.collector.cuts


def test_a_table_gets_no_column_from_hostile_events(sandbox: Sandbox, host: FunctionHost) -> None:
    """Unknown keys and wrong types make no new column, so the limit of 500 is out of reach."""
    fire(host)
    before = set(sandbox.workspace.columns("DocuSignMonitor_CL"))
    for event in HOSTILE.values():
        sandbox.docusign.append_raw(event.encode())
    fire(host)
    new = set(sandbox.workspace.columns("DocuSignMonitor_CL")) - before

    assert new <= {"eventId_s", "additionalFields_s"}


def test_a_refused_record_is_found_by_halving_and_kept_whole(sandbox: Sandbox, host: FunctionHost) -> None:
    """Two poisonous records among many become dead letters; every other event arrives once, in order."""
    fire(host)
    record = Record(sandbox)
    sandbox.happen(60)
    events = [entry.event for entry in sandbox.docusign.organization.history[-60:]]
    poison = {str(events[7]["eventId"]), str(events[48]["eventId"])}
    sandbox.collector.refuse = lambda row: row.get("eventId") in poison
    figures = fire(host)
    letters = list(dead_letters(sandbox).items())

    assert [str(e["eventId"]) for e in events if e["eventId"] not in poison] == record.ids
    assert ("caught-up", 2) == (figures["outcome"], figures["deadLetters"])
    assert poison == {name.split("/")[-1].removesuffix(".json") for name, _ in letters}
    assert all(letter["event"] in events and letter["status"] == 400 for _, letter in letters)
    assert all({"reason", "status", "event", "cursor", "at"} == set(letter) for _, letter in letters)


@pytest.mark.parametrize("status", [413, 404])
def test_a_post_that_is_too_large_is_halved(sandbox: Sandbox, host: FunctionHost, status: int) -> None:
    """A workspace that takes less than it says gets halves; a 404 may be halved once."""
    fire(host)
    record = Record(sandbox)
    sandbox.happen(40)
    refused: list[int] = []
    original = sandbox.collector.__class__.__call__

    def picky(request: Any) -> Any:
        if request.headers.get("log-type") == "DocuSignMonitor" and request.body.count(b'"eventId"') > 20:
            refused.append(len(request.body))
            return json_response(status, {"Error": "RequestTooLarge"})
        return original(sandbox.collector, request)

    sandbox.web._services[f"{sandbox.workspace_id}.ods.opinsights.azure.com"] = picky
    figures = fire(host)

    assert refused
    assert 40 == figures["events"] == len(record.ids)
    assert 0 == figures["deadLetters"]
