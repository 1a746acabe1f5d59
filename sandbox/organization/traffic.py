"""Ordinary traffic: sessions of people in their working hours, and applications around the clock."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random

from sandbox.organization import catalogue
from sandbox.organization.catalogue import FAILED_LOGIN, LOGIN, RARE, data_for
from sandbox.organization.model import Access, Place, User, What
from sandbox.organization.shapes import EventMaker

Moment = tuple[datetime, dict[str, object]]
"""The time of an event, and the event."""

RECENT_DAYS = 3
"""Incidents are planted in the last days of the history; by then every habit has been seen before."""

_WEEKDAYS = (10, 11, 11, 10, 9, 1, 0.6)
_SESSION = timedelta(minutes=75)
_INTERNAL = "##DOCUSIGN_INTERNAL_NOT_USED##"
_NOON, _LAST_START = 12, 22.25
"""None begins later than 22:15: it ends before midnight, and a trip to the other office takes a night."""

_AUTOMATED, _EVENING, _LUNCH, _SECOND_BROWSER, _INTERNAL_KEY = 0.12, 0.04, 0.6, 0.2, 0.1
_FAILS, _FAILS_TWICE, _ADMINISTERS, _SINGLE_LOGIN = 0.03, 0.2, 0.125, 0.1
"""How likely each of these is, wherever it is possible."""


@dataclass
class Traffic:
    """Makes the ordinary events of an organization.

    Attributes:
        rng: The source of everything.
        maker: Gives events their shape.
        users: Everybody; closed users do nothing.
        keys: Ids of the integration keys in use, as spelled in events.
        start: Begin of the history.
        until: End of the history.
    """

    rng: Random
    maker: EventMaker
    users: list[User]
    keys: list[str]
    start: datetime
    until: datetime
    _travel: dict[str, list[date]] = field(init=False)
    _failed_at: dict[str, datetime] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._people = [user for user in self.users if user.status == "Active" and not user.is_service]
        self._services = [user for user in self.users if user.is_service]
        self._days = list(_days(self.start, self.until))
        self._day_weights = [_WEEKDAYS[day.weekday()] for day in self._days]
        self._travel = {user.id: self._travel_days(user) for user in self._people if user.second}

    def history(self, count: int) -> list[Moment]:
        """Return that many events between start and end, in no particular order."""
        moments = list(self._arrivals())
        while len(moments) < count:
            moments += self._automated() if self.rng.random() < _AUTOMATED else self._any_session()
        return moments[: max(count, 0)]

    def now(self, now: datetime, count: int) -> list[Moment]:
        """Return that many single events of the last minutes, by people who are at work."""
        awake = [user for user in self._people if _at_work(user, now)] or self._services
        return [self._single(now, self.rng.choice(awake)) for _ in range(count)]

    def access(self, user: User, moment: datetime) -> Access:
        """Return how the user reaches DocuSign at that moment: from home, the office or the other office."""
        if user.is_service:
            return Access(user.home_ip, user.home, source="API", integrator_key=self._key_of(user))
        ip, place = self._whereabouts(user, moment)
        client = user.clients[-1] if self.rng.random() < _SECOND_BROWSER else user.clients[0]
        key = _INTERNAL if self.rng.random() < _INTERNAL_KEY else ""
        return Access(ip, place, client, "Mobile" if client.device == "iPhone" else "Web", key)

    def _whereabouts(self, user: User, moment: datetime) -> tuple[str, Place]:
        local = user.home.local(moment)
        if user.second and local.date() in self._travel.get(user.id, []):
            return user.second_ip, user.second
        at_office = user.hours[0] <= local.hour < user.hours[1] and local.date().weekday() in range(4)
        return (user.office_ip if at_office else user.home_ip), user.home

    def _key_of(self, user: User) -> str:
        return self.keys[self._services.index(user) % len(self.keys)]

    def _travel_days(self, user: User) -> list[date]:
        """Choose days at the second office; the first of them early, so that it is a known place later."""
        workdays = [day for day in self._days[2:] if day.weekday() in range(5)]
        recent = self.until - timedelta(days=RECENT_DAYS)
        early = [day for day in workdays if _midnight(day, user.home) + timedelta(days=1) <= recent]
        if not early:
            return []
        first = self.rng.choice(early)
        return [first, self.rng.choice([day for day in workdays if day > first])]

    def _arrivals(self) -> Iterator[Moment]:
        """Yield a session of every traveller on the first day at the second office, and on the eve at home."""
        for user in self._people:
            for day in self._travel.get(user.id, [])[:1]:
                yield from self._session(user, day - timedelta(days=1))
                yield from self._session(user, day)

    def _session(self, user: User, day: date) -> Iterator[Moment]:
        begin = self._begin(user, day)
        if not self.start <= begin < self.until - _SESSION:
            return
        access = self.access(user, begin)
        failures = list(self._failures(user, begin))
        for moment in [*failures, begin]:
            yield moment, self.maker.make(moment, LOGIN if moment == begin else FAILED_LOGIN, user, access)
        yield from self._work(user, access, begin)

    def _any_session(self) -> Iterator[Moment]:
        day = self.rng.choices(self._days, weights=self._day_weights)[0]
        return self._session(self.rng.choice(self._people), day)

    def _begin(self, user: User, day: date) -> datetime:
        first, last = user.hours
        hour = self.rng.uniform(first, last)
        if self.rng.random() < _EVENING:
            hour = self.rng.uniform(last, _LAST_START)
        elif int(hour) == _NOON and self.rng.random() < _LUNCH:
            hour += 1.5
        return _midnight(day, user.home) + timedelta(hours=hour)

    def _failures(self, user: User, begin: datetime) -> Iterator[datetime]:
        """Yield the times of mistyped passwords: two at most, and never twice in the same hours."""
        last = self._failed_at.get(user.id)
        if self.rng.random() > _FAILS or (last and abs(begin - last) < timedelta(hours=2)):
            return
        self._failed_at[user.id] = begin
        if self.rng.random() < _FAILS_TWICE:
            yield begin - timedelta(seconds=self.rng.uniform(20, 40))
        yield begin - timedelta(seconds=self.rng.uniform(4, 15))

    def _work(self, user: User, access: Access, begin: datetime) -> Iterator[Moment]:
        moment, left = begin, dict(RARE)
        for _ in range(min(1 + int(self.rng.expovariate(1 / 8)), 25)):
            moment += timedelta(seconds=min(self.rng.lognormvariate(4, 1), 900))
            what = self._what(user, left)
            if moment < begin + _SESSION and what:
                yield moment, self.maker.make(moment, what, user, access, data_for(self.rng, what))

    def _what(self, user: User, left: dict[What, int]) -> What | None:
        administers = user.is_admin and self.rng.random() < _ADMINISTERS
        menu = catalogue.ADMINISTRATION if administers else catalogue.WORK
        what = self.rng.choices(list(menu), weights=list(menu.values()))[0]
        if what in left:
            left[what] -= 1
        return what if left.get(what, 1) >= 0 else None

    def _automated(self) -> Iterator[Moment]:
        user = self.rng.choice(self._services)
        moment = self.start + self.rng.random() * (self.until - self.start - _SESSION)
        access = self.access(user, moment)
        menu = catalogue.AUTOMATION
        for _ in range(self.rng.randint(3, 12)):
            moment += timedelta(seconds=self.rng.uniform(0.3, 20))
            what = self.rng.choices(list(menu), weights=list(menu.values()))[0]
            yield moment, self.maker.make(moment, what, user, access, data_for(self.rng, what))

    def _single(self, now: datetime, user: User) -> Moment:
        moment = now - timedelta(seconds=self.rng.uniform(1, 240))
        what = LOGIN if self.rng.random() < _SINGLE_LOGIN and not user.is_service else self._single_work()
        data = {} if what == LOGIN else data_for(self.rng, what)
        return moment, self.maker.make(moment, what, user, self.access(user, moment), data)

    def _single_work(self) -> What:
        return self.rng.choices(list(catalogue.AUTOMATION), weights=list(catalogue.AUTOMATION.values()))[0]


def _days(start: datetime, until: datetime) -> Iterator[date]:
    day = start.date()
    while day <= until.date() + timedelta(days=1):
        yield day
        day += timedelta(days=1)


def _midnight(day: date, place: Place) -> datetime:
    """Return the moment at which a day begins in a place."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=place.utc_hours)


def _at_work(user: User, now: datetime) -> bool:
    first, last = user.hours
    return first <= user.home.local(now).hour < last
