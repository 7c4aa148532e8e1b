"""What a flow's steps work with: made once by whoever runs them, and handed down.

The warm worker makes one set for its life and puts it around every run, so that no module holds state that
two runs could share by accident. A process that runs a single flow makes its own.
"""

import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache

import httpx
from pydantic import SecretStr
from sqlalchemy import Engine

from duebell.clock import Clock, system_clock
from duebell.email.client import EmailClient
from duebell.email.sendgrid import SendGrid
from duebell.email.twilio_email import TwilioEmail
from duebell.errors import ConfigurationError
from duebell.ledger.engine import migrate, open_ledger
from duebell.policy_file.keeper import Kept, PolicyKeeper
from duebell.policy_file.policy import Policy
from duebell.render.rendering import Templates
from duebell.render.template_keeper import TemplateKeeper
from duebell.safekeeping.journal import Journal
from duebell.safekeeping.right_ledger import refuse_another
from duebell.setting_needs import Use
from duebell.settings import EmailProvider, Settings, load
from duebell.twilio.client import TwilioClient
from duebell.twilio.consents import TwilioConsents
from duebell.twilio.transport import twilio_http_client
from duebell.vault import LockedVault, Vault, load_or_create_keys
from duebell.xero.identity import XeroIdentity
from duebell.xero.transfer import make_http_client


@dataclass(frozen=True, slots=True)
class Resources:
    """The ledger, the clients, and the configuration that they were made from."""

    settings: Settings
    engine: Engine
    vault: Vault
    xero_http: httpx.Client
    twilio_http: httpx.Client
    clock: Clock = system_clock
    policies: PolicyKeeper = field(default_factory=PolicyKeeper)
    journal: Journal | None = None
    """The side journal of this machine; what is opened for work has one."""
    words: TemplateKeeper = field(default_factory=TemplateKeeper)
    is_faulty: bool = False
    """Whether the settings other than the ledger's are unset for a fault: nothing is decided by them then."""

    @property
    def policy(self) -> Policy:
        """The policy as the file stands now, or as it last was without mistakes."""
        return self.look_at_policy().policy

    def look_at_policy(self) -> Kept:
        """The policy with how it is written. Raises ``ConfigurationError``, also where settings are at fault:
        the file may be another, and a channel that is off for a mistake would decide against somebody.
        """
        if self.is_faulty:
            raise ConfigurationError("the settings have to be mended first")
        return self.policies.look(self.settings.policy)

    @property
    def templates(self) -> Templates:
        """The templates as the folder stands now; what an edit broke is said as it was before."""
        return Templates(self.settings.templates, self.words)

    def identity(self) -> XeroIdentity:
        """Xero's token endpoint, with our credentials."""
        self.settings.require(Use.XERO)
        return XeroIdentity(
            self.xero_http,
            self.settings.xero_identity_url,
            self.settings.xero_client_id,
            self.settings.xero_client_secret,
        )

    def twilio(self, *, with_token: bool = False) -> TwilioClient:
        """Twilio, with the API key where one is set and the auth token otherwise.

        ``with_token`` asks for the auth token all the same: a standard key may not read the account.
        """
        settings = self.settings
        settings.require(Use.SMS)
        username, password = self._twilio_credentials(with_token=with_token)
        return TwilioClient(
            self.twilio_http, settings.twilio_account_sid, username, password, settings.twilio_api_url
        )

    def consents(self) -> TwilioConsents:
        """Twilio's Consent API, with the API key where one is set and the auth token otherwise."""
        settings = self.settings
        settings.require(Use.SMS)
        username, password = self._twilio_credentials()
        return TwilioConsents(self.twilio_http, username, password, settings.twilio_accounts_url)

    def email(self) -> EmailClient:
        """The email provider that was chosen. Email is off where ``settings.sends_email`` is false."""
        settings = self.settings
        settings.require(Use.EMAIL)
        if settings.email_provider is EmailProvider.SENDGRID:
            return self.sendgrid()
        return self.twilio_email()

    def sendgrid(self) -> SendGrid:
        """SendGrid, whoever sends now: it alone can take back what it holds."""
        return SendGrid(self.twilio_http, self.settings.sendgrid_api_key, self.settings.sendgrid_api_url)

    def twilio_email(self) -> TwilioEmail:
        """Twilio's Email API, whoever sends now: it alone knows of the emails that it took.

        It takes the API key where one is set, and the auth token otherwise.
        """
        self.settings.require(Use.EMAIL_AT_TWILIO)
        username, password = self._twilio_credentials()
        return TwilioEmail(self.twilio_http, username, password, self.settings.twilio_comms_url)

    def _twilio_credentials(self, *, with_token: bool = False) -> tuple[str, SecretStr]:
        settings = self.settings
        if settings.twilio_api_key and not with_token:
            return settings.twilio_api_key, settings.twilio_api_secret
        return settings.twilio_account_sid, settings.twilio_auth_token

    def close(self) -> None:
        """Let go of every connection."""
        self.xero_http.close()
        self.twilio_http.close()
        self.engine.dispose()


def open_resources(settings: Settings, clock: Clock = system_clock) -> Resources:
    """Open everything, and bring the ledger's schema up to date. Raises ``ConfigurationError``."""
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"DUEBELL_HOME {settings.home} cannot be made or written ({error.strerror}): "
            "choose a folder that this user may write to"
        ) from error
    vault = Vault(load_or_create_keys(settings))
    journal = journal_of(settings)
    engine = _the_ledger(settings, journal)
    xero, twilio = make_http_client(), twilio_http_client()
    return Resources(settings, engine, vault, xero, twilio, clock, journal=journal)


def open_ledger_alone(settings: Settings, *, is_faulty: bool) -> Resources:
    """Open the ledger for who stops or reads, without the keys, which may be at fault too.

    Raises ``ConfigurationError``, and what the database raises where its file cannot be made.
    """
    with suppress(OSError):
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = _the_ledger(settings, journal_of(settings))
    xero, twilio = make_http_client(), twilio_http_client()
    return Resources(settings, engine, LockedVault(), xero, twilio, is_faulty=is_faulty)


def journal_of(settings: Settings) -> Journal:
    """The side journal of this machine."""
    return Journal(settings.home / "journal", socket.gethostname())


def _the_ledger(settings: Settings, journal: Journal) -> Engine:
    """The ledger that was meant, with the newest schema."""
    engine = open_ledger(settings.database_url.get_secret_value())
    migrate(engine)
    try:
        refuse_another(settings, engine, journal)
    except ConfigurationError:
        engine.dispose()
        raise
    return engine


_CURRENT: ContextVar[Resources | None] = ContextVar("resources", default=None)


@contextmanager
def using(resources: Resources) -> Generator[Resources]:
    """Hand these resources to everything that runs inside, in this thread and in those it starts tasks in."""
    token = _CURRENT.set(resources)
    try:
        yield resources
    finally:
        _CURRENT.reset(token)


def resources() -> Resources:
    """What was handed down, or this process's own where nobody handed anything down."""
    return _CURRENT.get() or _own()


@lru_cache(maxsize=1)
def _own() -> Resources:
    return open_resources(load())
