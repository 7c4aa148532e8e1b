"""The checks of a new email at Twilio's Email API: as many faults as there are, in one answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from deployments.sandbox.credentials import EMAIL_FROM
from deployments.sandbox.wire import Json, Record, record_of, records_of, text_of

MAX_REQUEST = 5 * 1024 * 1024
_KNOWN = frozenset({"from", "to", "content", "tags", "replyTo"})
# Twilio knows these; nothing here plays them, so they are refused as not modelled instead of being ignored.
NOT_MODELLED = frozenset({"cc", "bcc", "schedule", "ipPoolName"})
_ADDRESS = re.compile(r"[\x21-\x7e]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]{2,}")
_TAG = re.compile(r"[a-zA-Z0-9._~-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class NewMail:
    """A request that passed, with its contents still as templates."""

    to: str
    sender: str
    sender_name: str
    reply_to: str
    subject: str
    text: str
    html: str
    tags: dict[str, str]
    variables: dict[str, str]


class FaultyMailError(Exception):
    """Twilio answers 400; each fault is a JSON pointer and what is wrong there."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__(faults)
        self.faults = faults


def is_address(value: Json) -> bool:
    """Whether this is one plain address."""
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None and "," not in value


def checked(body: Record) -> NewMail:
    """The email that a body asks for. Raises ``FaultyMailError`` with every fault."""
    sender, content, tags = (record_of(body.get(name)) for name in ("from", "content", "tags"))
    people = records_of(body.get("to"))
    faults = [(f"/{name}", "is not known") for name in sorted(body.keys() - _KNOWN)]
    faults += (
        _sender_faults(sender) + _recipient_faults(people) + _content_faults(content) + _tag_faults(tags)
    )
    reply_to = record_of(body.get("replyTo"))
    if "replyTo" in body and not is_address(reply_to.get("address")):
        faults.append(("/replyTo/address", "is not an email address"))
    if faults:
        raise FaultyMailError(faults)
    variables = record_of(people[0].get("variables"))
    return NewMail(
        to=text_of(people[0], "address"),
        sender=text_of(sender, "address"),
        sender_name=text_of(sender, "name"),
        reply_to=text_of(reply_to, "address"),
        subject=text_of(content, "subject"),
        text=text_of(content, "text"),
        html=text_of(content, "html"),
        tags={name: text_of(tags, name) for name in tags},
        variables={name: text_of(variables, name) for name in variables},
    )


def _sender_faults(sender: Record) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    if sender.get("address") != EMAIL_FROM:
        faults.append(("/from/address", "is not an authenticated sender"))
    if not sender.keys() <= {"address", "name"} or _CONTROL.search(text_of(sender, "name")):
        faults.append(("/from", "is not an address and a name"))
    return faults


def _recipient_faults(people: list[Record]) -> list[tuple[str, str]]:
    faults = [
        (f"/to/{place}", "is not an email address")
        for place, person in enumerate(people)
        if not is_address(person.get("address")) or not person.keys() <= {"address", "name", "variables"}
    ]
    return faults or ([] if people else [("/to", "is required")])


def _content_faults(content: Record) -> list[tuple[str, str]]:
    faults = [
        (f"/content/{name}", "is not known")
        for name in sorted(content.keys() - {"subject", "html", "text", "attachments"})
    ]
    faults += [
        (f"/content/{name}", "is required") for name in ("subject", "html") if not text_of(content, name)
    ]
    if _CONTROL.search(text_of(content, "subject")):
        faults.append(("/content/subject", "is not one line"))
    return faults


def _tag_faults(tags: Mapping[str, Json]) -> list[tuple[str, str]]:
    faults = [("/tags", "are more than ten")] if len(tags) > 10 else []
    for name, value in tags.items():
        sound = isinstance(value, str) and _TAG.fullmatch(value) and _TAG.fullmatch(name)
        if not sound or len(name) > 128 or len(str(value)) > 256:
            faults.append((f"/tags/{name}", "has characters that a tag cannot have, or too many"))
    return faults
