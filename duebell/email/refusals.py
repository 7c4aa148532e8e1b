"""What follows where an email provider refuses to take an email.

Their codes seldom say where the fault lies: SendGrid names none, Twilio's Email API a general one. The status
does, and the field that the answer points at. A literal table, and one ruling beside it.
"""

import re
from typing import Any, cast

from duebell.twilio.codes import TABLE as CODES
from duebell.twilio.codes import UNKNOWN_END, Action, Ruling, Stops
from duebell.twilio.outcome import Answer, by_code

SAY_NOTHING = frozenset({20001, 20422})
"""Codes of a parameter that is not valid, whichever it is."""

OF_THE_RECIPIENT = Ruling(
    Action.NEXT_CHANNEL, "the provider refused the recipient's address", fall_back=True, alert=True
)

TABLE: dict[int, Ruling] = {
    400: Ruling(
        Action.CONFIGURATION,
        "refused for something else than the recipient: check the sender's domain and the account",
        fall_back=True,
        alert=True,
        stops=Stops.CHANNEL,
    ),
    408: UNKNOWN_END,
    499: UNKNOWN_END,
}
"""By the status of the answer, where no code says more."""

# SendGrid writes a field's path with dots, and our own arguments stand in "personalizations" too
# (twilio.com/docs/sendgrid/api-reference/mail-send/errors). Twilio points at a field as RFC 6901 does.
_RECIPIENT = re.compile(r"to(\..*)?|personalizations(\.[0-9]+(\.to(\..*)?)?)?|#?/to(/.*)?")


def ruling_of_refusal(answer: Answer) -> Ruling:
    """Rule on a refusal to take an email. Total: every answer has a ruling."""
    if answer.code in CODES and answer.code not in SAY_NOTHING:
        return by_code(answer)
    if answer.http_status == 400 and any(map(_RECIPIENT.fullmatch, _fields(answer))):
        return OF_THE_RECIPIENT
    return TABLE.get(answer.http_status) or by_code(answer)


def _fields(answer: Answer) -> list[str]:
    """What an answer finds fault with in the request: SendGrid's ``field``, Twilio's ``pointer``."""
    errors = (answer.payload or {}).get("errors")
    rows = cast("list[object]", errors) if isinstance(errors, list) else []
    found = [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]
    return [str(row.get(name)) for row in found for name in ("field", "pointer")]
