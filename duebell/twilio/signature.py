"""Whether a webhook comes from Twilio: twilio.com/docs/usage/webhooks/webhooks-security."""

from collections.abc import Iterator, Sequence
from typing import Any, cast
from urllib.parse import parse_qsl, urldefrag, urlsplit

from pydantic import SecretStr
from twilio.request_validator import RequestValidator

MAX_FIELDS = 500
"""A form with more fields is no callback of Twilio's; it is refused before any of it is hashed."""


def public_url(public_base: str, path: str, raw_query: str) -> str:
    """The URL that Twilio called and signed: the configured address, the path and the query as they arrived.

    Never built from the request's own host or scheme, which a proxy rewrites and a caller chooses. ``path``
    and ``raw_query`` stay percent-encoded. A fragment steers Twilio's connection and is not part of what it
    signs.
    """
    query = f"?{raw_query}" if raw_query else ""
    return urldefrag(f"{public_base.rstrip('/')}{path}{query}").url


def form_pairs(raw_body: bytes) -> tuple[tuple[str, str], ...]:
    """The fields of a form, decoded, blank ones and repeated ones kept: what is signed is what is read.

    Raises ValueError where the body is no UTF-8 form or has more than ``MAX_FIELDS`` fields.
    """
    text = raw_body.decode("utf-8")
    return tuple(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS))


def callback_is_genuine(url: str, raw_body: bytes, header: str | None, tokens: Sequence[SecretStr]) -> bool:
    """Whether ``header`` (``X-Twilio-Signature``) signs this URL and body with one of the auth tokens.

    ``url`` is made by ``public_url``; ``tokens`` are the account's auth tokens, old and new while one is
    being changed (an API key's secret signs nothing here). Whatever cannot be checked is not genuine: never
    raises.
    """
    if not header:
        return False
    # Anybody can sign with an empty token. All others are tried, so that the time taken tells nothing.
    secrets = [token.get_secret_value() for token in tokens if token.get_secret_value()]
    try:
        place = urldefrag(url).url
        signed = _signed_part(place, raw_body)
        verdicts = [_validate(secret, place, signed, header) for secret in secrets]
    except (TypeError, ValueError, IndexError):
        return False
    return any(verdicts)


class _Form:
    """The fields of a form in the shape that RequestValidator reads repeated keys from."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for key, value in pairs:
            self._values.setdefault(key, []).append(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def getlist(self, key: str) -> list[str]:
        """All values of one field."""
        return self._values[key]


def _validate(secret: str, url: str, signed: "_Form | str", header: str) -> bool:
    validator = cast("Any", RequestValidator(secret))  # has no annotations
    return validator.validate(url, signed, header) is True


def _signed_part(url: str, raw_body: bytes) -> "_Form | str":
    """What RequestValidator has to be given: the text of a body whose hash is in the query, or the form.

    Given a form together with ``bodySHA256`` it would check no body at all, so the query decides, not the
    caller and not the Content-Type.
    """
    query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    if any(key == "bodySHA256" for key, _ in query):
        return raw_body.decode("utf-8")
    return _Form(form_pairs(raw_body))
