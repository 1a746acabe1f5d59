import random
from collections.abc import Iterator
from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import strategies as st

from shared.ingestion.columns import EVENT_FIELDS
from shared.ingestion.rows import EncodedRow, encode_event
from shared.lenient_json import dumps, loads
from shared.timestamps import normalise
from tests.support import ABSENT, EVENT, make_event

LIMIT = 32 * 1024

IDENTIFIERS = [
    *("eventId", "accountId", "organizationId", "userId"),
    *("integratorKey", "affectedUserId", "referencedUserId"),
]
TEXTS = [
    *IDENTIFIERS,
    *("site", "userAgent", "ipAddress", "source"),
    *("object", "action", "property", "field", "result"),
    *("proxyStatus", "proxyType", "proxyLevel"),
    *("city", "state", "country", "browser", "device", "os"),
]
FLAGS = ["isUserMemberOfDomain", "referencedUserIsMemberOfDomain", "affectedUserIsMemberOfDomain"]
NUMBERS = ["latitude", "longitude"]
OBJECTS = ["userAgentClientInfo", "data"]
NAMES = {"timestamp", *TEXTS, *FLAGS, *NUMBERS, *OBJECTS, "additionalFields"}
LOCATION = ["latitude", "longitude", "city", "state", "country"]
CLIENT = ["browser", "device", "os"]

NESTED_LOCATION = {
    "latitude": 47.61,
    "longitude": -122.33,
    "country": "US",
    "state": "Washington",
    "city": "King",
}
NESTED_CLIENT = {
    "browser": {"family": "Chrome", "version": {"major": "80", "minor": "0", "patch": "3987"}},
    "device": {"family": "Other", "brand": "", "model": ""},
    "os": {"family": "Windows", "version": {"major": "10"}},
}


def row_of(event: Any, limit: int = LIMIT) -> dict[str, Any]:
    """Give the event's row as the service reads it."""
    row = orjson.loads(encode_event(event, limit).body)
    assert isinstance(row, dict)
    return row


def extras_of(event: Any, limit: int = LIMIT) -> dict[str, Any]:
    """Give what stands in the row's `additionalFields`."""
    extras = orjson.loads(row_of(event, limit).get("additionalFields", "{}"))
    assert isinstance(extras, dict)
    return extras


def nested(depth: int) -> Any:
    """Give objects, one inside the other, around one text."""
    value: Any = "core"
    for _ in range(depth):
        value = {"k": value}
    return value


class TestContract:
    """Exactly the contract's fields, each of its type."""

    def test_names(self) -> None:
        """The names here, written out from the contract, are the module's."""
        assert NAMES == {field.name for field in EVENT_FIELDS}

    def test_full_event(self) -> None:
        """An event with every field of the right type becomes the same fields, with objects as JSON text."""
        row = row_of(EVENT)
        expected = EVENT | {name: dumps(EVENT[name]).decode() for name in OBJECTS}

        assert expected == row

    def test_the_row_beside_its_event(self) -> None:
        """A row keeps the very event, and the time that it is posted with."""
        event = make_event(timestamp="2026-11-20T04:00:00+02:00")
        encoded = encode_event(event, LIMIT)

        assert encoded.event is event
        assert ("2026-11-20T02:00:00Z", ()) == (encoded.timestamp, encoded.truncated)

    def test_the_event_is_not_changed(self) -> None:
        """Making a row leaves the event as it came, for it may become a dead letter."""
        event = make_event(
            new="x" * LIMIT,
            city=ABSENT,
            ipAddressLocation=dict(NESTED_LOCATION),
            latitude="47",
            data={"a": [1]},
        )
        before = dumps(event)
        encode_event(event, LIMIT)

        assert before == dumps(event)

    @pytest.mark.parametrize("empty", [None, ""])
    def test_nulls_and_empty_strings(self, empty: str | None) -> None:
        """Nulls and empty strings are left out of the row, whatever their names."""
        event = dict.fromkeys([*NAMES - {"eventId", "timestamp"}, "new"], empty)
        event |= {"eventId": EVENT["eventId"], "timestamp": EVENT["timestamp"]}

        assert {"eventId": EVENT["eventId"], "timestamp": EVENT["timestamp"]} == row_of(event)

    def test_values_that_only_look_empty(self) -> None:
        """Zero, false and an empty object say something, and are kept."""
        row = row_of(make_event(latitude=0, longitude=0.0, isUserMemberOfDomain=False, data={}))

        assert (0, 0.0, False, "{}") == (
            row["latitude"],
            row["longitude"],
            row["isUserMemberOfDomain"],
            row["data"],
        )

    def test_unknown_fields(self) -> None:
        """A field that is not in the contract goes into `additionalFields`, as it is."""
        new = {
            "application": "x",
            "version": 3,
            "customerVisible": False,
            "traceToken": {"a": [None, ""]},
            "": 0,
        }

        assert new == extras_of(make_event(**new))
        assert set(row_of(make_event(**new))) == NAMES

    def test_names_are_exact(self) -> None:
        """A known name in another spelling is an unknown field."""
        assert {"eventid": "x", "City": "y"} == extras_of(make_event(eventid="x", City="y"))

    @pytest.mark.parametrize("value", ["x", 5, ["a"], {"truncated": ["data"]}])
    def test_a_field_named_like_ours(self, value: Any) -> None:
        """A field of DocuSign's named `additionalFields` or `truncated` is an unknown one like any other."""
        extras = extras_of(make_event(additionalFields=value, truncated=value))

        assert {"additionalFields": value, "truncated": value} == extras

    def test_additional_fields_only_when_needed(self) -> None:
        """An event without oddities has no `additionalFields`."""
        assert "additionalFields" not in row_of(EVENT)


WRONG: dict[str, list[Any]] = {
    "text": [5, 1.5, True, False, 0, [], ["a"], {}, {"a": 1}],
    "flag": ["true", "x", 1, 0, 1.0, [], {}],
    "number": ["47.61", True, False, [], [1.5], {}],
    "object": ["{}", "x", 5, 0.5, True, [], ["S", "e", "n", "t"], [{"a": 1}]],
    "moment": [0, 1732190400, 1.5, True, [], {}, "yesterday", "2026-11-21", "2026-02-30T00:00:00Z", "\ud800"],
}
FIELDS_BY_TYPE = {
    "text": TEXTS,
    "flag": FLAGS,
    "number": NUMBERS,
    "object": OBJECTS,
    "moment": ["timestamp"],
}


@pytest.mark.parametrize(
    ("name", "wrong"), [(name, kind) for kind, names in FIELDS_BY_TYPE.items() for name in names]
)
def test_wrong_types(name: str, wrong: str) -> None:
    """A value of another type leaves its field empty, stands in `additionalFields`, and the event is shipped."""
    for value in WRONG[wrong]:
        event = make_event(**{"userAgentClientInfo": {"other": 1}, name: value})
        strict = orjson.loads(dumps(value))

        assert {name: strict} == extras_of(event)
        assert type(strict) is type(extras_of(event)[name])
        assert NAMES - {name} == set(row_of(event))


class TestOddIds:
    """A missing `eventId` or time is an oddity, not a reason to lose the event."""

    @pytest.mark.parametrize("name", ["eventId", "timestamp"])
    @pytest.mark.parametrize("missing", [ABSENT, None, ""])
    def test_missing(self, name: str, missing: Any) -> None:
        """A missing id or time is named in `additionalFields`, and everything else is shipped."""
        event = make_event(**{name: missing})

        assert {name: None} == extras_of(event)
        assert (NAMES - {name}) == set(row_of(event))

    def test_timestamp_of_a_row_without_one(self) -> None:
        """A row without a readable time has an empty one."""
        assert "" == encode_event(make_event(timestamp="soon"), LIMIT).timestamp

    def test_empty_event(self) -> None:
        """An event of nothing is a row that says so."""
        assert {"eventId": None, "timestamp": None} == extras_of({})

    @pytest.mark.parametrize("event", [None, True, 5, 1.5, "text", "", [], [1, {"a": "b"}], "\ud800"])
    def test_no_object(self, event: Any) -> None:
        """What is no object at all is shipped inside `additionalFields`."""
        encoded = encode_event(event, LIMIT)

        assert {"event": orjson.loads(dumps(event)), "eventId": None} == extras_of(event)
        assert ["additionalFields"] == list(row_of(event))
        assert (event, "") == (encoded.event, encoded.timestamp)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            *(
                (f"2026-11-21T12:00:00{f}Z", f"2026-11-21T12:00:00{f}Z")
                for f in ("", ".1", ".123", ".1234567")
            ),
            ("2026-11-21T14:00:00+02:00", "2026-11-21T12:00:00Z"),
            ("2026-11-21T12:00:00.5", "2026-11-21T12:00:00.500000Z"),
        ],
    )
    def test_readable_timestamps(self, text: str, expected: str) -> None:
        """A readable time is posted in UTC with Z, with all digits that it came with."""
        assert expected == row_of(make_event(timestamp=text))["timestamp"]
        assert {} == extras_of(make_event(timestamp=text))


class TestLocation:
    """The flat location is filled from the nested one."""

    def test_fills_what_is_missing(self) -> None:
        """Each missing or empty flat field takes the nested value, and the nested object is spent."""
        flat = {"latitude": ABSENT, "longitude": None, "city": "", "state": ABSENT, "country": None}
        row = row_of(make_event(**flat, ipAddressLocation=NESTED_LOCATION))

        assert NESTED_LOCATION == {name: row[name] for name in LOCATION}
        assert "additionalFields" not in row

    @pytest.mark.parametrize("name", LOCATION)
    def test_each_field(self, name: str) -> None:
        """One missing field is filled, and the others keep their own values."""
        same = {other: EVENT[other] for other in LOCATION if other != name}
        row = row_of(make_event(**{name: ABSENT}, ipAddressLocation=same | {name: NESTED_LOCATION[name]}))

        assert same | {name: NESTED_LOCATION[name]} == {other: row[other] for other in LOCATION}
        assert "additionalFields" not in row

    def test_what_differs_is_kept(self) -> None:
        """The flat value stands, and a nested one that says something else stays in `additionalFields`."""
        event = make_event(ipAddressLocation=NESTED_LOCATION | {"city": EVENT["city"], "zip": "1", "x": None})

        assert EVENT["country"] == row_of(event)["country"]
        assert {
            "ipAddressLocation": {
                name: NESTED_LOCATION[name] for name in ("latitude", "longitude", "country", "state")
            }
            | {"zip": "1"}
        } == extras_of(event)

    def test_zero_is_a_value(self) -> None:
        """A flat 0, DocuSign's word for unknown, is not replaced, and the nested value is not lost."""
        event = make_event(latitude=0, ipAddressLocation={"latitude": 47.61})

        assert 0 == row_of(event)["latitude"]
        assert {"ipAddressLocation": {"latitude": 47.61}} == extras_of(event)

    @pytest.mark.parametrize("value", ["47.61", True, [1], {"a": 1}])
    def test_nested_value_of_a_wrong_type(self, value: Any) -> None:
        """A nested value of another type fills nothing and is kept."""
        event = make_event(latitude=ABSENT, ipAddressLocation={"latitude": value})

        assert "latitude" not in row_of(event)
        assert {"ipAddressLocation": {"latitude": value}} == extras_of(event)

    def test_true_is_not_one(self) -> None:
        """A nested true beside a flat 1 says something else."""
        assert {"ipAddressLocation": {"latitude": True}} == extras_of(
            make_event(latitude=1, ipAddressLocation={"latitude": True})
        )

    @pytest.mark.parametrize("value", ["Berlin", 5, True, ["Berlin"], []])
    def test_no_object(self, value: Any) -> None:
        """A location that is no object is an oddity like any other."""
        assert {"ipAddressLocation": value} == extras_of(make_event(ipAddressLocation=value))

    @pytest.mark.parametrize("value", [None, "", {}, {"city": None}, {"city": "", "latitude": None}])
    def test_empty_location(self, value: Any) -> None:
        """A location that says nothing leaves nothing behind."""
        assert {} == extras_of(make_event(ipAddressLocation=value))


class TestClient:
    """Browser, device and system are filled from the nested object."""

    def test_fills_what_is_missing(self) -> None:
        """Missing fields take family and major version, as DocuSign's flat copy does; the object stays whole."""
        event = make_event(browser=ABSENT, device="", os=None, userAgentClientInfo=NESTED_CLIENT)
        row = row_of(event)

        assert ["Chrome 80", "Other", "Windows 10"] == [row[name] for name in CLIENT]
        assert NESTED_CLIENT == orjson.loads(row["userAgentClientInfo"])
        assert "additionalFields" not in row

    def test_what_is_there_stands(self) -> None:
        """Flat fields keep their own values."""
        row = row_of(make_event(userAgentClientInfo=NESTED_CLIENT))

        assert [EVENT[name] for name in CLIENT] == [row[name] for name in CLIENT]

    @pytest.mark.parametrize(
        ("part", "expected"),
        [
            ({"family": "Chrome"}, "Chrome"),
            ({"family": "Chrome", "version": {}}, "Chrome"),
            ({"family": "Chrome", "version": {"major": ""}}, "Chrome"),
            ({"family": "Chrome", "version": {"major": 80}}, "Chrome"),
            ({"family": "Chrome", "version": "80"}, "Chrome"),
            ({"family": ""}, None),
            ({"family": 5}, None),
            ({"version": {"major": "80"}}, None),
            ({}, None),
            ("Chrome", None),
            (None, None),
            ([], None),
        ],
    )
    def test_odd_parts(self, part: Any, expected: str | None) -> None:
        """A part without a usable family fills nothing, and a version that is none is left out."""
        event = make_event(browser=ABSENT, userAgentClientInfo={"browser": part})

        assert expected == row_of(event).get("browser")
        assert {"browser": part} == orjson.loads(row_of(event)["userAgentClientInfo"])


class TestOddContent:
    """What a strict reader would refuse."""

    def test_lone_surrogates(self) -> None:
        """A lone surrogate is written out in a text, a name, an object and an unknown field."""
        event = make_event(
            eventId="\ud800",
            city="a\udfffb",
            data={"\ud801": ["\ud802"]},
            new="\ud803",
            **{"\ud804": "\ud805"},
        )
        row = row_of(event)

        assert [r"\ud800", r"a\udfffb"] == [row["eventId"], row["city"]]
        assert {r"\ud801": [r"\ud802"]} == orjson.loads(row["data"])
        assert {"new": r"\ud803", r"\ud804": r"\ud805"} == extras_of(event)

    def test_nul_and_other_controls(self) -> None:
        """NUL and its like are kept."""
        event = make_event(action="a\x00b\x1f\u2028", data={"\x00": "\x00"})

        assert "a\x00b\x1f\u2028" == row_of(event)["action"]
        assert {"\x00": "\x00"} == orjson.loads(row_of(event)["data"])

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 19, "9" * 30, "-" + "9" * 30])
    def test_numbers_that_no_column_holds(self, number: str) -> None:
        """An odd number in an answer is kept to its last digit, and no number column becomes a text."""
        event = loads(
            b'{"eventId":"x","timestamp":"2026-11-21T12:00:00Z","latitude":%s,"data":{"n":%s},"new":[%s]}'
            % ((number.encode(),) * 3)
        )
        row = row_of(event)
        fits = len(number) == 19
        kept = int(number) if fits else number

        assert kept == orjson.loads(row["data"])["n"]
        assert [kept] == extras_of(event)["new"]
        assert row.get("latitude") == (kept if fits else None)
        assert extras_of(event).get("latitude") == (None if fits else kept)

    @pytest.mark.parametrize("depth", [100, 1_000])
    @pytest.mark.parametrize("name", ["data", "userAgentClientInfo", "new", "ipAddressLocation", "city"])
    def test_deep_nesting(self, name: str, depth: int) -> None:
        """Nesting that few readers follow is shipped whole, wherever it stands."""
        row = row_of(make_event(**{name: nested(depth)}))
        text = row[name] if name in OBJECTS else row["additionalFields"]
        written = text.replace("\\", "")

        assert NAMES >= set(row)
        assert orjson.loads(text)
        assert depth + (name not in OBJECTS) == written.count('"k":') + written.count(f'"{name}":')
        assert 1 == written.count('"core"')

    def test_deep_answer(self) -> None:
        """An event of 1,000 levels is read from an answer, and shipped beside its neighbours."""
        body = b'{"data":[{"eventId":"1","new":%s},{"eventId":"2"}]}' % (b'{"k":' * 1000 + b"1" + b"}" * 1000)

        assert ["1", "2"] == [row_of(event)["eventId"] for event in loads(body)["data"]]

    def test_ten_thousand_unknown_fields(self) -> None:
        """However many fields come, the row has the contract's; those that do not fit are in the dead letter."""
        new = {f"new{number}": number for number in range(10_000)}
        encoded = encode_event(make_event(**new), LIMIT)
        extras = extras_of(make_event(**new))

        assert set(orjson.loads(encoded.body)) == NAMES
        assert ("additionalFields",) == encoded.truncated
        assert ["additionalFields"] == extras.pop("truncated")
        assert list(new.items())[: len(extras)] == list(extras.items())
        assert len(extras) > 1_000
        assert len(encoded.event) == len(EVENT) + 10_000


class TestLimit:
    """A value over the API's limit is cut, named, and kept whole elsewhere."""

    @pytest.mark.parametrize(
        ("text", "length"),
        [
            ("a" * LIMIT, LIMIT),
            ("a" * (LIMIT + 1), LIMIT),
            ("é" * LIMIT, LIMIT // 2),
            ("a" + "é" * LIMIT, LIMIT // 2),
            ("€" * LIMIT, LIMIT // 3),
            ("😀" * LIMIT, LIMIT // 4),
            ("abc" + "😀" * LIMIT, LIMIT // 4 + 2),
            ('"\\\n' * LIMIT, LIMIT),
        ],
        ids=range(8),
    )
    def test_cut_on_a_character_boundary(self, text: str, length: int) -> None:
        """A long text keeps as many whole characters as fit, and not one that was half a character."""
        encoded = encode_event(make_event(userAgent=text), LIMIT)
        row = orjson.loads(encoded.body)

        assert text[:length] == row["userAgent"]
        assert len(row["userAgent"].encode()) <= LIMIT
        assert (("userAgent",) if len(text) > length else ()) == encoded.truncated

    def test_the_cut_is_named(self) -> None:
        """`additionalFields.truncated` names what was cut, and the event beside the row is whole."""
        event = make_event(userAgent="a" * 40_000, city="b" * 40_000, new=1)
        encoded = encode_event(event, LIMIT)

        assert {"truncated": ["userAgent", "city"], "new": 1} == extras_of(event)
        assert ("userAgent", "city") == encoded.truncated
        assert encoded.event is event
        assert 40_000 == len(event["city"])

    def test_long_object(self) -> None:
        """A long object is cut as the text that it is in the row."""
        event = make_event(data={"a": "é" * 40_000})
        row = row_of(event)

        assert row["data"].startswith('{"a":"éé')
        assert LIMIT - 1 <= len(row["data"].encode()) <= LIMIT
        assert {"truncated": ["data"]} == extras_of(event)

    def test_long_row_of_short_values(self) -> None:
        """A row over the limit whose values are all within it is not cut."""
        encoded = encode_event(make_event(userAgent="a" * 30_000, city="b" * 30_000, new="c" * 30_000), LIMIT)

        assert () == encoded.truncated
        assert 30_000 == len(orjson.loads(encoded.body)["city"])

    def test_additional_fields_stay_json(self) -> None:
        """Of too many unknown fields those that fit are kept whole, in their order, and the cut is named."""
        new: dict[str, Any] = {
            "one": "a" * 20_000,
            "big": "é" * 20_000,
            "two": [1, {"b": 2}],
            "three": "c" * 20_000,
        }
        encoded = encode_event(make_event(**new), LIMIT)
        text = orjson.loads(encoded.body)["additionalFields"]

        assert {"truncated": ["additionalFields"], "one": new["one"], "two": new["two"]} == orjson.loads(text)
        assert ("additionalFields",) == encoded.truncated
        assert len(text.encode()) <= LIMIT

    def test_the_mark_itself_does_not_fit(self) -> None:
        """Where the mark of another cut makes `additionalFields` too long, both are named."""
        event = make_event(userAgent="a" * 40_000, new="b" * (LIMIT - len('{"new":""}')))

        assert {"truncated": ["userAgent", "additionalFields"]} == extras_of(event)

    def test_exactly_full(self) -> None:
        """`additionalFields` of just the limit is whole, and one byte more is not."""
        full = "b" * (LIMIT - len('{"new":""}'))

        assert {"new": full} == extras_of(make_event(new=full))
        assert {"truncated": ["additionalFields"]} == extras_of(make_event(new=full + "b"))

    def test_long_surrogates(self) -> None:
        """Lone surrogates are counted as what is written for them."""
        encoded = encode_event(make_event(city="\ud800" * 10_000), LIMIT)
        city = orjson.loads(encoded.body)["city"]

        assert ("city",) == encoded.truncated
        assert LIMIT == len(city)
        assert city.startswith(r"\ud800\ud800")

    def test_a_field_named_truncated(self) -> None:
        """DocuSign's own `truncated` gives way to the mark, and is whole in the event that is kept."""
        event = make_event(truncated="theirs", city="b" * 40_000)

        assert {"truncated": ["city"]} == extras_of(event)
        assert "theirs" == encode_event(event, LIMIT).event["truncated"]

    def test_long_names(self) -> None:
        """An unknown field with a name over the limit is left to the dead letter."""
        assert {"truncated": ["additionalFields"]} == extras_of(make_event(**{"n" * 40_000: 1}))


def check_row(event: Any, limit: int) -> None:
    """See that the event's row holds what every row must."""
    encoded = encode_event(event, limit)
    row = orjson.loads(encoded.body)
    check_types(row, limit)
    assert encoded.timestamp == row.get("timestamp", "")
    extras = orjson.loads(row.get("additionalFields", "{}"))
    if encoded.truncated:
        assert extras["truncated"] == list(encoded.truncated)
    else:
        missing = lost_leaves(event, row, extras)
        assert not missing


def check_types(row: dict[str, Any], limit: int) -> None:
    """See that every field is one of the contract's, of its type, and within the limit."""
    for name, value in row.items():
        assert value is not None
        if name in NUMBERS:
            assert type(value) in (int, float)
        elif name in FLAGS:
            assert type(value) is bool
        else:
            assert name in NAMES
            assert type(value) is str
            assert value
            assert len(value.encode("utf-8")) <= limit
    if "timestamp" in row:
        assert row["timestamp"].endswith("Z")
        assert normalise(row["timestamp"])


def lost_leaves(event: Any, row: dict[str, Any], extras: dict[str, Any]) -> set[tuple[bool, Any]]:
    """Give the event's values that are neither null nor empty, and that the row does not hold."""
    found = {
        (type(value) is bool, value)
        for name, value in row.items()
        if name not in (*OBJECTS, "additionalFields")
    }
    for part in (extras, *(orjson.loads(row[name]) for name in OBJECTS if name in row)):
        found |= set(leaves(part))
    wanted = set(leaves(event))
    if isinstance(event, dict) and isinstance(event.get("timestamp"), str) and "timestamp" in row:
        found.add((False, event["timestamp"]))
        assert row["timestamp"] == normalise(event["timestamp"])
    return wanted - found


def leaves(value: Any) -> Iterator[tuple[bool, Any]]:
    """Give every value that is no object, no list, not null and not empty, as any strict text shows it."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, str) and value:
        yield False, value.encode("utf-8", "backslashreplace").decode()
    elif value is not None and not isinstance(value, str):
        yield type(value) is bool, value


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    ["2026-11-21T12:00:00.1234567Z", "2026-11-21T14:00:00+02:00", "x" * 300, "é" * 200]
)
ANY_KEY = st.text(max_size=8) | st.sampled_from(
    [*sorted(NAMES), *CLIENT, "family", "version", "major", "ipAddressLocation", "truncated", "event"]
)
ANY_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_KEY, inner, max_size=4),
    max_leaves=12,
)
RIGHT_OR_WRONG = {name: st.just(EVENT[name]) | ANY_VALUE for name in EVENT}
ANY_EVENT = (
    st.builds(
        lambda known, nested_location, new: known | nested_location | new,
        st.fixed_dictionaries({}, optional=RIGHT_OR_WRONG),
        st.fixed_dictionaries(
            {},
            optional={
                "ipAddressLocation": ANY_VALUE
                | st.fixed_dictionaries({}, optional={n: st.just(EVENT[n]) | ANY_VALUE for n in LOCATION})
            },
        ),
        st.dictionaries(ANY_KEY, ANY_VALUE, max_size=6),
    )
    | ANY_VALUE
)


@hypothesis.given(ANY_EVENT, st.sampled_from([1_000, LIMIT]))
def test_any_event(event: Any, limit: int) -> None:
    """Any event becomes a row of the contract that holds every value of it, or is marked as truncated."""
    check_row(event, limit)


@hypothesis.given(ANY_EVENT)
def test_any_event_through_an_answer(event: Any) -> None:
    """The same holds for an event that was read from DocuSign's answer."""
    check_row(loads(dumps({"data": [event]}))["data"][0], LIMIT)


VALUES: list[Any] = [
    *(None, "", " ", "text", "ü" * 40, "😀", "\x00", "\ud800", "x\udfff", '"\\', "NaN", "1e999", "9" * 30),
    *(0, 1, -1, 2**63, 2**64 - 1, -(2**63), 0.5, -0.0, 1e300, 5e-324, True, False),
    *([], {}, [[]], [None, ""], ["S", "e", "n", "t"], {"a": None}, {"a": {"b": ["c", 1, {"d": True}]}}),
    *("2026-11-21T12:00:00Z", "2026-11-21T12:00:00.1234567Z", "2026-11-21T14:00:00+02:00", "21.11.2026"),
    *("k" * 999, "k" * 1_001, "€" * 400, {"long": "v" * 1_100}, nested(30)),
    *(
        NESTED_LOCATION,
        NESTED_CLIENT,
        {"latitude": 52.52, "city": 5, "zip": "1"},
        {"os": {"family": "Linux"}},
    ),
]
KEYS = [
    *sorted(NAMES),
    "ipAddressLocation",
    "truncated",
    "event",
    "new",
    "",
    "\ud801",
    "é",
    "\x00",
    "EventId",
]


def odd_events(seed: int, count: int) -> Iterator[Any]:
    """Give full events with some values replaced, bare ones, and now and then no object at all."""
    dice = random.Random(seed)  # seeded, so that a failure can be repeated
    for _ in range(count):
        chance = dice.random()
        if chance < 0.01:
            yield dice.choice(VALUES)
        else:
            event = dict(EVENT) if chance < 0.6 else {}
            for _ in range(dice.randrange(9)):
                event[dice.choice(KEYS)] = dice.choice(VALUES)
            yield event


def test_a_hundred_thousand_odd_events() -> None:
    """None of 100,000 odd events makes the row maker fail, lose a value in silence or leave the contract."""
    for number, event in enumerate(odd_events(seed=20261121, count=100_000)):
        check_row(event, 1_000 if number % 2 else LIMIT)


def test_encoded_row_defaults() -> None:
    """A row that is no event's, as the health row, needs no time and has nothing cut."""
    row = EncodedRow(b"{}", {})

    assert ("", ()) == (row.timestamp, row.truncated)
