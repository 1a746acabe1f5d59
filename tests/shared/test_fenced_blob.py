import pytest

from shared.errors import LeaseLost, ServiceUnavailable, StorageRefused
from shared.fenced_blob import FencedBlob, whole_etag
from shared.web import Answer, Transport
from tests.shared.fakes import BlobService, Wire, make_retry, never, storage_answer
from tests.support import ManualClock

NAME = "state/a.json"


@pytest.fixture
def storage(clock: ManualClock) -> BlobService:
    """Give a container with the blob."""
    made = BlobService(clock)
    made.write(NAME, b"0")
    return made


def make_blob(storage: BlobService, clock: ManualClock, wire: Transport | None = None) -> FencedBlob:
    """Give the blob, not taken yet."""
    return FencedBlob(storage.client(wire), NAME, b"first", make_retry(clock))


def test_a_save_is_one_request(storage: BlobService, clock: ManualClock) -> None:
    """What is stored is neither read before nor after."""
    wire = Wire(storage)
    with make_blob(storage, clock, wire) as blob:
        blob.load()
        before = len(wire.requests)
        blob.store(b"1")

        assert 1 == len(wire.requests) - before


def test_an_equal_content_from_outside(storage: BlobService, clock: ManualClock) -> None:
    """Where the blob was written again with what this run had stored, the next save still stands."""
    with make_blob(storage, clock) as blob:
        blob.load()
        blob.store(b"1")
        storage.write(NAME, b"1")
        blob.store(b"2")

    assert b"2" == storage.content(NAME)


def test_another_content_from_outside(storage: BlobService, clock: ManualClock) -> None:
    """What this run did not write is never overwritten, and it is told."""
    with make_blob(storage, clock) as blob:
        blob.load()
        storage.write(NAME, b"other")
        with pytest.raises(LeaseLost, match=rf"^{NAME} was changed by another run\. This one stops"):
            blob.store(b"1")

    assert b"other" == storage.content(NAME)


@pytest.mark.parametrize("etag", [None, 7, "", '"', '""', '"abc', 'abc"', "abc"])
def test_half_an_etag(etag: object) -> None:
    """Nothing but a text between quotes is one."""
    with pytest.raises(ServiceUnavailable, match=r"^a\.json: the answer has no ETag$"):
        whole_etag(etag, "a.json")


def test_a_whole_etag() -> None:
    """The shortest one has one character."""
    assert '"0"' == whole_etag('"0"', "a.json")


def test_an_answer_without_an_etag_names_the_blob(storage: BlobService, clock: ManualClock) -> None:
    """Reading and saving both say which blob the answer was for."""

    def without(request: object) -> Answer:
        answer = storage(request)  # type: ignore[arg-type]
        return Answer(answer.status, {k: v for k, v in answer.headers.items() if k != "etag"}, answer.body)

    blob = FencedBlob(storage.client(), NAME, b"first", never())
    with blob:
        blob.load()
        blob._blob = storage.client(without).get_blob_client(NAME)
        with pytest.raises(ServiceUnavailable, match=f"^{NAME}: the answer has no ETag"):
            blob.load()
        with pytest.raises(ServiceUnavailable, match=f"^{NAME}: the answer has no ETag"):
            blob.store(b"1")


def test_half_a_blob_names_it(storage: BlobService, clock: ManualClock) -> None:
    """An answer that says another length than it has is not the blob."""
    with make_blob(storage, clock) as blob:
        blob.load()
        stream = blob._blob.download_blob()

        class Half:
            """An answer of which a part is missing."""

            size = stream.size + 1
            properties = stream.properties

            def readall(self) -> bytes:
                """Give what came."""
                return b"0"

        class Blob:
            """A client whose answers are halves."""

            def download_blob(self) -> Half:
                """Give half of it."""
                return Half()

        blob._blob = Blob()  # type: ignore[assignment]
        with pytest.raises(ServiceUnavailable, match=f"^{NAME}: the answer is not the whole blob$"):
            blob._download()


def test_a_refusal_names_the_blob_and_its_account(storage: BlobService, clock: ManualClock) -> None:
    """As in: state/a.json (account.blob.core.windows.net): status 403."""
    wire = Wire(storage)
    with make_blob(storage, clock, wire) as blob:
        wire.then(storage_answer(403, "AuthorizationFailure"))
        with pytest.raises(StorageRefused, match=rf"^{NAME} \(.*\): .*Storage Blob Data Owner"):
            blob.load()
