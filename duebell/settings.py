"""The settings of one installation, read from the environment and ``.env`` by a call at the edge.

Nothing is read at import. ``load`` either returns a whole ``Settings`` or raises one ``ConfigurationError``
that names every variable at fault; ``describe`` says the same line by line and never raises, for a person
who is still setting things up. A variable that is set to nothing counts as unset.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from duebell import setting_shapes as shapes
from duebell.database_url import without_secrets
from duebell.errors import ConfigurationError
from duebell.setting_needs import Problem, Use, contradictions, missing, unfit
from duebell.setting_sources import ENV_FILE, Sources, read_sources
from duebell.states import Sending

UNSET = SecretStr("")
DEPLOYMENTS = Path(__file__).resolve().parents[1] / "deployments"


class Grant(StrEnum):
    """How Xero gives access: a person consents, or a custom connection is its own consent."""

    AUTHORIZATION_CODE = "authorization_code"
    CLIENT_CREDENTIALS = "client_credentials"


class EmailProvider(StrEnum):
    """Whose interface carries email."""

    TWILIO = "twilio"
    SENDGRID = "sendgrid"


class Settings(BaseSettings):
    """One installation. Secrets are ``SecretStr``, empty where unset; URLs have no slash at the end."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False
    )

    home: shapes.Home = Field(Path("~/.duebell"), alias="DUEBELL_HOME", validate_default=True)
    # A PostgreSQL URL carries its password, so the whole URL is kept as a secret.
    database_url: shapes.DatabaseUrl = Field(
        default_factory=lambda data: SecretStr(f"sqlite:///{data['home'].as_posix()}/duebell.db"),
        alias="DUEBELL_DATABASE_URL",
    )
    listen: shapes.Listen = Field("127.0.0.1:8787", alias="DUEBELL_LISTEN")
    public_url: shapes.PublicUrl = Field("http://localhost:8787", alias="DUEBELL_PUBLIC_URL")
    encryption_keys: shapes.FernetKeys = Field((), alias="DUEBELL_ENCRYPTION_KEYS")
    policy: shapes.ReadPath = Field(DEPLOYMENTS / "policy.toml", alias="DUEBELL_POLICY")
    templates: shapes.ReadPath = Field(DEPLOYMENTS / "templates", alias="DUEBELL_TEMPLATES")
    sending: Sending = Field(Sending.LIVE, alias="DUEBELL_SENDING")
    prefect_api_url: shapes.WebUrl = Field("", alias="PREFECT_API_URL")
    # As it is: whatever Prefect's own server takes for a user and a password.
    prefect_api_auth_string: SecretStr = Field(UNSET, alias="PREFECT_API_AUTH_STRING")
    prefect_server_api_port: shapes.Port = Field(4200, alias="PREFECT_SERVER_API_PORT")
    prefect_server_ui_api_url: shapes.WebUrl = Field("", alias="PREFECT_SERVER_UI_API_URL")
    xero_client_id: shapes.Token = Field("", alias="XERO_CLIENT_ID")
    xero_client_secret: shapes.Secret = Field(UNSET, alias="XERO_CLIENT_SECRET")
    xero_grant: Grant = Field(Grant.AUTHORIZATION_CODE, alias="XERO_GRANT")
    xero_webhook_keys: shapes.Secrets = Field((), alias="XERO_WEBHOOK_KEYS")
    xero_api_url: shapes.ProviderUrl = Field("https://api.xero.com", alias="XERO_API_URL")
    xero_identity_url: shapes.ProviderUrl = Field("https://identity.xero.com", alias="XERO_IDENTITY_URL")
    xero_login_url: shapes.ProviderUrl = Field("https://login.xero.com", alias="XERO_LOGIN_URL")
    twilio_account_sid: shapes.AccountSid = Field("", alias="TWILIO_ACCOUNT_SID")
    twilio_auth_token: shapes.Secret = Field(UNSET, alias="TWILIO_AUTH_TOKEN")
    twilio_previous_auth_token: shapes.Secret = Field(UNSET, alias="TWILIO_PREVIOUS_AUTH_TOKEN")
    twilio_api_key: shapes.ApiKeySid = Field("", alias="TWILIO_API_KEY")
    twilio_api_secret: shapes.Secret = Field(UNSET, alias="TWILIO_API_SECRET")
    twilio_messaging_service_sid: shapes.ServiceSid = Field("", alias="TWILIO_MESSAGING_SERVICE_SID")
    twilio_from: shapes.Sender = Field("", alias="TWILIO_FROM")
    twilio_api_url: shapes.ProviderUrl = Field("https://api.twilio.com", alias="TWILIO_API_URL")
    twilio_accounts_url: shapes.ProviderUrl = Field(
        "https://accounts.twilio.com", alias="TWILIO_ACCOUNTS_URL"
    )
    twilio_comms_url: shapes.ProviderUrl = Field("https://comms.twilio.com", alias="TWILIO_COMMS_URL")
    email_provider: EmailProvider = Field(EmailProvider.TWILIO, alias="EMAIL_PROVIDER")
    email_from: shapes.EmailSender = Field("", alias="EMAIL_FROM")
    sendgrid_api_key: shapes.Secret = Field(UNSET, alias="SENDGRID_API_KEY")
    sendgrid_api_url: shapes.ProviderUrl = Field("https://api.sendgrid.com", alias="SENDGRID_API_URL")
    sendgrid_webhook_keys: shapes.VerificationKeys = Field((), alias="SENDGRID_WEBHOOK_KEYS")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what ``load`` passes in: it knows where each value came from and can say so."""
        return (init_settings,)

    @property
    def listen_host(self) -> str:
        """The address the receiver binds, without the brackets of IPv6."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def listen_port(self) -> int:
        """The port the receiver binds; 0 lets the machine choose."""
        return int(self.listen.rpartition(":")[2])

    @property
    def sends_email(self) -> bool:
        """Whether there is a sender to send email from."""
        return bool(self.email_from)

    @property
    def twilio_signing_tokens(self) -> tuple[SecretStr, ...]:
        """The auth tokens with which Twilio may have signed a callback: the account's, and the one that it
        replaces. Twilio signs with the primary one alone (twilio.com/docs/api/errors/57012).
        """
        return self.twilio_auth_token, self.twilio_previous_auth_token

    def missing_for(self, *uses: Use) -> list[Problem]:
        """The variables that these uses need and that are unset, or cannot serve them."""
        given = {name: str(getattr(self, attribute) or "") for name, attribute in VARIABLES.items()}
        return missing(given, uses) + unfit(given, uses)

    def require(self, *uses: Use) -> None:
        """Raise ``ConfigurationError`` naming everything that these uses need and do not find."""
        if problems := self.missing_for(*uses):
            raise refusal(problems)


VARIABLES: dict[str, str] = {str(info.alias): name for name, info in Settings.model_fields.items()}
"""Every variable by its name in the environment, and its attribute."""

SECRETS = {n for n, a in VARIABLES.items() if "SecretStr" in str(Settings.model_fields[a].annotation)}
HARMLESS = {"DUEBELL_HOME", "DUEBELL_LISTEN", "DUEBELL_SENDING", "XERO_GRANT", "EMAIL_PROVIDER"}
"""Shown even when malformed, because seeing the slip helps and nobody pastes a key there."""

DEFAULTS = {
    name: str(Settings.model_fields[attribute].default or "unset") if name not in SECRETS else "unset"
    for name, attribute in VARIABLES.items()
} | {
    "DUEBELL_DATABASE_URL": "sqlite:///<home>/duebell.db",
    "DUEBELL_ENCRYPTION_KEYS": "the file <home>/keys, made on first run",
}


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One variable as a person may see it. ``problem`` and ``mend`` are empty where nothing is wrong."""

    name: str
    shown: str
    source: str
    problem: str = ""
    mend: str = ""


def load(
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = ENV_FILE,
    uses: Iterable[Use] = (),
) -> Settings:
    """Read the environment (it wins) and ``env_file``; raise one ``ConfigurationError`` for all problems."""
    settings, problems = build(read_sources(VARIABLES, environ, env_file), uses)
    if settings is None:
        raise refusal(problems)
    return settings


def describe(
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = ENV_FILE,
    uses: Iterable[Use] = (),
) -> list[SettingLine]:
    """Every variable with its source and its first problem, secrets masked. Never raises for a bad value."""
    sources = read_sources(VARIABLES, environ, env_file)
    _, problems = build(sources, uses)
    faults = {problem.name: problem for problem in reversed(problems)}
    known = [_line(name, sources, faults.get(name)) for name in VARIABLES]
    others = [
        SettingLine(p.name, "", ".env file", p.wrong, p.mend) for p in problems if p.name not in VARIABLES
    ]
    return known + others


def build(sources: Sources, uses: Iterable[Use]) -> tuple[Settings | None, list[Problem]]:
    """The settings, or none and every problem that stands in their way."""
    untouched = [name for name, text in sources.values.items() if shapes.is_placeholder(text)]
    problems = list(sources.problems)
    problems += [
        Problem(n, "still holds the text of .env.example", "Put the real value there") for n in untouched
    ]
    values = {name: text for name, text in sources.values.items() if name not in untouched}
    settings = None
    try:
        settings = Settings.model_validate(values)
    except ValidationError as invalid:
        problems += [
            Problem(
                _variable(str(error["loc"][0])),
                *shapes.explain(error["type"], error["msg"], error.get("ctx", {})),
            )
            for error in invalid.errors(include_input=False, include_url=False)
            if error["type"] != "default_factory_not_called"  # only says that DUEBELL_HOME was wrong
        ]
    problems += contradictions(sources.values) + missing(sources.values, uses) + unfit(sources.values, uses)
    return (None if problems else settings), problems


def _variable(place: str) -> str:
    """The variable that pydantic means; it says the attribute where a default was at fault."""
    return next((name for name, attribute in VARIABLES.items() if attribute == place), place)


def _line(name: str, sources: Sources, problem: Problem | None) -> SettingLine:
    wrong, mend = (problem.wrong, problem.mend) if problem else ("", "")
    if name not in sources.values:
        return SettingLine(name, DEFAULTS[name], "default", wrong, mend)
    shown = _shown(name, sources.values[name], sound=problem is None)
    return SettingLine(name, shown, sources.origins[name], wrong, mend)


def _shown(name: str, text: str, *, sound: bool) -> str:
    """The value as a person may see it.

    A secret of 24 characters or more shows its last two, so that a person can tell which of two keys is in
    place: that gives away at most 12 of its 96 bits or more. A shorter one shows nothing. A malformed
    identifier is hidden too, because it may be a secret that was pasted one line too low.
    """
    if name == "DUEBELL_DATABASE_URL":
        return without_secrets(text) if sound else "set"
    if name in SECRETS:
        secrets = [part.strip() for part in text.split(",") if part.strip()]
        return ", ".join(f"set, ends in {one[-2:]}" if sound and len(one) >= 24 else "set" for one in secrets)
    return text if sound or name in HARMLESS else "set"


def refusal(problems: list[Problem]) -> ConfigurationError:
    """One error that names every problem."""
    lines = "\n".join(f"- {problem}" for problem in problems)
    return ConfigurationError(f"Duebell is not set up for this:\n{lines}")
