"""What can go wrong, told apart by what the caller can do about it.

    DuebellError
     ├── Transient                 the same call may succeed later
     │    ├── TokenExpired         refresh the token, then once more
     │    ├── RateLimited          Xero's or Twilio's limit; carries how long to wait
     │    ├── Postponed            nothing was asked: it is not the time for it
     │    │    ├── TenantParked           the day's calls are used up
     │    │    └── ReservedForMessages    the day's last calls are kept for what leads to a message
     │    ├── NotServed            an answer that says only that the provider failed (5xx)
     │    └── BadAnswer            an answer that is not what the interface promises
     └── Permanent                 the same call will fail again
          ├── ScopeMissing         consent lacks a scope: connect again
          │    └── RoleMissing          the user who connected may not do it in Xero: another role, or user
          ├── Forbidden            Xero answered 403, which may mean either of these two
          ├── TenantDisconnected   this organisation is closed to us
          ├── ReconnectNeeded      the token set is spent: connect again
          ├── RecordNotFound       Xero knows no such record
          ├── Rejected             Xero answered 400: it does not take the request as it is
          ├── QueryTooLong         the request was longer than Xero reads
          └── TemplateProblem      a template cannot say what it was asked to

    ConfigurationError             outside the tree: no retry and no skip may swallow it
     └── ScopesRefused             the app is not given the scopes that were asked for

A text names the thing, the status, the provider's code and our own ids. It never holds a token, a name,
an address, an amount or a provider's body, because Prefect keeps every exception in clear. Each class
hands all its arguments to ``super().__init__`` in order, so that it survives pickling.
"""

from datetime import datetime


class ConfigurationError(Exception):
    """A setting, a file or a machine is not as it must be. The text names it and the mend."""


class ScopesRefused(ConfigurationError):
    """Xero gives this app no token with the scopes that were asked for; fewer may do."""


class DuebellError(Exception):
    """The root of everything that a caller may handle."""


class Transient(DuebellError):
    """The same call may succeed later."""


class Postponed(Transient):
    """Nothing was asked, for a reason that passes by itself; trying again at once would not help.

    ``until`` is the time from which it may be tried again, ``None`` where nobody can say.
    """

    def __init__(self, text: str, until: datetime | None = None) -> None:
        super().__init__(text, until)
        self.until = until

    def __str__(self) -> str:
        return str(self.args[0])


class TenantParked(Postponed):
    """The organisation's daily calls are used up: Xero is left alone until ``until``."""


class ReservedForMessages(Postponed):
    """Few of the day's calls are left, and they are kept for what leads to a message."""


class Permanent(DuebellError):
    """The same call will fail again; a person or a changed record must come first."""


class TokenExpired(Transient):
    """Xero answered 401 because the access token is over; refresh once, then try once more."""


class BadAnswer(Transient):
    """The provider answered with something that is not what its interface promises."""


class NotServed(Transient):
    """A provider answered that it failed: it may be away, or this request meets what it cannot serve."""


class RateLimited(Transient):
    """A provider's limit was reached; nothing was processed.

    ``problem`` is Xero's own word (``minute``, ``day``, ``concurrent``, ``appminute``) or ``""``;
    ``retry_after`` is in seconds, ``None`` where the provider named no time.
    """

    def __init__(self, text: str, problem: str = "", retry_after: float | None = None) -> None:
        super().__init__(text, problem, retry_after)
        self.problem = problem
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.args[0])


class ScopeMissing(Permanent):
    """Xero answered 401 because the consent lacks a scope; refreshing would not help."""


class RoleMissing(ScopeMissing):
    """Xero answered 403 though the organisation is connected: whoever connected it may not do this there."""


class Forbidden(Permanent):
    """Xero answered 403 to ``what``; its list of connections tells whether the organisation is closed."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what}: it is closed to Duebell, or not allowed to the user who connected it"


class TenantDisconnected(Permanent):
    """The organisation was disconnected, or was never ours: Xero answers 403, and lists it no more."""


class ReconnectNeeded(Permanent):
    """Xero refused the credentials of a token set; a person has to connect again."""


class RecordNotFound(Permanent):
    """Xero knows no record of this id."""


class Rejected(Permanent):
    """Xero answered 400, for the whole request though it may be one record of it that it cannot serve."""


class QueryTooLong(Permanent):
    """The query string is longer than Xero reads (2,048 characters); the 404 says nothing of the records."""


class TemplateProblem(Permanent):
    """A template could not be rendered; the text names template and field."""
