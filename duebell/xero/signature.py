"""Whether a webhook was signed by Xero.

Source: developer.xero.com/documentation/guides/webhooks/configuring-your-server.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from pydantic import SecretStr


def signature_is_valid(raw: bytes, header: str | None, keys: Sequence[SecretStr]) -> bool:
    """Whether ``header`` (``x-xero-signature``) signs the raw body with any of the webhook keys.

    ``raw`` must be the bytes as they came: Xero's spacing is irregular, and writing the JSON again loses it.
    A key is used as text; it looks like base64 and is not to be decoded. Without a header or a key, false.
    """
    try:
        given = (header or "").encode("ascii")
    except UnicodeEncodeError:
        return False
    valid = False
    for key in keys:
        text = key.get_secret_value()
        # Every key is tried, so that the time taken does not tell which one matched.
        matches = hmac.compare_digest(_signature(raw, text), given)
        valid = valid or (matches and bool(text.strip()))
    return valid


def _signature(raw: bytes, key: str) -> bytes:
    digest = hmac.new(key.encode("utf-8", "surrogatepass"), raw, hashlib.sha256).digest()
    return base64.b64encode(digest)
