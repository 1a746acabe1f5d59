"""Blob storage in memory that can also list and delete, for what works on many blobs."""

from urllib.parse import parse_qsl, urlsplit

from operate.blobs import Blobs
from shared.web import Answer, Request, Transport
from tests.shared.fakes import BlobService, make_retry, storage_answer

FOLDER = "dead-letters/2026/11/21/"


class Storage(BlobService):
    """A container whose blobs can be listed and deleted."""

    def __call__(self, request: Request) -> Answer:
        """Answer as blob storage does."""
        address = urlsplit(request.url)
        query = dict(parse_qsl(address.query))
        if query.get("comp") == "list":
            found = "".join(
                f"<Blob><Name>{name}</Name></Blob>" for name in self.names(query.get("prefix", ""))
            )
            body = f"<EnumerationResults><Blobs>{found}</Blobs><NextMarker/></EnumerationResults>"
            return Answer(200, {"content-type": "application/xml"}, body.encode())
        if request.method != "DELETE":
            return super().__call__(request)
        gone = self._blobs.pop(address.path.lstrip("/").partition("/")[2], None)
        return Answer(202) if gone else storage_answer(404, "BlobNotFound")

    def blobs(self, wire: Transport | None = None) -> Blobs:
        """Give the operator's view of it."""
        return Blobs(self.client(wire), make_retry())
