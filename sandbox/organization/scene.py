"""One incident while it is being staged: its events, and who and where they come from."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.organization.catalogue import FAILED_LOGIN, Data
from sandbox.organization.model import Access, Incident, User, What
from sandbox.organization.shapes import EventMaker
from sandbox.organization.traffic import Moment

NOWHERE = Access("", None, source="Other")
"""Alerts of this kind carry no address."""


@dataclass
class Scene:
    """Collects the events of one incident.

    Attributes:
        maker: Gives events their shape.
        name: The incident's name.
        where: The access of the one who does it.
        moments: The events so far.
    """

    maker: EventMaker
    name: str
    where: Access
    moments: list[Moment] = field(default_factory=list)
    _who: dict[str, None] = field(default_factory=dict)

    def add(
        self, at: datetime, what: What, user: User, data: Data | None = None, access: Access | None = None
    ) -> str:
        """Add one event and return its id."""
        event = self.maker.make(at, what, user, access or self.where, data)
        self.moments.append((at, event))
        self._who[user.id] = None
        return str(event["eventId"])

    def fail(self, at: datetime, user: User, times: int, seconds: float) -> list[str]:
        """Add failed logins of one user, evenly spaced, and return their ids."""
        return [self.add(at + timedelta(seconds=n * seconds), FAILED_LOGIN, user) for n in range(times)]

    def alert(self, at: datetime, action: str, user: User, data: Data, *, located: bool = True) -> None:
        """Add DocuSign's own alert on what happened."""
        access = Access(self.where.ip, self.where.place, source="Other") if located else NOWHERE
        self.add(at, What("Alert", action), user, data, access)

    def incident(self) -> Incident:
        """Return what was staged."""
        in_order = sorted(self.moments, key=lambda moment: moment[0])
        country = self.where.place.country if self.where.place else ""
        ids = tuple(str(event["eventId"]) for _, event in in_order)
        return Incident(
            self.name, in_order[0][0], tuple(self._who), f"{self.where.ip} {country}".strip(), ids
        )
