"""JSON as Xero writes it, read without ever making a float, and written again so that it can be hashed."""

import json
import re
from decimal import Decimal
from typing import cast

from duebell.errors import BadAnswer

LONGEST_NUMBER = 64  # characters; Xero's amounts need 20, and thousands of digits are an attack
DEEPEST_RECORD = 40  # levels; a whole invoice has six

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class BadField(BadAnswer):
    """A field is not what Xero's interface promises; the text names it and never holds its value."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(field, expected)
        self.field = field
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.field} is not {self.expected}"


def uuid_of(value: object) -> str | None:
    """The lower-case form of a hyphenated UUID, ``None`` for anything else."""
    text = value.lower() if isinstance(value, str) else ""
    return text if _UUID.fullmatch(text) else None


def read_json(raw: bytes | str) -> object:
    """One JSON document; every number becomes a ``Decimal``.

    Integers too: an amount may be written ``100``, ``Decimal`` keeps every digit, and ``int`` refuses
    long ones with an error of its own. Raises ``BadAnswer`` for anything that is not JSON, for ``NaN`` and
    ``Infinity``, for numbers of more than 64 characters and for nesting deeper than the interpreter reads.
    """
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8-sig")
        found = json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_not_a_number)
        return cast("object", found)
    except RecursionError:
        problem = "the JSON is nested too deep"
    except (ValueError, ArithmeticError):
        problem = "the answer is not JSON, or was cut short"
    # Raised here, outside the handler: json's own error carries the whole document as an attribute.
    raise BadAnswer(problem)


def _number(text: str) -> Decimal:
    if len(text) > LONGEST_NUMBER:
        raise BadAnswer(f"a number in the JSON is longer than {LONGEST_NUMBER} characters")
    return Decimal(text)


def _not_a_number(word: str) -> Decimal:
    raise BadAnswer(f"the JSON holds {word}, which is not a number")


def compact_json(value: object, depth: int = 0) -> str:
    """The value of ``read_json`` as text: no spaces, keys sorted, digits as they were, ASCII only.

    Equal values give equal text, so the text can be hashed; ``read_json`` gives the value back.
    ``json.dumps`` cannot write a ``Decimal`` without a float. Raises ``BadField`` for bottomless nesting.
    """
    if depth > DEEPEST_RECORD:
        raise BadField("the record", f"at most {DEEPEST_RECORD} levels deep")
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        members = sorted(cast("dict[str, object]", value).items())
        pairs = (f"{json.dumps(key)}:{compact_json(item, depth + 1)}" for key, item in members)
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(compact_json(item, depth + 1) for item in cast("list[object]", value)) + "]"
    return json.dumps(value)
