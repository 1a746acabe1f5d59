"""What people ordinarily do in DocuSign, and how often."""

from random import Random

from sandbox.organization.identifiers import guid
from sandbox.organization.model import What
from sandbox.organization.shapes import exploded

Data = dict[str, object]

LOGIN = What("User", "Login", field="Status", result="Success")
FAILED_LOGIN = What("User", "Login", field="Status", result="Failed")
DOWNLOADED = What("Envelope", "Downloaded")
VOIDED = What("Envelope", "Voided")
ENVELOPE_DELETED = What("Envelope", "Deleted")
CREATED = What("Envelope", "Created")
SENT = What("Envelope", "Sent")
USER_ADDED = What("Account", "UserAdded")
USER_DELETED = What("Account", "UserDeleted")

WORK: dict[What, float] = {
    CREATED: 15,
    SENT: 14,
    What("Envelope", "Viewed"): 22,
    What("Envelope", "Signed"): 12,
    What("Envelope", "Completed"): 9,
    What("Envelope", "Corrected"): 1,
    What("Envelope", "Declined"): 0.4,
    DOWNLOADED: 5,
    VOIDED: 0.25,
    ENVELOPE_DELETED: 0.2,
    What("Template", "Created"): 0.8,
    What("Template", "Updated"): 1.2,
    What("User", "Updated"): 1.5,
    What("User", "Updated", "Password", "Password", "Updated"): 0.3,
    What("User", "Updated", "Security", "TwoFactorAuthentication", "Enabled"): 0.2,
}
"""What anybody does, with weights."""

ADMINISTRATION: dict[What, float] = {
    USER_ADDED: 5,
    USER_DELETED: 0.3,
    What("Account", "Updated"): 3,
    What("Group", "Created"): 1,
    What("Group", "Updated"): 2,
    What("Group", "Deleted"): 0.5,
    What("Connect", "Updated"): 1,
    What("PermissionSet", "Updated"): 1,
}
"""What only administrators do, with weights; it makes up an eighth of their work."""

AUTOMATION: dict[What, float] = {
    CREATED: 30,
    SENT: 30,
    What("Envelope", "Completed"): 20,
    What("Envelope", "Viewed"): 5,
}
"""What applications do, with weights."""

RARE = {VOIDED: 1, ENVELOPE_DELETED: 1, USER_DELETED: 1, DOWNLOADED: 3}
"""At most this often in a session, so that an ordinary day never looks like an incident."""

_NESTED, _EXPLODED = 0.02, 0.01
_SETTINGS = ("EnvelopeExpirationDays", "ReminderFrequency", "BrandingLogo", "AllowBulkSend")


def data_for(rng: Random, what: What) -> Data:
    """Return what DocuSign puts into `data` for such an event, ids made up."""
    if what == What("Account", "Updated"):
        return {"SettingsKey": rng.choice(_SETTINGS)}
    if what.object == "Envelope":
        return _envelope(rng)
    if what.object == "Account":
        return _member(rng)
    return {f"{what.object}Id": guid(rng)} if what.object in {"Template", "Group"} else {}


def _envelope(rng: Random) -> Data:
    data: Data = {"EnvelopeId": guid(rng)}
    oddity = rng.random()
    if oddity < _NESTED:
        data["Recipients"] = [{"RecipientId": str(n), "RoutingOrder": n} for n in range(1, rng.randint(2, 4))]
    elif oddity < _NESTED + _EXPLODED:
        data["EnvelopeType"] = exploded("Envelope")
    return data


def _member(rng: Random) -> Data:
    return {
        "AffectedUserId": guid(rng),
        "AffectedMembershipId": guid(rng),
        "PermissionProfileId": str(rng.randrange(10_000_000, 99_999_999)),
    }
