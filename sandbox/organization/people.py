"""The people of the organization: names, accounts, addresses and habits."""

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from sandbox.organization import places
from sandbox.organization.clients import CLIENTS
from sandbox.organization.identifiers import guid
from sandbox.organization.model import Account, Place, User

DOMAIN = "harbor-paper.example"
LEAVERS = 8
"""Closed users, whom an administrator deletes in one of the incidents."""

_TRAVELLERS, _OFFICE = 0.18, 0.8
_JOINED = datetime(2021, 3, 1, 9, tzinfo=UTC)

_SERVICES = (
    "Contract Archive",
    "Sales CRM",
    "HR Onboarding",
    "Invoice Robot",
    "Data Warehouse",
    "Warsaw ERP",
)

_ENGLISH = (
    "Olivia Liam Amelia Noah Grace Ethan Chloé Lucas Renée James Ava Henry Zoë Owen Nora Caleb",
    "Smith Johnson O'Connor Nuñez Williams Garcia Miller Davis Martínez Clark Lewis Walker Hall Reid",
)
_FRENCH = (
    "Élodie Benoît Hélène Jérôme Françoise Théo Camille Loïc",
    "Lefèvre Dubois Gérard Noël Forêt Rousseau Çelik",
)
_GERMAN = (
    "Jürgen Käthe Björn Sören Anneliese Lukas Frauke Heiko",
    "Müller Weiß Schröder Köhler Großmann Becker Jäger Vogt",
)
_POLISH = (
    "Łukasz Małgorzata Paweł Agnieszka Michał Żaneta Wojciech Elżbieta",
    "Wiśniewska Dąbrowski Kamińska Zieliński Wójcik Źródło",
)
_INDIAN = ("Aarav Priya Rohan Ananya Vikram Deepa Sanjay Kavya", "Sharma Iyer Patel Reddy Menon Gupta Nair")
_JAPANESE = (
    "佐藤|sato 鈴木|suzuki 高橋|takahashi 田中|tanaka 渡辺|watanabe 伊藤|ito",
    "美咲|misaki 健太|kenta さくら|sakura 大輔|daisuke 陽子|yoko 翔|sho",
)
_BRAZILIAN = (
    "João Conceição Antônio Luíza Márcio Beatriz Renata Davi",
    "Araújo Magalhães Gonçalves Brandão Assunção",
)

_NAMES = {
    "france": _FRENCH,
    "germany": _GERMAN,
    "poland": _POLISH,
    "india": _INDIAN,
    "japan": _JAPANESE,
    "brazil": _BRAZILIAN,
}

_WITHOUT_DECOMPOSITION = str.maketrans({"ł": "l", "Ł": "L", "ß": "ss", "'": None})


def make_accounts(rng: Random) -> list[Account]:
    """Return the three accounts; the first is the default one."""
    return [
        Account(guid(rng), "Harbor Paper Americas", "NA1", "https://na1.docusign.net", is_default=True),
        Account(guid(rng), "Harbor Paper Europe", "EU", "https://eu.docusign.net"),
        Account(guid(rng), "Harbor Paper Asia Pacific", "AU", "https://au.docusign.net"),
    ]


def make_users(rng: Random, accounts: list[Account]) -> list[User]:
    """Return some 150 people, a few applications' users, and the leavers."""
    users = [_person(rng, accounts, n, home) for n, home in enumerate(_homes(), start=1)]
    users += [_service(rng, accounts, n) for n in range(len(_SERVICES))]
    users += [_person(rng, accounts, len(users) + n, places.CHICAGO, status="Closed") for n in range(LEAVERS)]
    return users


def _homes() -> Iterator[Place]:
    for home, count in places.STAFF.items():
        for _ in range(count):
            yield home


def _account_of(home: Place, accounts: list[Account]) -> Account:
    if home.utc_hours < 0:
        return accounts[0]
    return accounts[1] if home.utc_hours <= places.BERLIN.utc_hours else accounts[2]


def _person(rng: Random, accounts: list[Account], number: int, home: Place, status: str = "Active") -> User:
    first, last = (rng.choice(part.split()) for part in _NAMES.get(home.country, _ENGLISH))
    name = f"{first.partition('|')[0]} {last.partition('|')[0]}"
    is_admin = number % 15 == 0 and status == "Active"
    second = None if is_admin else _second_office(rng, home)
    starts = rng.choice((7, 8, 8, 9, 9))
    return User(
        id=guid(rng),
        name=name,
        email=f"{_ascii(first)}.{_ascii(last)}{number}@{DOMAIN}".lower(),
        account=_account_of(home, accounts),
        home=home,
        home_ip=_home_ip(number),
        office_ip=_office_ip(rng, number, home),
        clients=tuple(dict.fromkeys(rng.choices(CLIENTS, weights=(6, 5, 4, 3, 2, 1, 2), k=2))),
        hours=(starts, starts + rng.choice((8, 9, 9, 10))),
        created_on=_joined(rng),
        second=second,
        second_ip=places.office_ip(second) if second else "",
        is_admin=is_admin,
        status=status,
    )


def _service(rng: Random, accounts: list[Account], number: int) -> User:
    ip = f"198.51.100.{200 + number}"
    return User(
        id=guid(rng),
        name=_SERVICES[number],
        email=f"{_SERVICES[number].replace(' ', '.').lower()}@{DOMAIN}",
        account=accounts[number % len(accounts)],
        home=places.DATA_CENTER,
        home_ip=ip,
        office_ip=ip,
        clients=(),
        hours=(0, 24),
        created_on=_joined(rng),
        is_service=True,
    )


def _joined(rng: Random) -> datetime:
    return _JOINED + timedelta(days=rng.randrange(1500), minutes=rng.randrange(480))


def _home_ip(number: int) -> str:
    return f"2001:db8:{number:x}::{number * 7:x}" if number % 9 == 0 else f"203.0.113.{number % 250 + 2}"


def _office_ip(rng: Random, number: int, home: Place) -> str:
    """Return the office's shared address, or a private one for the fifth that comes in by VPN."""
    return places.office_ip(home) if rng.random() < _OFFICE else f"10.{number % 8}.{number}.7"


def _second_office(rng: Random, home: Place) -> Place | None:
    choices = places.SECOND_OFFICES.get(home)
    return rng.choice(choices) if choices and rng.random() < _TRAVELLERS else None


def _ascii(name: str) -> str:
    latin = name.rpartition("|")[2].translate(_WITHOUT_DECOMPOSITION)
    return unicodedata.normalize("NFKD", latin).encode("ascii", "ignore").decode()
