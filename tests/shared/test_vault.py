import pytest
from azure.core.exceptions import ClientAuthenticationError

from shared.errors import SecretError, ServiceUnavailable
from shared.vault import Secrets
from shared.web import Answer
from tests.shared.fakes import (
    VAULT_URL,
    WORKSPACE_KEY,
    WORKSPACE_KEY_SECRET,
    Behaviour,
    FakeCredential,
    FakeVault,
    Wire,
    azure_transport,
    json_answer,
    loses_answer,
    make_retry,
    make_secrets,
    never,
    unreachable,
)


def forbidden(code: str) -> Answer:
    """Give a refusal in the words of Key Vault."""
    return json_answer(403, {"error": {"code": "Forbidden", "message": "-", "innererror": {"code": code}}})


def test_read_once() -> None:
    """A secret is asked for once a process."""
    vault = FakeVault()
    secrets = make_secrets(vault)
    values = [secrets.read(WORKSPACE_KEY_SECRET, never()) for _ in range(3)]

    assert [WORKSPACE_KEY] * 3 == values
    assert [WORKSPACE_KEY_SECRET] == vault.reads


def test_changed() -> None:
    """Reading again tells whether the secret is another one, and goes on with the new one."""
    vault = FakeVault()
    secrets = make_secrets(vault)
    secrets.read(WORKSPACE_KEY_SECRET, never())

    assert not secrets.changed(WORKSPACE_KEY_SECRET, never())
    vault.values[WORKSPACE_KEY_SECRET] = "bmV3"
    assert secrets.changed(WORKSPACE_KEY_SECRET, never())
    assert "bmV3" == secrets.read(WORKSPACE_KEY_SECRET, never())
    assert 3 == len(vault.reads)


def test_read_again_after_a_failed_rereading() -> None:
    """A vault that is down while a secret is read again is asked the next time."""
    wire = Wire(FakeVault())
    secrets = make_secrets(wire)
    secrets.read(WORKSPACE_KEY_SECRET, never())
    wire.then(unreachable)
    with pytest.raises(ServiceUnavailable):
        secrets.changed(WORKSPACE_KEY_SECRET, never())

    assert WORKSPACE_KEY == secrets.read(WORKSPACE_KEY_SECRET, never())


@pytest.mark.parametrize(
    "step",
    [
        json_answer(503, {"error": {"code": "Busy", "message": "-"}}),
        json_answer(429, {"error": {"code": "Throttled", "message": "-"}}, {"Retry-After": "2"}),
        Answer(200, {"content-type": "application/json"}, b"<html>Sign in"),
        unreachable,
        loses_answer,
    ],
)
def test_outage_is_outlasted(step: Behaviour | Answer) -> None:
    """A vault that fails for a moment is asked again."""
    retry = make_retry()

    assert WORKSPACE_KEY == make_secrets(Wire(FakeVault(), step)).read(WORKSPACE_KEY_SECRET, retry)
    assert 1 == retry.count


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (forbidden("AccessDenied"), "role Key Vault Secrets User on the vault, and let the vault's firewall"),
        (forbidden("ForbiddenByFirewall"), "role Key Vault Secrets User"),
        (
            json_answer(401, {"error": {"code": "Unauthorized", "message": "-"}}),
            "role Key Vault Secrets User",
        ),
        (json_answer(404, {"error": {"code": "SecretNotFound", "message": "-"}}), "no such secret"),
        (json_answer(400, {"error": {"code": "BadParameter", "message": "-"}}), "Check KEY_VAULT_URL"),
        (json_answer(200, {"value": "", "id": f"{VAULT_URL}/secrets/a/1"}), "is empty"),
        (json_answer(200, {"value": " \n", "id": f"{VAULT_URL}/secrets/a/1"}), "is empty"),
        (json_answer(200, {"value": None, "id": f"{VAULT_URL}/secrets/a/1"}), "is empty"),
    ],
)
def test_refusals(answer: Answer, says: str) -> None:
    """Each refusal names the vault and the secret, and says who must do what."""
    with pytest.raises(SecretError, match=says) as raised:
        make_secrets(Wire(answer)).read(WORKSPACE_KEY_SECRET, make_retry())

    assert str(raised.value).startswith(f"Key Vault {VAULT_URL}, secret {WORKSPACE_KEY_SECRET}: ")


def test_identity_refused() -> None:
    """An identity that gets no token at all is told like a missing role."""
    challenge = Answer(
        401,
        {
            "www-authenticate": (
                'Bearer authorization="https://login.microsoftonline.com/tenant", '
                'resource="https://vault.azure.net"'
            )
        },
    )
    credential = FakeCredential(ClientAuthenticationError("secret text of the token service"))
    secrets = Secrets(VAULT_URL, credential, azure_transport(Wire(challenge)))

    with pytest.raises(SecretError, match="the identity was refused") as raised:
        secrets.read(WORKSPACE_KEY_SECRET, make_retry())

    assert "secret text" not in str(raised.value)
