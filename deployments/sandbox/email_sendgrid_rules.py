"""SendGrid's checks of a new email: which field is at fault, and with which status."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deployments.sandbox.credentials import EMAIL_FROM
from deployments.sandbox.email_rules import is_address
from deployments.sandbox.wire import Json, Record, record_of, records_of, text_of

MAX_ARGUMENTS = 10_000
_KNOWN = frozenset({
    "personalizations", "from", "reply_to", "subject", "content", "custom_args", "send_at", "batch_id",
    "categories", "headers", "tracking_settings", "mail_settings",
})  # fmt: skip
# SendGrid knows these; nothing here plays them, so they are refused as not modelled instead of being ignored.
NOT_MODELLED = frozenset({
    "attachments", "template_id", "sections", "asm", "ip_pool_name", "reply_to_list", "categories", "headers",
})  # fmt: skip
_PERSON = frozenset({"to", "subject", "custom_args", "send_at"})


class SendGridRefusedError(Exception):
    """SendGrid refuses with this status, naming the field."""

    def __init__(self, field: str | None, message: str, status: int = 400) -> None:
        super().__init__(field, message, status)
        self.field, self.message, self.status = field, message, status


@dataclass(frozen=True, slots=True)
class NewSendGridMail:
    """A request that passed. ``sandboxed``: it asked to be checked and not to be sent."""

    to: str
    sender: str
    sender_name: str
    reply_to: str
    subject: str
    text: str
    html: str
    arguments: dict[str, str]
    send_at: datetime | None
    batch_id: str
    sandboxed: bool


def is_modelled(body: Record) -> bool:
    """Whether the sandbox plays everything that a body asks for."""
    people = records_of(body.get("personalizations"))
    single = len(people) <= 1 and all(len(records_of(one.get("to"))) <= 1 for one in people)
    return not body.keys() & NOT_MODELLED and single and all(one.keys() <= _PERSON for one in people)


def checked(body: Record, batches: dict[str, str], now: datetime) -> NewSendGridMail:
    """The email that a body asks for. Raises ``SendGridRefusedError`` for the first fault."""
    if unknown := sorted(body.keys() - _KNOWN):
        raise SendGridRefusedError(unknown[0], "This parameter is not recognized")
    person = _first(body.get("personalizations"))
    contents = _contents(body)
    return NewSendGridMail(
        to=_recipient(person),
        **_sender(body),
        subject=_subject(body, person),
        text=contents.get("text/plain", ""),
        html=contents.get("text/html", ""),
        arguments=_arguments(record_of(body.get("custom_args")) | record_of(person.get("custom_args"))),
        send_at=_send_at(person.get("send_at", body.get("send_at")), now),
        batch_id=_batch(body, batches),
        sandboxed=_is_sandboxed(body),
    )


def _first(value: Json) -> Record:
    return next(iter(records_of(value)), Record())


def _recipient(person: Record) -> str:
    address = _first(person.get("to")).get("email")
    if not isinstance(address, str) or not is_address(address):
        raise SendGridRefusedError("personalizations.0.to.0.email", "Does not contain a valid address.")
    return address


def _sender(body: Record) -> dict[str, str]:
    sender, reply_to = record_of(body.get("from")), record_of(body.get("reply_to"))
    if not is_address(sender.get("email")):
        raise SendGridRefusedError("from.email", "The from email does not contain a valid address.")
    if sender["email"] != EMAIL_FROM:
        raise SendGridRefusedError("from", "The from address does not match a verified Sender Identity.", 403)
    if "reply_to" in body and not is_address(reply_to.get("email")):
        raise SendGridRefusedError("reply_to.email", "The reply_to email does not contain a valid address.")
    return {
        "sender": text_of(sender, "email"),
        "sender_name": text_of(sender, "name").strip('"'),
        "reply_to": text_of(reply_to, "email"),
    }


def _subject(body: Record, person: Record) -> str:
    subject = text_of(person, "subject") or text_of(body, "subject")
    if not subject or any(character in subject for character in "\r\n\0"):
        raise SendGridRefusedError("subject", "The subject is required, and one line.")
    return subject


def _contents(body: Record) -> dict[str, str]:
    contents = [(text_of(one, "type"), text_of(one, "value")) for one in records_of(body.get("content"))]
    types = [kind for kind, _ in contents]
    if not contents or not all(kind and value for kind, value in contents):
        raise SendGridRefusedError(
            "content", "The content value must be a string at least one character long."
        )
    if types != [kind for kind in ("text/plain", "text/html") if kind in types]:
        raise SendGridRefusedError("content", "text/plain must come first, followed by text/html.")
    return dict(contents)


def _arguments(given: Record) -> dict[str, str]:
    arguments = {name: text_of(given, name) for name in given}
    if not all(isinstance(value, str) for value in given.values()):
        raise SendGridRefusedError("custom_args", "The custom_args values must be strings.")
    if sum(len(name) + len(value) for name, value in arguments.items()) > MAX_ARGUMENTS:
        raise SendGridRefusedError("custom_args", "The custom_args are larger than 10,000 bytes.")
    return arguments


def _send_at(value: Json, now: datetime) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise SendGridRefusedError("send_at", "The send_at parameter must be a Unix timestamp.")
    moment = datetime.fromtimestamp(value, UTC)
    if moment > now + timedelta(hours=72):
        raise SendGridRefusedError("send_at", "Scheduling more than 72 hours in advance is forbidden.")
    return moment


def _batch(body: Record, batches: dict[str, str]) -> str:
    batch_id = text_of(body, "batch_id")
    if "batch_id" in body and batch_id not in batches:
        raise SendGridRefusedError("batch_id", "The batch_id is invalid.")
    return batch_id


def _is_sandboxed(body: Record) -> bool:
    return record_of(record_of(body.get("mail_settings")).get("sandbox_mode")).get("enable") is True
