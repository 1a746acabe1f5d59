import base64
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from shared.docusign.private_key import load_private_key
from shared.errors import SecretError

KEY = rsa.generate_private_key(65537, 2048)
PKCS1, PKCS8 = PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8
ED25519_DER = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.DER, PKCS8, NoEncryption())


def pem(
    key: PrivateKeyTypes = KEY,
    form: PrivateFormat = PKCS1,
    encryption: KeySerializationEncryption | None = None,
) -> str:
    """Give a key as PEM."""
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


def base64_of(text: str) -> str:
    """Give the text wrapped in base64."""
    return base64.b64encode(text.encode()).decode()


SHAPES: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "no newline at the end": str.strip,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "literal newlines": lambda text: text.replace("\n", r"\n"),
    "literal CRLF": lambda text: text.replace("\n", r"\r\n"),
    "spaces for newlines": lambda text: text.replace("\n", " "),
    "no newlines": lambda text: text.replace("\n", ""),
    "indented": lambda text: text.replace("\n", "\n    "),
    "double quotes": lambda text: f'"{text}"',
    "single quotes": lambda text: f"'{text.strip()}'\n",
    "as in JSON": json.dumps,
    "text around it": lambda text: f"key:\n{text}\nend of key",
    "byte order mark": lambda text: f"\ufeff{text}",
    "base64": base64_of,
    "base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "base64 of CRLF": lambda text: base64_of(text.replace("\n", "\r\n")),
    "base64 of literal newlines": lambda text: base64_of(text.replace("\n", r"\n")),
    "base64 of literal CRLF": lambda text: base64_of(text.replace("\n", r"\r\n")),
    "body without PEM lines": lambda text: "".join(text.splitlines()[1:-1]),
    "body in lines": lambda text: "\n".join(text.splitlines()[1:-1]),
}


@pytest.mark.parametrize("form", [PKCS1, PKCS8], ids=["PKCS#1", "PKCS#8"])
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape: str, form: PrivateFormat) -> None:
    """The key is read in every shape that pasting gives it."""
    found = load_private_key(SHAPES[shape](pem(form=form)), "docusign-private-key")

    assert KEY.private_numbers() == found.private_numbers()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "hunter2",
        "-----BEGIN RSA PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----",
        pem()[:900],
        pem().replace("RSA PRIVATE", "PRIVATE"),
        base64_of("-----BEGIN RSA PRIVATE KEY-----"),
        base64.b64encode(b"\x30\x82\xff-----BEGIN").decode(),
        pem(form=PKCS8, encryption=BestAvailableEncryption(b"pass")),
        pem(ec.generate_private_key(ec.SECP256R1())),
        base64.b64encode(ED25519_DER).decode(),
        base64.b64encode(ED25519_DER.replace(b"\x2b\x65\x70", b"\x2b\x65\x7f")).decode(),  # no known kind
        KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "\ud800",
    ],
    ids=range(16),
)
def test_no_key(text: str) -> None:
    """What is no unencrypted RSA key is one error, which names the secret and shows nothing of it."""
    with pytest.raises(SecretError) as raised:
        load_private_key(text, "docusign-private-key")

    assert "Key Vault's secret docusign-private-key is no usable RSA private key." in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__suppress_context__


@given(st.text() | st.binary().map(lambda data: base64.b64encode(data).decode()))
def test_any_text(text: str) -> None:
    """No text makes the reader fail in another way."""
    with pytest.raises(SecretError):
        load_private_key(text, "name")
