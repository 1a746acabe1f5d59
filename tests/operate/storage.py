"""Blob storage in memory that can also list and delete, for what works on many blobs."""

from urllib.parse import parse_qsl, urlsplit

from operate.blobs import Blobs
from shared.web import Answer, Request, Transport
from tests.shared.fakes import BlobService, make_retry, storage_answer

FOLDER = "dead-letters/2026/11/21/"


class Storage(BlobService):
    """A container whose blobs can be listed, three at a time, and deleted."""

    def __call__(self, request: Request) -> Answer:
        """Answer as blob storage does."""
        address = urlsplit(request.url)
        query = dict(parse_qsl(address.query))
        if query.get("comp") == "list":
            first = int(query.get("marker", "0"))
            names = self.names(query.get("prefix", ""))
            found = "".join(f"<Blob><Name>{name}</Name></Blob>" for name in names[first : first + 3])
            marker = f"<NextMarker>{first + 3 if first + 3 < len(names) else ''}</NextMarker>"
            body = f"<EnumerationResults><Blobs>{found}</Blobs>{marker}</EnumerationResults>"
            return Answer(200, {"content-type": "application/xml"}, body.encode())
        if request.method != "DELETE":
            return super().__call__(request)
        gone = self._blobs.pop(address.path.lstrip("/").partition("/")[2], None)
        return Answer(202) if gone else storage_answer(404, "BlobNotFound")

    def blobs(self, wire: Transport | None = None) -> Blobs:
        """Give the operator's view of it."""
        return Blobs(self.client(wire), make_retry())
