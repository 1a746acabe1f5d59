import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from sandbox.docusign.cursors import Cursor, ticks, ticks_of
from sandbox.docusign.service import DocuSign
from sandbox.organization import Organization, make_organization
from sandbox.web import Request, Response

UNTIL = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)
KEY = "7c2b8d7e-2f5d-4a43-9a1f-3e0b7a0c5d11"
USER = "9cfb472b-ef1f-4116-8df2-17c53841fd6c"
ALL_SCOPES = "signature impersonation organization_read user_read"

AUTH, LENS, API, ADMIN = "account.docusign.com", "lens.docusign.net", "api.docusign.com", "api.docusign.net"
AUTH_D, LENS_D = "account-d.docusign.com", "lens-d.docusign.net"
V2 = "/api/v2.0/datasets/monitor/stream"

Json = dict[str, Any]


def private_key() -> RSAPrivateKey:
    """Return a fresh key."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(key: RSAPrivateKey) -> bytes:
    """Return the public half as PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


@dataclass
class Caller:
    """A client of the services, without sockets."""

    docusign: DocuSign
    key: RSAPrivateKey
    now: Callable[[], float]
    headers: dict[str, str] = field(default_factory=dict)

    def assertion(self, key: RSAPrivateKey | None = None, **claims: Any) -> str:
        """Return a signed assertion; claims given replace the right ones."""
        now = int(self.now())
        right = {"iss": KEY, "sub": USER, "aud": AUTH, "iat": now, "exp": now + 3600, "scope": ALL_SCOPES}
        return jwt.encode(right | claims, key or self.key, algorithm="RS256")

    def grant(self, assertion: str, host: str = AUTH, grant_type: str = "jwt-bearer") -> Response:
        """Ask for a token."""
        form = {"grant_type": f"urn:ietf:params:oauth:grant-type:{grant_type}", "assertion": assertion}
        headers = {"content-type": "application/x-www-form-urlencoded"}
        request = Request("POST", host, "/oauth/token", {}, headers, urlencode(form).encode())
        return self.docusign.services()[host](request)

    def log_in(self, host: str = AUTH, **claims: Any) -> None:
        """Get a token and bear it from now on."""
        answer = json.loads(self.grant(self.assertion(aud=host, **claims), host).body)
        self.headers["authorization"] = f"Bearer {answer['access_token']}"

    def get(self, url: str, **query: object) -> Response:
        """Send a GET request to `host/path`."""
        host, _, path = url.partition("/")
        texts = {name: str(value) for name, value in query.items()}
        return self.docusign.services()[host](Request("GET", host, f"/{path}", texts, self.headers, b""))

    def page(self, **query: object) -> Json:
        """Return a page of Monitor v2.0."""
        response = self.get(LENS + V2, **query)

        assert response.status == 200

        return dict(json.loads(response.body))

    @property
    def v3_url(self) -> str:
        """The address of Monitor v3."""
        return f"{API}/v1/organizations/{self.docusign.organization.organization_id}/stream"


@pytest.fixture(scope="module")
def organization() -> Organization:
    """An organization with a week of events."""
    return make_organization(UNTIL, events=5000)


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    """The application's key."""
    return private_key()


@pytest.fixture
def time() -> list[float]:
    """The clock's hand; tests move it."""
    return [UNTIL.timestamp()]


@pytest.fixture
def caller(organization: Organization, key: RSAPrivateKey, time: list[float]) -> Caller:
    """A client that has logged in to production."""

    def clock() -> float:
        return time[0]

    caller = Caller(
        DocuSign(organization, KEY, USER, public_key_pem=public_pem(key), clock=clock), key, clock
    )
    caller.log_in()
    return caller


def body(response: Response) -> Json:
    """Return the JSON of an answer."""
    return dict(json.loads(response.body))


def ids(events: list[Json]) -> list[str]:
    """Return the ids of events."""
    return [event["eventId"] for event in events]


def all_ids(organization: Organization) -> list[str]:
    """Return the ids of the whole history."""
    return [str(entry.event["eventId"]) for entry in organization.history]


class TestToken:
    """The token endpoint."""

    def test_grant(self, caller: Caller) -> None:
        """A right assertion earns a bearer token for an hour."""
        response = caller.grant(caller.assertion())
        answer = body(response)

        assert response.status == 200
        assert ("Bearer", 3600) == (answer["token_type"], answer["expires_in"])
        assert caller.docusign.requests["token"] == 2

    def test_text_lifetime(self, caller: Caller) -> None:
        """The lifetime can be a string, as DocuSign sometimes writes it."""
        caller.docusign.oauth.expires_in_as_text = True

        assert body(caller.grant(caller.assertion()))["expires_in"] == "3600"

    @pytest.mark.parametrize(
        ("claims", "error", "description"),
        [
            ({"iss": USER}, "invalid_grant", "issuer_not_found"),
            ({"sub": KEY}, "invalid_grant", "user_not_found"),
            ({"aud": f"https://{AUTH}"}, "invalid_grant", "no_valid_keys_or_signatures"),
            ({"aud": AUTH_D}, "invalid_grant", "no_valid_keys_or_signatures"),
            ({"exp": int(UNTIL.timestamp()) - 3600}, "invalid_grant", "expired_grant"),
            ({"exp": int(UNTIL.timestamp()) + 7200}, "invalid_grant", "expired_grant"),
            ({"iat": int(UNTIL.timestamp()) + 600}, "invalid_grant", "expired_grant"),
            ({"exp": None}, "invalid_grant", "expired_grant"),
            ({"scope": "signature impersonation dtr.rooms.read"}, "consent_required", None),
        ],
    )
    def test_refused_claims(self, caller: Caller, claims: Json, error: str, description: str | None) -> None:
        """Each wrong claim is refused with the error DocuSign gives for it."""
        response = caller.grant(caller.assertion(None, **claims))
        answer = body(response)

        assert response.status == 400
        assert (error, description) == (answer["error"], answer.get("error_description"))

    def test_no_scope(self, caller: Caller) -> None:
        """An assertion without a scope asks for nothing, and gets nothing."""
        assert body(caller.grant(caller.assertion(scope="")))["error"] == "invalid_request"

    def test_foreign_key(self, caller: Caller) -> None:
        """A signature of another key is refused."""
        answer = body(caller.grant(caller.assertion(private_key())))

        assert answer["error_description"] == "no_valid_keys_or_signatures"

    @pytest.mark.parametrize("assertion", ["", "no.jwt.here", jwt.encode({"iss": KEY}, "s" * 32)])
    def test_no_assertion(self, caller: Caller, assertion: str) -> None:
        """Anything that is not signed with RS256 is refused as an invalid grant."""
        assert body(caller.grant(assertion))["error"] == "invalid_grant"

    def test_rotation(self, caller: Caller) -> None:
        """While two keys are registered both work; a key taken away stops working."""
        new = private_key()
        caller.docusign.oauth.public_keys.append(public_pem(new))
        both = [caller.grant(caller.assertion(key)).status for key in (caller.key, new)]
        del caller.docusign.oauth.public_keys[0]

        assert both == [200, 200]
        assert caller.grant(caller.assertion()).status == 400

    def test_no_consent(self, caller: Caller) -> None:
        """Without consent there is no token."""
        caller.docusign.oauth.consented = False

        assert body(caller.grant(caller.assertion())) == {"error": "consent_required"}

    def test_other_grants(self, caller: Caller) -> None:
        """Other grant types are unsupported."""
        response = caller.grant(caller.assertion(), grant_type="device_code")

        assert body(response) == {"error": "unsupported_grant_type"}

    def test_json_instead_of_form(self, caller: Caller) -> None:
        """The endpoint takes forms only."""
        request = Request("POST", AUTH, "/oauth/token", {}, {"content-type": "application/json"}, b"{}")

        assert caller.docusign.services()[AUTH](request).status == 400

    def test_demo(self, caller: Caller) -> None:
        """A demo token opens the demo environment and nothing else."""
        caller.log_in(AUTH_D)

        assert caller.get(LENS_D + V2).status == 200
        assert caller.get(LENS + V2).status == 401


class TestUserinfo:
    """The userinfo endpoint."""

    @pytest.mark.parametrize(
        ("host", "base_uri"), [(AUTH, "https://na1.docusign.net"), (AUTH_D, "https://demo.docusign.net")]
    )
    def test_accounts(self, caller: Caller, host: str, base_uri: str) -> None:
        """Userinfo names the accounts, their addresses and the organization, without any extra scope."""
        caller.log_in(host, scope="impersonation")
        answer = body(caller.get(f"{host}/oauth/userinfo"))
        default = next(account for account in answer["accounts"] if account["is_default"])

        assert answer["sub"] == USER
        assert len(answer["accounts"]) == 3
        assert default["base_uri"] == base_uri
        assert default["organization"]["organization_id"] == caller.docusign.organization.organization_id

    def test_needs_a_token(self, caller: Caller) -> None:
        """Userinfo without a token is refused."""
        caller.headers.clear()

        assert caller.get(f"{AUTH}/oauth/userinfo").status == 401


class TestStream:
    """Cursors and pages."""

    def test_everything_once_in_order(self, caller: Caller, organization: Organization) -> None:
        """Following the cursor from the start gives every event once, in insertion order."""
        seen: list[str] = []
        cursor, page = "", caller.page(limit=2000)
        while page["endCursor"] != cursor:
            seen += ids(page["data"])
            cursor = page["endCursor"]
            page = caller.page(cursor=cursor, limit=2000)

        assert page["data"] == []
        assert seen == all_ids(organization)

    def test_both_generations_agree(self, caller: Caller) -> None:
        """Both APIs give the same events under different names."""
        v3 = body(caller.get(caller.v3_url, limit=7))

        assert v3 == {"endCursor": v3["endCursor"], "resultData": caller.page(limit=7)["data"]}

    def test_default_limit(self, caller: Caller) -> None:
        """A page holds a thousand events unless told otherwise."""
        assert len(caller.page()["data"]) == 1000

    @pytest.mark.parametrize("limit", ["0", "2001", "-5", "many", "", "1.5", "٣"])
    def test_wrong_limit(self, caller: Caller, limit: str) -> None:
        """A limit outside 1 to 2000 is refused."""
        response = caller.get(LENS + V2, limit=limit)

        assert (400, "INVALID_LIMIT") == (response.status, body(response)["errorCode"])

    def test_cursor_names_the_last_event(self, caller: Caller, organization: Organization) -> None:
        """The cursor carries the insertion and event times of the page's last event."""
        page = caller.page(limit=3)
        cursor = Cursor.parse(page["endCursor"])

        assert cursor == Cursor(
            ticks(organization.history[2].inserted_at), ticks_of(page["data"][2]["timestamp"]) or 0, 3
        )

    def test_empty_cursor_is_none(self, caller: Caller) -> None:
        """An empty cursor means the last seven days, as none does."""
        assert caller.page(limit=1) == caller.page(cursor="", limit=1)

    def test_seven_days(self, caller: Caller, time: list[float], organization: Organization) -> None:
        """Without a cursor, what was inserted more than seven days ago is left out."""
        time[0] += 86_400
        caller.log_in()
        begin = UNTIL - timedelta(days=6)
        first = next(entry for entry in organization.history if entry.inserted_at > begin)

        assert ids(caller.page(limit=1)["data"]) == [first.event["eventId"]]

    @pytest.mark.parametrize(
        "form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.0000000Z"]
    )
    def test_iso_cursor(self, caller: Caller, organization: Organization, form: str) -> None:
        """A date-time as cursor means everything inserted from then on."""
        begin = (UNTIL - timedelta(days=2)).replace(microsecond=0)
        expected = [e.event["eventId"] for e in organization.history if e.inserted_at >= begin][:50]

        assert expected == ids(caller.page(cursor=begin.strftime(form), limit=50)["data"])

    def test_iso_cursor_before_the_earliest(self, caller: Caller, organization: Organization) -> None:
        """A date before 2021 means all there is."""
        assert ids(caller.page(cursor="1999-01-01", limit=2)["data"]) == all_ids(organization)[:2]

    def test_iso_cursor_with_nothing_after(self, caller: Caller) -> None:
        """A date-time with nothing after it becomes a real cursor once, which then stays equal."""
        first = caller.page(cursor="2026-11-20T17:00:00Z")
        second = caller.page(cursor=first["endCursor"])

        assert first["data"] == []
        assert Cursor.parse(first["endCursor"]) is not None
        assert second == first

    def test_new_events_after_caught_up(self, caller: Caller, time: list[float]) -> None:
        """A caught-up cursor finds what was inserted since, and only that."""
        cursor = caller.page(cursor="2026-11-20T16:30:01Z")["endCursor"]
        time[0] += 60
        caller.docusign.append([{"eventId": "new", "timestamp": "2026-11-20T16:25:00Z"}])

        assert ids(caller.page(cursor=cursor)["data"]) == ["new"]

    def test_late_insertion_keeps_order(self, caller: Caller) -> None:
        """An event said to be inserted before the last one still comes after every cursor given out."""
        cursor = caller.page(cursor=(UNTIL - timedelta(hours=1)).isoformat())["endCursor"]
        caller.docusign.append([{"eventId": "late"}], at=UNTIL - timedelta(days=3))

        assert ids(caller.page(cursor=cursor)["data"]) == ["late"]

    @pytest.mark.parametrize(
        "cursor", ["garbage", "aa_1_2_3", "aa_638000000000000000_638000000000000000_9", "2026-13-45", "aa_"]
    )
    def test_unknown_cursor(self, caller: Caller, cursor: str) -> None:
        """A cursor that was never given out is refused."""
        response = caller.get(LENS + V2, cursor=cursor)

        assert (400, "INVALID_CURSOR") == (response.status, body(response)["errorCode"])

    def test_cursor_survives_a_restart(self, caller: Caller, organization: Organization) -> None:
        """A cursor that names an event is good in another DocuSign with the same history."""
        cursor = caller.page(limit=10)["endCursor"]
        other = Caller(
            DocuSign(organization, KEY, USER, public_pem(caller.key), caller.now), caller.key, caller.now
        )
        other.log_in()

        assert ids(other.page(cursor=cursor, limit=1)["data"]) == all_ids(organization)[10:11]

    def test_expired_cursors(self, caller: Caller) -> None:
        """Cursors given out before they expire are refused; a date-time and newer cursors are not."""
        old = caller.page(limit=10)["endCursor"]
        caller.docusign.expire_cursors()
        refused = caller.get(LENS + V2, cursor=old).status
        new = caller.page(cursor="2026-11-15T00:00:00Z", limit=10)["endCursor"]

        assert refused == 400
        assert caller.get(LENS + V2, cursor=new).status == 200

    def test_short_and_empty_pages(self, caller: Caller, organization: Organization) -> None:
        """Scripted pages are short or empty, move the cursor all the same, and lose nothing."""
        caller.docusign.stream.page_sizes.extend([5, 0, 0, 2])
        pages, cursors = [], [""]
        for _ in range(5):
            pages.append(caller.page(cursor=cursors[-1], limit=10))
            cursors.append(pages[-1]["endCursor"])

        assert [len(page["data"]) for page in pages] == [5, 0, 0, 2, 10]
        assert len(set(cursors)) == 6
        assert [i for page in pages for i in ids(page["data"])] == all_ids(organization)[:17]

    def test_empty_page_at_the_end(self, caller: Caller) -> None:
        """An empty page at the end moves the cursor once more, and then it stays."""
        end = caller.page(cursor=UNTIL.isoformat())["endCursor"]
        caller.docusign.stream.page_sizes.append(0)
        moved = caller.page(cursor=end)["endCursor"]

        assert moved != end
        assert caller.page(cursor=moved) == {"endCursor": moved, "data": []}

    @pytest.mark.parametrize(
        "hostile",
        [b'{"eventId":"x","latitude":NaN}', b'{"city":"\\ud800"}', b'{"n":1e999}', b"\xff", b"17", b"null"],
    )
    def test_hostile_events(self, caller: Caller, hostile: bytes) -> None:
        """Raw events go out byte for byte, whatever they are."""
        cursor = caller.page(cursor=UNTIL.isoformat())["endCursor"]
        caller.docusign.append_raw(hostile)
        answer = caller.get(LENS + V2, cursor=cursor)

        assert answer.body.endswith(b'"data":[' + hostile + b"]}")

    def test_threads(self, caller: Caller) -> None:
        """Events appended by many threads all arrive, and no cursor skips one."""
        cursor = caller.page(cursor=UNTIL.isoformat())["endCursor"]

        def append(thread: int) -> None:
            for n in range(50):
                caller.docusign.append([{"eventId": f"{thread}-{n}"}])

        threads = [threading.Thread(target=append, args=(n,), daemon=True) for n in range(4)]
        for thread in threads:
            thread.start()
        seen: list[str] = []
        while len(seen) < 200:
            page = caller.page(cursor=cursor, limit=7)
            seen += ids(page["data"])
            cursor = page["endCursor"]
        for thread in threads:
            thread.join()

        assert sorted(seen) == sorted(f"{thread}-{n}" for thread in range(4) for n in range(50))

    def test_large_pages_are_fast(self, caller: Caller) -> None:
        """A page of 2000 events takes milliseconds, since nothing is serialized again."""
        begin = perf_counter()
        for _ in range(10):
            caller.get(LENS + V2, limit=2000)

        assert perf_counter() - begin < 1


class TestRefusals:
    """What DocuSign answers when it does not give events."""

    @pytest.mark.parametrize("header", [None, "Bearer nonsense", "Basic abc", "Bearer "])
    def test_no_token(self, caller: Caller, header: str | None) -> None:
        """A missing or unknown token is refused."""
        caller.headers = {"authorization": header} if header else {}

        assert caller.get(LENS + V2).status == 401

    def test_expired_token(self, caller: Caller, time: list[float]) -> None:
        """A token is refused once its hour is over."""
        time[0] += 3600

        assert caller.get(LENS + V2).status == 401

    def test_short_lifetime(self, caller: Caller, time: list[float]) -> None:
        """The lifetime of new tokens can be set."""
        caller.docusign.oauth.token_lifetime = 30
        caller.log_in()
        time[0] += 31

        assert caller.get(LENS + V2).status == 401

    def test_revoked_token(self, caller: Caller) -> None:
        """Revoked tokens are refused, new ones are not."""
        caller.docusign.revoke_tokens()
        refused = caller.get(LENS + V2).status
        caller.log_in()

        assert (401, 200) == (refused, caller.get(LENS + V2).status)

    def test_not_entitled(self, caller: Caller) -> None:
        """Without the entitlement v3 says so, and v2.0 says nothing."""
        caller.docusign.monitor.entitled = False
        v2, v3 = caller.get(LENS + V2), caller.get(caller.v3_url)

        assert (403, b"") == (v2.status, v2.body)
        assert (403, {"error": "Organization does not have Monitor entitlement"}) == (v3.status, body(v3))

    def test_wrong_organization(self, caller: Caller) -> None:
        """V3 refuses another organization's id."""
        assert caller.get(f"{API}/v1/organizations/{KEY}/stream").status == 403

    def test_two_organizations(self, caller: Caller) -> None:
        """With two organizations v2.0 refuses, and v3 works."""
        caller.docusign.monitor.organizations = 2

        assert (403, 200) == (caller.get(LENS + V2).status, caller.get(caller.v3_url).status)

    def test_no_administrator(self, caller: Caller) -> None:
        """Who is no administrator gets no events."""
        caller.docusign.monitor.is_administrator = False

        assert [403, 403] == [caller.get(url).status for url in (LENS + V2, caller.v3_url)]

    def test_switched_off(self, caller: Caller) -> None:
        """Each generation can be missing."""
        caller.docusign.monitor.v2 = caller.docusign.monitor.v3 = False

        assert [404, 404] == [caller.get(url).status for url in (LENS + V2, caller.v3_url)]

    @pytest.mark.parametrize(
        "url", [f"{LENS}/", f"{API}/v1", f"{ADMIN}/x", f"{AUTH}/x", "na1.docusign.net/x"]
    )
    def test_elsewhere(self, caller: Caller, url: str) -> None:
        """Unknown paths are not found, and are counted as such."""
        assert caller.get(url).status == 404
        assert caller.docusign.requests["unknown"] == 1

    @pytest.mark.parametrize("status", [429, 400])
    def test_hourly_limit(self, caller: Caller, time: list[float], status: int) -> None:
        """Past the hourly limit every call is refused until the full hour."""
        caller.docusign.limit.remaining, caller.docusign.limit.status = 1, status
        good, refused = caller.get(LENS + V2, limit=1), caller.get(LENS + V2, limit=1)
        time[0] = float(refused.headers["X-RateLimit-Reset"])
        caller.log_in()

        assert (200, status) == (good.status, refused.status)
        assert body(refused)["errorCode"] == "HOURLY_APIINVOCATION_LIMIT_EXCEEDED"
        assert refused.headers["X-RateLimit-Remaining"] == "0"
        assert caller.docusign.requests["limited"] == 1
        assert caller.get(LENS + V2, limit=1).headers["X-RateLimit-Remaining"] == "2999"

    def test_every_answer_has_a_trace_token(self, caller: Caller) -> None:
        """Good or bad, every answer has a trace token of its own."""
        answers = [caller.get(url) for url in (LENS + V2, f"{LENS}/x", f"{AUTH}/oauth/userinfo")]
        answers.append(caller.grant(""))

        assert len({answer.headers["X-DocuSign-TraceToken"] for answer in answers}) == 4


class TestCompression:
    """Gzip."""

    def test_gzip(self, caller: Caller) -> None:
        """A client that accepts gzip gets large bodies compressed, and small ones as they are."""
        plain = caller.page(limit=100)
        caller.headers["accept-encoding"] = "gzip, deflate"
        large = caller.get(LENS + V2, limit=100)
        small = caller.get(LENS + V2, cursor=UNTIL.isoformat())

        assert large.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(large.body)) == plain
        assert "Content-Encoding" not in small.headers


class TestDirectory:
    """Users and organizations."""

    def test_organizations(self, caller: Caller, organization: Organization) -> None:
        """The Admin API names the organization and its accounts."""
        (found,) = body(caller.get(f"{ADMIN}/management/v2/organizations"))["organizations"]

        assert found["id"] == organization.organization_id
        assert [account.id for account in organization.accounts] == [a["id"] for a in found["accounts"]]

    def test_organization_users(self, caller: Caller, organization: Organization) -> None:
        """Following `paging.next` gives every user of an account once."""
        account = organization.accounts[0].id
        url = f"{ADMIN}/management/v2/organizations/{organization.organization_id}/users"
        answer = body(caller.get(url, account_id=account, take=25))
        found = answer["users"]
        while address := answer["paging"].get("next"):
            parts = urlsplit(address)
            answer = body(caller.get(f"{parts.hostname}{parts.path}", **dict(parse_qsl(parts.query))))
            found += answer["users"]

        assert [user["id"] for user in found] == [u.id for u in organization.users if u.account.id == account]
        assert caller.docusign.requests["organization-users"] > 3

    def test_page_size_of_users(self, caller: Caller, organization: Organization) -> None:
        """Twenty users come at a time unless told otherwise."""
        url = f"{ADMIN}/management/v2/organizations/{organization.organization_id}/users"
        answer = body(caller.get(url, account_id=organization.accounts[0].id))

        assert len(answer["users"]) == 20

    def test_a_closed_account(self, caller: Caller, organization: Organization) -> None:
        """The members of a closed account are not listed; those of the others are."""
        url = f"{ADMIN}/management/v2/organizations/{organization.organization_id}/users"
        closed, other = (account.id for account in organization.accounts[:2])
        caller.docusign.closed_accounts = {closed}

        assert (404, 200) == (
            caller.get(url, account_id=closed).status,
            caller.get(url, account_id=other).status,
        )

    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"account_id": "x", "take": "0"},
            {"account_id": "x", "take": "251"},
            {"email": "x", "start": "y"},
        ],
    )
    def test_wrong_user_queries(self, caller: Caller, organization: Organization, query: Json) -> None:
        """A query without an account, or with wrong numbers, is refused."""
        url = f"{ADMIN}/management/v2/organizations/{organization.organization_id}/users"

        assert caller.get(url, **query).status == 400

    def test_modified_since(self, caller: Caller, organization: Organization) -> None:
        """Users who have not changed since a date are left out."""
        url = f"{ADMIN}/management/v2/organizations/{organization.organization_id}/users"
        account = organization.accounts[0]
        answer = body(caller.get(url, account_id=account.id, last_modified_since="2024-01-01", take=250))
        since = datetime(2024, 1, 1, tzinfo=UTC)
        expected = [u.id for u in organization.users if u.account == account and u.created_on >= since]

        assert expected == [user["id"] for user in answer["users"]]

    def test_account_users(self, caller: Caller, organization: Organization) -> None:
        """Counting positions gives every active user of an account once; numbers are strings."""
        account = organization.accounts[0]
        url = f"na1.docusign.net/restapi/v2.1/accounts/{account.id}/users"
        found: list[Json] = []
        answer: Json = {"nextUri": "/"}
        while "nextUri" in answer:
            answer = body(caller.get(url, count=30, start_position=len(found)))
            found += answer["users"]
        expected = [u.id for u in organization.users if u.account == account and u.status == "Active"]

        assert expected == [user["userId"] for user in found]
        assert answer["totalSetSize"] == str(len(expected))
        assert sum(user["lastLogin"] > "2026-11" for user in found) > len(found) / 2

    def test_account_at_another_host(self, caller: Caller, organization: Organization) -> None:
        """An account is served at its own address only."""
        path = f"/restapi/v2.1/accounts/{organization.accounts[0].id}/users"

        assert (200, 401) == tuple(
            caller.get(h + path).status for h in ("na1.docusign.net", "eu.docusign.net")
        )

    def test_all_demo_accounts_share_a_host(self, caller: Caller, organization: Organization) -> None:
        """In the demo environment every account is at the same address."""
        caller.log_in(AUTH_D)
        urls = [f"demo.docusign.net/restapi/v2.1/accounts/{a.id}/users" for a in organization.accounts]

        assert [200, 200, 200] == [caller.get(url).status for url in urls]

    @pytest.mark.parametrize(
        ("path", "scope"),
        [
            ("api.docusign.net/management/v2/organizations", "user_read"),
            ("api.docusign.net/management/v2/organizations/{}/users", "organization_read"),
            ("lens.docusign.net/api/v2.0/datasets/monitor/stream", "impersonation"),
        ],
    )
    def test_scopes(self, caller: Caller, organization: Organization, path: str, scope: str) -> None:
        """Each API wants its own scope."""
        caller.log_in(scope=scope)
        response = caller.get(path.format(organization.organization_id))

        assert (403, "insufficient_scope") == (response.status, body(response)["error"])
