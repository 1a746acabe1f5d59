r"""An RSA private key from a secret, in every shape that pasting gives it.

Seen in the wild: PKCS#1 and PKCS#8 PEM; literal `\n` for newlines; spaces for newlines; CRLF; quotes around
it; the whole PEM wrapped in base64 again; the base64 body without its PEM lines.
"""

import base64
import re
import textwrap

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from shared.errors import SecretError

_PEM = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----(.+?)-----END \1-----", re.DOTALL)
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")


def load_private_key(text: str, secret: str) -> RSAPrivateKey:
    """The RSA private key that the secret's text holds.

    Raises:
        SecretError: It holds none; the sentence names the secret and the shapes that are taken.
    """
    try:
        key = _load(text.strip().strip("\"'"))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, RSAPrivateKey):
        return key
    raise SecretError(
        f"Key Vault's secret {secret} is no usable RSA private key. Store the unencrypted PEM that DocuSign "
        "showed when the key pair was made (from -----BEGIN to -----END), or that PEM in base64."
    ) from None


def _load(text: str) -> object:
    text = text.replace("\\r", "").replace("\\n", "\n")
    match = _PEM.search(text)
    if match:
        kind, body = match[1], _NO_BASE64.sub("", match[2])
        lines = "\n".join(textwrap.wrap(body, 64))
        return load_pem_private_key(f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n".encode(), None)
    inner = base64.b64decode(_NO_BASE64.sub("", text), validate=True)
    if b"-----BEGIN" in inner:
        return _load(inner.decode())
    return load_der_private_key(inner, None)
