"""What the value of a setting must look like, and how a wrong one is explained.

Each shape is a type for the fields of ``Settings``. An explanation never repeats the value: a secret that was
pasted into the wrong variable must not reach a log.
"""

import base64
import binascii
import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from duebell.database_url import is_readable
from duebell.email.addresses import mailbox
from duebell.email.signature import verification_key
from duebell.sender_shapes import SenderKind, kind_of

PLACEHOLDER = re.compile(r"paste-.*-here|<.*>|x{3,}|change-?me|todo|your[-_ ].*", re.IGNORECASE)
LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})")
NEW_KEY = 'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'


def is_placeholder(text: str) -> bool:
    """Whether the value is still what ``.env.example`` says in place of a real one."""
    return PLACEHOLDER.fullmatch(text.strip()) is not None


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine itself."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def takes_a_browser_back(url: str) -> bool:
    """Whether Xero sends a browser back to an address there: https, or this machine by its name alone.

    ``http://localhost`` is allowed and ``http://127.0.0.1`` is not (developer.xero.com, OAuth 2.0 apps).
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "localhost")


def is_fernet_key(text: str) -> bool:
    """Whether the text is 32 bytes in URL-safe base64."""
    try:
        return len(base64.b64decode(text, altchars=b"-_", validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The mend for a name that does not exist: the nearest that does, or to remove it."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]}?" if near else "Remove it"


def explain(kind: str, message: str, context: Mapping[str, object]) -> tuple[str, str]:
    """Pydantic's error as what is wrong and the mend."""
    if kind == "setting":
        return str(context["wrong"]), str(context["mend"])
    if kind == "enum":
        return "is not one of the words it may be", f"Write {context['expected']}"
    return "has a value that it cannot have", message


def _wrong(wrong: str, mend: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{wrong}. {mend}", {"wrong": wrong, "mend": mend})


def _split_url(text: str, example: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        sound = parts.port != 0  # reading the port is what makes urlsplit check it
    except ValueError:
        raise _wrong("is not an address", f"Write it like {example}") from None
    if not sound or parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", text):
        raise _wrong("is not an http or https address", f"Write it like {example}")
    if parts.username is not None or parts.query or parts.fragment:
        raise _wrong("holds more than an address", "Leave out user, password, ? and #")
    return parts


def _web_url(text: str) -> str:
    _split_url(text, "http://127.0.0.1:4200/api")
    return text.rstrip("/")


def _public_url(text: str) -> str:
    parts = _split_url(text, "https://duebell.company.com")
    if "_" in (parts.hostname or ""):
        # twilio.com/docs/messaging/api/message-resource, StatusCallback: no underscore in the host name
        raise _wrong(
            "has an underscore in its host name", "Twilio refuses such a callback address: rename the host"
        )
    return text.rstrip("/")


def _provider_url(text: str) -> str:
    parts = _split_url(text, "https://api.xero.com")
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise _wrong("would send keys unencrypted", "Write https://; only this machine itself may be http://")
    return text.rstrip("/")


def _home(path: Path) -> Path:
    try:
        path = path.expanduser()
    except RuntimeError:
        raise _wrong("begins with ~, but this user has no home folder", "Write the whole path") from None
    if not path.is_absolute():
        # a relative home would be another ledger for a process that starts in another folder
        raise _wrong("is not a whole path", "Begin it with / or ~")
    return path


def _read_path(path: Path) -> Path:
    return path.expanduser().absolute()


def _database_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    scheme, _, rest = text.partition("://")
    if scheme == "sqlite":
        if not PurePath(rest.partition("?")[0][1:]).is_absolute():
            raise _wrong(
                "names no whole path",
                "Write sqlite:////folder/duebell.db, with four slashes; the ledger is a file",
            )
    elif scheme != "postgresql+psycopg":
        raise _wrong(
            "is no database that Duebell keeps its ledger in", "Write sqlite:/// or postgresql+psycopg://"
        )
    elif not rest or "@" in rest.partition("/")[2] or not is_readable(text):
        raise _wrong(
            "cannot be read", "Write / and @ in the password as %2F and %40, and the port as a number"
        )
    return url


def _listen(text: str) -> str:
    found = LISTEN.fullmatch(text)
    if not found or int(found[2]) > 65535:
        raise _wrong("is not an address and a port", "Write it like 127.0.0.1:8787")
    return text


def _one_piece(text: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]*", text) or text.strip("\"'") != text:
        raise _wrong(
            "holds a blank, a line break, quotes or a letter that no key has",
            "Copy it once more, without quotes",
        )
    return text


def _secret(secret: SecretStr) -> SecretStr:
    _one_piece(secret.get_secret_value())
    return secret


def _comma_separated(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _fernet_key(key: SecretStr) -> SecretStr:
    if not is_fernet_key(key.get_secret_value()):
        raise _wrong("holds something that is not an encryption key", f"Make one with {NEW_KEY}")
    return key


def _sid(prefix: str, name: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text and not re.fullmatch(rf"{prefix}[0-9a-fA-F]{{32}}", text):
            raise _wrong(
                f"is not {name}", f"It is {prefix} and 32 letters and digits, copied from Twilio's console"
            )
        return text

    return check


def _sender(text: str) -> str:
    if text and kind_of(text) not in {SenderKind.NUMBER, SenderKind.NAME}:
        raise _wrong(
            "is no sender", "Write a number like +6421…, a short code, or a name of at most 11 letters"
        )
    return text


def _mailbox(text: str) -> str:
    if text and mailbox(text) is None:
        raise _wrong(
            "is not an email address", "Write accounts@company.com, or Company <accounts@company.com>"
        )
    return text


def _verification_key(text: str) -> str:
    try:
        verification_key(text)
    except ValueError:
        raise _wrong(
            "holds something that is not a verification key",
            "Copy the one line at app.sendgrid.com, Settings, Mail Settings, Event Webhooks, Signature",
        ) from None
    return text


Home = Annotated[Path, AfterValidator(_home)]
ReadPath = Annotated[Path, AfterValidator(_read_path)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
Listen = Annotated[str, AfterValidator(_listen)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
ProviderUrl = Annotated[str, AfterValidator(_provider_url)]
Port = Annotated[int, Field(ge=1, le=65535)]
Token = Annotated[str, AfterValidator(_one_piece)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Secrets = Annotated[tuple[Secret, ...], BeforeValidator(_comma_separated)]
FernetKeys = Annotated[
    tuple[Annotated[SecretStr, AfterValidator(_fernet_key)], ...], BeforeValidator(_comma_separated)
]
AccountSid = Annotated[str, AfterValidator(_sid("AC", "an account SID"))]
ApiKeySid = Annotated[str, AfterValidator(_sid("SK", "the SID of an API key"))]
ServiceSid = Annotated[str, AfterValidator(_sid("MG", "the SID of a Messaging Service"))]
Sender = Annotated[str, AfterValidator(_sender)]
EmailSender = Annotated[str, AfterValidator(_mailbox)]
VerificationKeys = Annotated[
    tuple[Annotated[str, AfterValidator(_verification_key)], ...], BeforeValidator(_comma_separated)
]
