import gzip
import socket
import threading

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.identity import CredentialUnavailableError
from azure.storage.blob import ContainerClient

from shared.azure_calls import NO_RETRIES, azure_call, azure_transport
from shared.deadline import MOST_BYTES
from shared.errors import (
    AnswerTooLarge,
    ConnectorError,
    NetworkRefused,
    OperatorError,
    ServiceUnavailable,
    StorageRefused,
)
from shared.web import Answer
from tests.shared.fakes import BlobService, Wire, storage_answer, unreachable
from tests.support import ManualClock


def fetch(answer: Answer) -> bytes:
    """Ask for a blob where storage, or something in between, answers so."""
    container = BlobService(ManualClock()).client(Wire(answer))
    blob = container.get_blob_client("a")
    return azure_call("blob a", lambda: blob.download_blob().readall(), StorageRefused, "Grant the role.")


def raised_by(error: Exception) -> Exception:
    """What becomes of an exception that an SDK raises."""

    def call() -> None:
        raise error

    with pytest.raises(ConnectorError) as raised:
        azure_call("blob a", call, StorageRefused, "Grant the role.")
    return raised.value


def test_result() -> None:
    """What the call brings is passed on."""
    assert 7 == azure_call("seven", lambda: 7, StorageRefused, "")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_transient(status: int) -> None:
    """A status that heals by itself may be tried again, after the pause that the service asks for."""
    with pytest.raises(ServiceUnavailable, match=rf"^blob a: status {status}$") as raised:
        fetch(storage_answer(status, **{"Retry-After": "9"}))

    assert 9.0 == raised.value.retry_after


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "code", ["AuthorizationFailure", "AuthenticationFailed", "AuthorizationPermissionMismatch"]
)
def test_refused(status: int, code: str) -> None:
    """A refusal that a person must mend has the caller's class and cure, and nothing of the library's text."""
    with pytest.raises(StorageRefused, match=r"^blob a: .*\. Grant the role\.$") as raised:
        fetch(storage_answer(status, code))

    assert raised.value.__suppress_context__
    assert code not in str(raised.value)


@pytest.mark.parametrize("status", [404, 409, 412])
def test_known_better_by_the_caller(status: int) -> None:
    """Other statuses stay the library's exceptions, for the caller knows what they mean."""
    with pytest.raises(HttpResponseError) as raised:
        fetch(storage_answer(status, "Whatever"))

    assert status == raised.value.status_code


@pytest.mark.parametrize("content_type", ["text/html", "application/json", "application/xml"])
def test_foreign_page(content_type: str) -> None:
    """A page of something in between, sent as a success, is no answer of the service."""
    with pytest.raises(ServiceUnavailable, match=r"^blob a: "):
        fetch(Answer(200, {"content-type": content_type}, b"<!DOCTYPE html><p>Sign in"))


def test_foreign_page_for_a_change() -> None:
    """A success of another status than the service's own is no success either."""
    container = BlobService(ManualClock()).client(
        Wire(Answer(200, {"content-type": "text/html"}, b"<p>Sign in"))
    )

    with pytest.raises(ServiceUnavailable, match=r"^container: status 200$"):
        azure_call("container", container.create_container, StorageRefused, "")


def test_lost_answer() -> None:
    """A broken exchange may be tried again."""
    container = BlobService(ManualClock()).client(Wire(Answer(200), unreachable))

    with pytest.raises(ServiceUnavailable, match="no whole answer"):
        azure_call("blob", container.create_container, StorageRefused, "")


def test_endless_call() -> None:
    """A call to a peer that never answers is given up after its seconds, and leaves no thread behind."""
    threads = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as peer:
        url = f"http://127.0.0.1:{peer.getsockname()[1]}"
        client = ContainerClient(url, "state", transport=azure_transport(), **NO_RETRIES)
        with pytest.raises(ServiceUnavailable, match=r"^blob: no whole answer in time$"):
            azure_call("blob", client.create_container, StorageRefused, "", 0.1)

    assert threads == threading.active_count()


def test_an_answer_without_bounds() -> None:
    """What unpacks to more than is held is given up, by the SDKs' requests too."""
    bomb = gzip.compress(bytes(MOST_BYTES + 1))
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as client:
                client.recv(65536)
                head = f"HTTP/1.1 500 -\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
                client.sendall(head.encode() + bomb)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        client = ContainerClient(url, "state", transport=azure_transport(), **NO_RETRIES)
        with pytest.raises(AnswerTooLarge, match=r"^blob: the answer is larger than 64 MB"):
            azure_call("blob", client.create_container, StorageRefused, "")
        thread.join()


@pytest.mark.parametrize(
    ("bundle", "url", "words"),
    [
        ("/no/such.pem", "https://127.0.0.1:1", "REQUESTS_CA_BUNDLE names no readable file"),
        ("", f"https://{'a' * 70}.example.com", "the address cannot be read"),
    ],
)
def test_what_lasts(monkeypatch: pytest.MonkeyPatch, bundle: str, url: str, words: str) -> None:
    """A CA file that is missing and an address that is none are a person's to mend, and not tried again."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    client = ContainerClient(url, "state", transport=azure_transport(), **NO_RETRIES)

    with pytest.raises(NetworkRefused, match=f"^blob: {words}"):
        azure_call("blob", client.create_container, StorageRefused, "")


@pytest.mark.parametrize(
    "error", [ClientAuthenticationError("no token: eyJhbGciOi"), CredentialUnavailableError("no endpoint")]
)
def test_identity_refused(error: Exception) -> None:
    """Without a token a person must act, and the token service's text is not repeated."""
    assert "blob a: the identity was refused. Grant the role." == str(raised_by(error))
    assert isinstance(raised_by(error), StorageRefused)


@pytest.mark.parametrize(
    "error", [AzureError("odd"), ValueError("No value for given attribute"), KeyError("etag")]
)
def test_stumbling_library(error: Exception) -> None:
    """Where a library trips over an answer, the answer is at fault."""
    assert isinstance(raised_by(error), ServiceUnavailable)
    assert f"blob a: the answer is not the service's ({type(error).__name__})" == str(raised_by(error))


@pytest.mark.parametrize("error", [ServiceUnavailable("half a blob"), OperatorError("wrong")])
def test_own_errors(error: Exception) -> None:
    """An error in the project's own words is passed on as it is."""
    assert error is raised_by(error)
