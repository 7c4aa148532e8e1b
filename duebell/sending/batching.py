"""A batch of SendGrid's for an email that is held, made and noted before anything is posted in it."""

from dataclasses import replace

from duebell.errors import ConfigurationError, DuebellError, Permanent
from duebell.failpoints import fail_point
from duebell.ledger import batches
from duebell.ledger.attempts import Intent
from duebell.ledger.insisting import until_written
from duebell.ledger.writing import writing
from duebell.policy.reaching import EMAIL
from duebell.resources import Resources
from duebell.twilio.outcome import NotProcessed


def in_batch(resources: Resources, intent: Intent) -> Intent | NotProcessed:
    """The attempt with its batch, where it is an email that is held; or why nothing is posted.

    Where SendGrid makes no batch for this key, which may lack that right, the email is sent at once.
    """
    if intent.send_at is None or intent.channel != EMAIL:
        return intent
    try:
        with_batch = replace(intent, batch_id=resources.sendgrid().create_batch())
    except (Permanent, ConfigurationError) as problem:
        at_once = replace(intent, send_at=None)
        return _noted(resources, at_once, f"SendGrid makes no batch: {problem}")
    except DuebellError as problem:
        return NotProcessed(f"SendGrid makes no batch: {problem}")
    fail_point("before-batch")
    return _noted(resources, with_batch)


@until_written
def _noted(resources: Resources, intent: Intent, why_at_once: str = "") -> Intent | NotProcessed:
    with writing(resources.engine, resources.clock()) as book:
        if why_at_once:
            is_ours = batches.send_at_once(book, intent.attempt_id, why_at_once)
        else:
            is_ours = batches.note(book, intent.attempt_id, intent.batch_id)
    return intent if is_ours else NotProcessed("others held it for lost before it was posted")
