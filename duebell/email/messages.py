"""What Duebell asks an email provider to send, and what the provider says of an email."""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime

from duebell.bidi import without_marks
from duebell.email.addresses import Mailbox, address_fault, fits_header, mailbox
from duebell.errors import ConfigurationError, Permanent
from duebell.twilio.statuses import MessageStatus
from duebell.visible import JOINERS

TAG = "n"
"""The name under which an attempt's id travels with an email, as in the address of an SMS's callbacks."""

LONGEST_SUBJECT = 200
LONGEST_BODY = 256 * 1024

# What Twilio allows in the value of a tag (twilio.com/docs/email/api/reference/mail-send-resource), without
# the characters that its search or our receiver reads as something else.
_TAG = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LINE_BREAKS = "\t\n\r"


@dataclass(frozen=True, slots=True)
class EmailRequest:
    """One email to exactly one address.

    ``tag`` is our attempt's id: it comes back with every event, and finds the email again where the answer
    was lost. ``html`` may be empty: it is then made from ``text``. ``send_at`` is the aware moment of an
    email that is held, and ``batch_id`` what it is cancelled by; only SendGrid has them. Raises Permanent,
    ConfigurationError or ValueError for what would be refused or, worse, taken; never with the text at fault.
    """

    to: str = field(repr=False)
    from_: Mailbox
    subject: str = field(repr=False)
    text: str = field(repr=False)
    tag: str
    html: str = field(default="", repr=False)
    reply_to: str = field(default="", repr=False)
    send_at: datetime | None = None
    batch_id: str = ""

    def __post_init__(self) -> None:
        _refuse_sender(self.from_, self.reply_to)
        if fault := address_fault(self.to):
            raise Permanent(f"the recipient's email address cannot be used ({fault.value})")
        is_seen = without_marks(self.subject).strip() and not unfit_in_subject(self.subject)
        if not is_seen or len(self.subject) > LONGEST_SUBJECT:
            raise Permanent(f"the subject of an email is one line of 1 to {LONGEST_SUBJECT} plain characters")
        bodies = self.text, self.html
        if not self.text.strip() or any(len(one) > LONGEST_BODY or unfit_in_body(one) for one in bodies):
            raise Permanent(f"the text of an email is empty, beyond {LONGEST_BODY} characters, or not text")
        if not _TAG.fullmatch(self.tag):
            raise ValueError("tag must be 1 to 64 letters, digits, - and _")
        if self.send_at is not None and self.send_at.utcoffset() is None:
            raise ValueError("send_at must be aware")


def _refuse_sender(sender: Mailbox, reply_to: str) -> None:
    written = f"{sender.name} <{sender.address}>" if sender.name else sender.address
    if mailbox(written) != sender:
        raise ConfigurationError("EMAIL_FROM must be an address, or Name <address>, on one line")
    if reply_to and address_fault(reply_to):
        raise ConfigurationError("the address for replies must be one email address")


def unfit_in_subject(subject: str) -> str:
    """The first character that a subject cannot have; nothing where there is none.

    It may have what is not seen and turns nothing around it: the joiners that Persian and emoji are written
    with, whole isolates, which a line of both directions has from us, and the marks of direction.
    """
    return next((one for one in without_marks(subject) if one not in JOINERS and not fits_header(one)), "")


def unfit_in_body(text: str) -> str:
    """The same of a body: half a character cannot be sent, and PostgreSQL keeps no NUL."""
    return next(
        (one for one in text if unicodedata.category(one) in {"Cc", "Cs"} and one not in _LINE_BREAKS), ""
    )


@dataclass(frozen=True, slots=True)
class EmailState:
    """An email as its provider has it. ``sid`` is the id that it was asked by or is listed under; ``tag`` our
    attempt's, empty where it carries none or the provider does not tell.
    """

    sid: str
    status: MessageStatus
    raw_status: str
    updated_at: datetime | None
    tag: str = ""
