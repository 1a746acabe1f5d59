"""Answers in DocuSign's forms; none of its APIs agrees with another on how an error looks."""

import zlib
from collections.abc import Mapping
from dataclasses import replace

from sandbox.web import Request, Response, json_response

_GZIP = 16 + zlib.MAX_WBITS
_WORTH_COMPRESSING = 1024


def json(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with a JSON body."""
    return json_response(status, value, headers)


def api_error(status: int, code: str, message: str) -> Response:
    """Return an error as the Monitor and eSignature APIs write it."""
    return json(status, {"errorCode": code, "message": message})


def oauth_error(error: str, description: str = "", status: int = 400) -> Response:
    """Return an error as the token endpoint and the Admin API write it."""
    return json(status, {"error": error} | ({"error_description": description} if description else {}))


def not_found() -> Response:
    """Return the answer to a wrong URL: HTML, as from the load balancer."""
    page = b"<!DOCTYPE html><html><head><title>404</title></head><body>Not Found</body></html>"
    return Response(404, page, {"Content-Type": "text/html"})


def compressed(request: Request, response: Response) -> Response:
    """Return the answer gzipped if the client accepts that and the body is over 1 KB."""
    if len(response.body) <= _WORTH_COMPRESSING or "gzip" not in request.headers.get("accept-encoding", ""):
        return response
    squeeze = zlib.compressobj(level=1, wbits=_GZIP)
    body = squeeze.compress(response.body) + squeeze.flush()
    headers = response.headers | {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return replace(response, body=body, headers=headers)
