"""The incidents planted in the last two days of a history, for rules to find.

Two days, because Log Analytics replaces older event times with the time of ingestion, and a rule that looks
at the time of generation would see an old incident squeezed into a moment.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from sandbox.organization import places
from sandbox.organization.catalogue import (
    CREATED,
    DOWNLOADED,
    ENVELOPE_DELETED,
    FAILED_LOGIN,
    LOGIN,
    SENT,
    USER_DELETED,
    VOIDED,
)
from sandbox.organization.clients import INTRUDER
from sandbox.organization.identifiers import guid
from sandbox.organization.model import Access, Place, User, What
from sandbox.organization.scene import Scene
from sandbox.organization.shapes import EventMaker, exploded

SPRAY_IP, GUESSING_IP, FAR_IP, LEAK_IP, OUTSIDE_IP = (f"192.0.2.{n}" for n in (66, 17, 130, 91, 204))

BULK_ACCOUNTS_EXPORT = What("Organization", "Initiated", "BulkAccountsExport")
BULK_USERS_EXPORT = What("Organization", "Initiated", "BulkUsersExport")
ADD_ADMINISTRATOR = What("Account", "AddAdministrator")
OPTIONAL_AUTHENTICATION = What(
    "Account", "Updated", "SecurityPolicy", "RecipientAuthenticationSettings", "Optional"
)
WEAK_PASSWORDS = What("Account", "Updated", "PasswordRules", "PasswordStrength", "Weak")

_SPRAYED = 18


def minutes(number: float) -> timedelta:
    """Return a span of minutes."""
    return timedelta(minutes=number)


class Director:
    """Stages the incidents, each with a cast of its own.

    Args:
        rng: The source of everything.
        maker: Gives events their shape.
        users: Everybody.
        until: End of the history; the incidents lie 3 to 46 hours before it.
    """

    def __init__(self, rng: Random, maker: EventMaker, users: list[User], until: datetime) -> None:
        self._rng = rng
        self._maker = maker
        self._until = until
        self._users = users
        settled = [u for u in users if u.status == "Active" and not u.is_service and not u.second]
        rng.shuffle(settled)
        self._admins = [user for user in settled if user.is_admin]
        self._cast = iter([user for user in settled if not user.is_admin])

    def stage(self) -> Iterator[Scene]:
        """Yield every incident."""
        administrator = self._admins.pop()
        yield self._password_spray(administrator)
        yield self._bulk_export(administrator)
        yield self._administrator_added(administrator)
        yield self._weakened_policies(administrator)
        yield self._brute_force()
        yield self._mass_download()
        yield self._mass_void()
        yield self._mass_user_deletion()
        yield self._new_integration_key()
        yield self._impossible_travel()
        yield self._credential_leak()
        yield self._same_sender_and_signer()
        yield self._outside_allowed_ranges()

    def guessing(self, begin: datetime, user: User, times: int, seconds: float) -> Scene:
        """Return a scene in which one user's password is guessed that many times."""
        scene = Scene(self._maker, "brute-force", _intruder(GUESSING_IP, user.home))
        scene.fail(begin, user, times, seconds)
        return scene

    def _ago(self, hours: float) -> datetime:
        return self._until - timedelta(hours=hours, seconds=self._rng.uniform(-600, 600))

    def _spray_scene(self, name: str) -> Scene:
        return Scene(self._maker, name, _intruder(SPRAY_IP, places.CHISINAU))

    def _password_spray(self, administrator: User) -> Scene:
        scene, begin = self._spray_scene("password-spray"), self._ago(42)
        targets = [*(next(self._cast) for _ in range(_SPRAYED - 1)), administrator]
        for n, user in enumerate(targets):
            scene.fail(begin + minutes(n), user, self._rng.randint(1, 2), 7)
        scene.add(begin + minutes(19), LOGIN, administrator)
        return scene

    def _bulk_export(self, administrator: User) -> Scene:
        scene, begin = self._spray_scene("bulk-export"), self._ago(41)
        scene.add(begin, BULK_ACCOUNTS_EXPORT, administrator)
        scene.add(begin + minutes(3), BULK_USERS_EXPORT, administrator)
        return scene

    def _administrator_added(self, administrator: User) -> Scene:
        scene = self._spray_scene("administrator-added")
        accomplice = next(self._cast)
        data: dict[str, object] = {"AffectedUserId": accomplice.id, "AffectedMembershipId": guid(self._rng)}
        scene.add(self._ago(40), ADD_ADMINISTRATOR, administrator, data)
        return scene

    def _weakened_policies(self, administrator: User) -> Scene:
        scene, begin = self._spray_scene("weakened-policies"), self._ago(39)
        scene.add(begin, OPTIONAL_AUTHENTICATION, administrator)
        scene.add(begin + minutes(2), WEAK_PASSWORDS, administrator)
        return scene

    def _brute_force(self) -> Scene:
        user, begin = next(self._cast), self._ago(32)
        scene = self.guessing(begin, user, times=8, seconds=240)
        failures = [str(event["eventId"]) for _, event in scene.moments]
        alert: dict[str, object] = {"EventIds": failures[:6], "Severity": "High"}
        scene.alert(begin + minutes(21), "TooManyLoginFailures", user, alert)
        scene.add(begin + minutes(34), LOGIN, user)
        return scene

    def _mass_download(self) -> Scene:
        user = next(self._cast)
        scene = Scene(self._maker, "mass-download", Access(user.home_ip, user.home, user.clients[0]))
        begin = self._night(user.home)
        scene.add(begin, LOGIN, user)
        for n in range(30):
            scene.add(begin + minutes(1 + 1.5 * n), DOWNLOADED, user, self._envelope())
        return scene

    def _night(self, place: Place) -> datetime:
        """Return the latest twenty past two at night that is more than three hours ago."""
        local = place.local(self._until - timedelta(hours=3))
        night = local.replace(hour=2, minute=20, second=0)
        if night > local:
            night -= timedelta(days=1)
        return night - timedelta(hours=place.utc_hours)

    def _mass_void(self) -> Scene:
        user, begin = next(self._cast), self._ago(20)
        scene = Scene(self._maker, "mass-void", Access(user.home_ip, user.home, user.clients[0]))
        for n in range(30):
            scene.add(begin + minutes(n), VOIDED, user, self._envelope())
        for n in range(12):
            scene.add(begin + minutes(31 + n), ENVELOPE_DELETED, user, self._envelope())
        return scene

    def _mass_user_deletion(self) -> Scene:
        leavers, begin = [user for user in self._users if user.status == "Closed"], self._ago(16)
        administrator = next(user for user in self._admins if user.account == leavers[0].account)
        access = Access(administrator.office_ip, administrator.home, administrator.clients[0])
        scene = Scene(self._maker, "mass-user-deletion", access)
        for n, leaver in enumerate(leavers):
            data: dict[str, object] = {"AffectedUserId": leaver.id, "AffectedMembershipId": guid(self._rng)}
            scene.add(begin + minutes(3 * n), USER_DELETED, administrator, data)
        return scene

    def _new_integration_key(self) -> Scene:
        user, begin = next(self._cast), self._ago(12)
        access = Access(user.office_ip, user.home, source="API", integrator_key=guid(self._rng))
        scene = Scene(self._maker, "new-integration-key", access)
        for n in range(4):
            scene.add(begin + minutes(n), CREATED if n % 2 == 0 else SENT, user, self._envelope())
        return scene

    def _impossible_travel(self) -> Scene:
        user, begin = next(self._cast), self._ago(9)
        scene = Scene(self._maker, "impossible-travel", _intruder(FAR_IP, places.SINGAPORE))
        home = Access(user.home_ip, user.home, user.clients[0])
        scene.add(begin, LOGIN, user, access=home)
        scene.add(begin + minutes(38), LOGIN, user)
        return scene

    def _credential_leak(self) -> Scene:
        user = next(self._cast)
        scene = Scene(self._maker, "credential-leak", Access(LEAK_IP, user.home, source="Other"))
        scene.alert(
            self._ago(7), "CredentialLeakDetected", user, {"EventIds": [], "Severity": "High"}, located=False
        )
        return scene

    def _same_sender_and_signer(self) -> Scene:
        user, begin = next(self._cast), self._ago(6)
        scene = Scene(self._maker, "same-sender-and-signer", Access(user.home_ip, user.home, user.clients[0]))
        envelope: dict[str, object] = self._envelope()
        ids = [scene.add(begin, SENT, user, envelope)]
        ids.append(scene.add(begin + minutes(2), What("Envelope", "Signed"), user, envelope))
        data = envelope | {"SignerIp": exploded(user.home_ip), "EnvelopeType": exploded("Envelope")}
        data |= {"EventIds": ids, "Severity": "Medium"}
        scene.alert(begin + minutes(3), "SameSenderAndSigner", user, data, located=False)
        return scene

    def _outside_allowed_ranges(self) -> Scene:
        user, begin = next(self._cast), self._ago(4)
        scene = Scene(self._maker, "outside-allowed-ranges", _intruder(OUTSIDE_IP, places.LAGOS))
        ids = [scene.add(begin, FAILED_LOGIN, user), scene.add(begin + minutes(1), LOGIN, user)]
        alert: dict[str, object] = {"EventIds": ids, "Count": str(len(ids))}
        scene.alert(begin + minutes(2), "IpAddressOutsideAllowedRanges", user, alert)
        return scene

    def _envelope(self) -> dict[str, object]:
        return {"EnvelopeId": guid(self._rng)}


def _intruder(ip: str, place: Place) -> Access:
    return Access(ip, place, INTRUDER, proxy_type="hosting")
