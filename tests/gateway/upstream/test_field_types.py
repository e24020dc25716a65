"""Times as numbers and decimals as strings: what is accepted, and what the gateway sends."""

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Strict, TypeAdapter
from pydantic_core import to_json

from gateway.upstream.content_decoding import NotDecodable
from gateway.upstream.decoding import decode
from gateway.upstream.field_types import DecimalText, EpochMilliseconds, EpochSeconds
from gateway.upstream.model import ResponseModel
from tests.gateway.upstream.responses import json_response


class Payment(ResponseModel):
    paid_at: EpochSeconds
    seen_at: EpochMilliseconds | None = None
    amount: DecimalText = Decimal(0)


class Loose(ResponseModel):
    count: Annotated[int, Strict(False)]


def read(body: str) -> Payment:
    return decode(Payment, json_response(body.encode()))


def test_the_gateway_sends_rfc_3339_and_the_same_digits() -> None:
    payment = read('{"paid_at": 1767607200, "seen_at": 1767607200123, "amount": "12.50"}')
    assert asdict(payment) == {
        "paid_at": datetime(2026, 1, 5, 10, tzinfo=UTC),
        "seen_at": datetime(2026, 1, 5, 10, 0, 0, 123_000, tzinfo=UTC),
        "amount": Decimal("12.50"),
    }
    assert to_json(payment) == (
        b'{"paid_at":"2026-01-05T10:00:00Z","seen_at":"2026-01-05T10:00:00.123000Z",'
        b'"amount":"12.50"}'
    )


@pytest.mark.parametrize(
    "body",
    [
        '{"paid_at": "1767607200"}',
        '{"paid_at": "2026-01-05T10:00:00Z"}',
        '{"paid_at": true}',
        '{"paid_at": null}',
        '{"paid_at": 1e300}',
        '{"paid_at": -1e300}',
        '{"paid_at": NaN}',
        '{"paid_at": 99999999999999999999999}',
        '{"paid_at": 1, "amount": 12.5}',
        '{"paid_at": 1, "amount": "1e5"}',
        '{"paid_at": 1, "amount": " 1"}',
        '{"paid_at": 1, "amount": "1_000"}',
        '{"paid_at": 1, "amount": "NaN"}',
        '{"paid_at": 1, "amount": "1."}',
        '{"paid_at": 1, "amount": "\\u0661"}',
        '{"paid_at": 1, "amount": "%s"}' % ("9" * 31),
    ],
)
def test_other_forms_are_refused(body: str) -> None:
    with pytest.raises(NotDecodable, match="1 wrong"):
        read(body)


TIMES = st.datetimes(timezones=st.just(UTC))


@given(time=TIMES)
def test_every_time_is_read_to_its_precision(time: datetime) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    seconds, milliseconds = (
        (time - epoch) // timedelta(seconds=1),
        (time - epoch) // timedelta(milliseconds=1),
    )
    payment = read(f'{{"paid_at": {seconds}, "seen_at": {milliseconds}}}')
    assert payment.paid_at == time.replace(microsecond=0)
    assert payment.seen_at == time.replace(microsecond=time.microsecond // 1_000 * 1_000)


@given(
    whole=st.integers(-(10**30) + 1, 10**30 - 1),
    fraction=st.none() | st.text("0123456789", min_size=1, max_size=30),
)
def test_every_decimal_keeps_its_digits(whole: int, fraction: str | None) -> None:
    text = str(whole) if fraction is None else f"{whole}.{fraction}"
    payment = read(f'{{"paid_at": 1, "amount": "{text}"}}')
    assert payment.amount == Decimal(text)
    assert f'"amount":"{text}"'.encode() in to_json(payment)


def test_a_model_is_built_from_python_values() -> None:
    now = datetime.now(UTC)
    payment = Payment(paid_at=now, amount=Decimal("1.5"))
    assert (payment.paid_at, payment.amount) == (now, Decimal("1.5"))


def test_the_schema_is_that_of_what_is_sent() -> None:
    properties = TypeAdapter(Payment).json_schema(mode="serialization")["properties"]
    assert properties["paid_at"]["format"] == "date-time"
    assert properties["amount"]["type"] == "string"


@pytest.mark.parametrize("value", ["7", '"7"', "7.0"])
def test_a_field_can_be_converted_if_it_says_so(value: str) -> None:
    assert decode(Loose, json_response(f'{{"count":{value}}}'.encode())).count == 7


class Color(Enum):
    RED = "red"


class Usual(ResponseModel):
    at: datetime | None = None
    day: date | None = None
    id: UUID | None = None
    color: Color | None = None


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("at", "2026-01-05T10:00:00Z", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("day", "2026-01-05", date(2026, 1, 5)),
        ("id", "12345678-1234-5678-1234-567812345678", UUID("12345678123456781234567812345678")),
        ("color", "red", Color.RED),
    ],
)
def test_usual_types_are_read_from_their_strings_and_sent_as_they_came(
    field: str, text: str, value: object
) -> None:
    usual = decode(Usual, json_response(to_json({field: text})))
    assert getattr(usual, field) == value
    assert f'"{field}":"{text}"'.encode() in to_json(usual)
    with pytest.raises(NotDecodable):
        decode(Usual, json_response(to_json({field: 1767607200})))
