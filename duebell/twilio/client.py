"""The Messages API: one POST a send, and reading what became of it. Nothing here retries."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

import httpx
from pydantic import SecretStr
from twilio.base.exceptions import TwilioException
from twilio.rest import Client
from twilio.rest.api.v2010.account import AccountContext
from twilio.rest.api.v2010.account.message import MessageInstance

from duebell.errors import BadAnswer, ConfigurationError, Permanent, RateLimited, RecordNotFound, Transient
from duebell.twilio.codes import WAITED_TOO_LONG
from duebell.twilio.messages import AccountState, MessageState, SmsRequest, account_state, message_state
from duebell.twilio.outcome import (
    Answer,
    SendOutcome,
    classify_answer,
    classify_exception,
    is_message_sid,
)
from duebell.twilio.transport import DEADLINE, TIMEOUT, HttpxTransport, base_url, require_credentials

PAGE_SIZE = 200
MAX_PAGES = 5

_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_NOT_CANCELABLE = 30409

# A mapping that is empty would make the helper read TWILIO_EDGE and TWILIO_REGION from os.environ, and they
# rewrite the host of every URL.
_NO_ENVIRONMENT = {"TWILIO_EDGE": "", "TWILIO_REGION": ""}

T = TypeVar("T")


class TwilioClient:
    """Twilio's account ``account_sid``, spoken to with its auth token or an API key.

    Safe to share between threads. Every request ends within ``deadline`` seconds. Raises ConfigurationError
    for credentials or a URL that cannot work: the helper itself would send requests without credentials.
    """

    def __init__(
        self,
        http: httpx.Client,
        account_sid: str,
        username: str,
        password: SecretStr,
        api_url: str,
        *,
        timeout: httpx.Timeout = TIMEOUT,
        deadline: float = DEADLINE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not _ACCOUNT_SID.fullmatch(account_sid):
            raise ConfigurationError("TWILIO_ACCOUNT_SID must be AC and 32 hexadecimal digits")
        require_credentials(username, password)
        self._http = http
        self._account_sid = account_sid
        self._username = username
        self._password = password
        self._api_url = base_url(api_url, "TWILIO_API_URL")
        self._timeout = timeout
        self._deadline = deadline
        self._monotonic = monotonic

    def send(self, message: SmsRequest) -> SendOutcome:
        """POST one message, once, and say what came of it. Raises only what happens before the POST."""
        wire = self._wire()
        try:
            self._account(wire).messages.create(**message.fields())
        except Exception as exc:  # however a POST ends, a message may exist, so it has an outcome
            if not wire.began:
                raise
            if wire.answer is None:
                return classify_exception(exc)
        return classify_answer(wire.answer or _NO_ANSWER, self._account_sid)

    def fetch(self, sid: str) -> MessageState:
        """Read one message: the authoritative state. Raises RecordNotFound and the errors of reading."""
        _check_sid(sid)
        return self._read(lambda account: _read_message(account.messages(sid).fetch()))

    def find(self, to: str, not_before: datetime) -> tuple[MessageState, ...]:
        """List the messages to ``to`` (E.164) created at or after ``not_before`` (aware).

        Stops at a page that is older as a whole, and in any case after ``MAX_PAGES`` pages of ``PAGE_SIZE``.
        That a message is not listed proves nothing: the list lags. There is no DateSent filter, because it is
        empty until the message is sent (twilio/twilio-oai#21 on what the filter takes).
        """
        if not_before.utcoffset() is None:
            raise ValueError("not_before must be aware")
        return self._read(lambda account: tuple(_recent(account, to, not_before)))

    def account(self) -> AccountState:
        """Read the account: one call that shows whether URL and credentials work and sending is possible."""
        return self._read(lambda account: account_state(account.fetch()))

    def cancel(self, sid: str) -> MessageState:
        """Cancel a scheduled message and return it as it stands: ``canceled``, or whatever it had become.

        Too late (twilio.com/docs/api/errors/30409) is an answer, not an error. May be repeated.
        """
        _check_sid(sid)
        try:
            return self._read(lambda account: _read_message(account.messages(sid).update(status="canceled")))
        except NotCancelable:
            return self.fetch(sid)

    def _wire(self) -> HttpxTransport:
        return HttpxTransport(
            self._http,
            self._api_url,
            timeout=self._timeout,
            deadline=self._deadline,
            monotonic=self._monotonic,
        )

    def _account(self, wire: HttpxTransport) -> AccountContext:
        helper = Client(
            self._username,
            self._password.get_secret_value(),
            self._account_sid,
            http_client=wire,
            environment=_NO_ENVIRONMENT,
        )
        helper.api.base_url = self._api_url
        return helper.api.v2010.accounts(self._account_sid)

    def _read(self, call: Callable[[AccountContext], T]) -> T:
        """Run a call that may be repeated; its failure becomes an error of ours, without Twilio's words."""
        wire = self._wire()
        try:
            return call(self._account(wire))
        except httpx.HTTPError as exc:
            raise Transient(f"Twilio could not be read: {type(exc).__name__}") from None
        except (TwilioException, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            if wire.answer is None:
                raise
            raise reading_error(wire.answer) from None


class NotCancelable(Permanent):
    """The message is not scheduled any more (twilio.com/docs/api/errors/30409)."""


def reading_error(
    answer: Answer, provider: str = "Twilio", mend: str = "check TWILIO_ACCOUNT_SID and its key"
) -> Exception:
    """The error for an answer that brought nothing to read: by status and code, never with its text."""
    status = answer.http_status
    if answer.code == _NOT_CANCELABLE:
        return NotCancelable(f"{provider} does not cancel this message ({answer})")
    if status in (401, 403):
        return ConfigurationError(f"{provider} refuses us ({answer}): {mend}")
    if status == 404:
        return RecordNotFound(f"{provider} knows no such record in this account ({answer})")
    if status == 429:
        return RateLimited(f"{provider}'s limit was reached ({answer})", retry_after=answer.retry_after)
    if status >= 500 or status in WAITED_TOO_LONG:
        return Transient(f"{provider} failed ({answer})")
    if status >= 400:
        return Permanent(f"{provider} refused the request ({answer})")
    return BadAnswer(f"{provider}'s answer cannot be read ({answer})")


_NO_ANSWER = Answer(0, {}, "")


def _check_sid(sid: str) -> None:
    if not is_message_sid(sid):
        raise Permanent("not a message SID: SM or MM and 32 hexadecimal digits")


def _read_message(message: MessageInstance) -> MessageState:
    state = message_state(message)
    if not is_message_sid(state.sid):
        raise ValueError("a message without SID")
    return state


def _recent(account: AccountContext, to: str, not_before: datetime) -> Iterator[MessageState]:
    page = account.messages.page(to=to, page_size=PAGE_SIZE)
    for left in reversed(range(MAX_PAGES)):
        states = [_read_message(message) for message in page]
        recent = [state for state in states if state.created_at is None or state.created_at >= not_before]
        yield from recent
        address = page.next_page_url
        if address is None or not recent or not left:
            return
        page = account.messages.get_page(address)
