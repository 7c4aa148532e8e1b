"""Whether a batch of events was signed by SendGrid.

twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

import base64
import binascii
import re
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

SIGNATURE_HEADER = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER = "x-twilio-email-event-webhook-timestamp"


_SECONDS = re.compile(r"[0-9]{1,20}")


def verification_key(text: str) -> EllipticCurvePublicKey:
    """The key that SendGrid shows as base64. Raises ValueError for anything but a public key on P-256."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    raise ValueError("not a public key on the curve P-256, in base64")


def events_are_genuine(raw: bytes, signature: str | None, timestamp: str | None, keys: Sequence[str]) -> bool:
    """Whether ``signature`` signs the timestamp and the raw body with one of the verification keys.

    ``raw`` must be the bytes as they came: writing the JSON again loses the spacing. How old the timestamp is
    does not count: a batch is tried again for 24 hours, and one that is played back changes nothing. Whatever
    cannot be checked is not genuine: never raises.
    """
    # The two are joined without a mark between them: only digits before what is no digit can be parted again.
    if not signature or not timestamp or not _SECONDS.fullmatch(timestamp) or raw[:1].isdigit():
        return False
    try:
        given = base64.b64decode(signature, validate=True)
        signed = timestamp.encode("ascii") + raw
        verdicts = [_signs(given, signed, verification_key(key)) for key in keys]
    except ValueError:
        return False
    return any(verdicts)


def _signs(given: bytes, signed: bytes, key: EllipticCurvePublicKey) -> bool:
    try:
        key.verify(given, signed, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
