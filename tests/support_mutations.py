"""Mistakes that must not go unnoticed: each a change of the code, and the test that has to fail for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mistake. ``changes``: file, the text that stands in it exactly once, and what stands there then."""

    what: str
    changes: tuple[tuple[str, str, str], ...]
    test: str


ATTEMPTS, NOTIFICATIONS = "duebell/ledger/attempts.py", "duebell/ledger/notifications.py"
TELLING, THREAD = "duebell/sending/telling.py", "deployments/receiver/ledger_thread.py"
FIRST_TABLES = "duebell/ledger/migrations/versions/0001_the_first_tables.py"
PASSES = (
    "            col(Notification.lease_token) == lease_token,\n"
    "            leaving({S.CLAIMED}, S.SENDING),\n"
    "            col(Notification.lease_until) > now,\n"
)

MUTATIONS = (
    Mutation(
        "the key of a notification is not unique",
        ((FIRST_TABLES, '        sa.UniqueConstraint("key"),\n', ""),),
        "tests/test_ledger_notifications.py::test_planning_twice_makes_one_row_and_one_entry_in_the_trail",
    ),
    Mutation(
        "an attempt begins on whatever lease",
        ((ATTEMPTS, PASSES, PASSES.partition("\n")[2]),),
        "tests/test_ledger_attempts.py::test_no_attempt_begins_on_a_lapsed_or_lost_claim",
    ),
    Mutation(
        "an attempt begins from whatever state",
        ((ATTEMPTS, "            leaving({S.CLAIMED}, S.SENDING),\n", ""),),
        "tests/test_ledger_attempts.py::test_of_many_that_hold_the_same_claim_one_begins",
    ),
    Mutation(
        "a claim is given back on whatever lease",
        (
            (
                NOTIFICATIONS,
                "        col(Notification.lease_token) == claimed.lease_token,\n",
                "",
            ),
        ),
        "tests/test_ledger_notifications.py::test_giving_back_a_lost_claim_changes_nothing",
    ),
    Mutation(
        "whatever is due is claimed, waiting or not",
        (
            (
                NOTIFICATIONS,
                "    waits = leaving(WAITING, S.CLAIMED) & due\n",
                "    waits = due | (col(Notification.state) == S.SENDING.value)\n",
            ),
        ),
        "tests/test_ledger_notifications.py::test_what_is_being_sent_is_never_claimed_however_long_ago",
    ),
    Mutation(
        "the attempt is committed after the POST",
        (
            (TELLING, "S = NotificationState\n", "S = NotificationState\nPOSTED: list[Any] = []\n"),
            (TELLING, "import random\n", "import random\nfrom typing import Any\n"),
            (
                TELLING,
                'fail_point("before-intent-commits")',
                "POSTED.extend([post_noted(resources, poster, begun)] if isinstance(begun, Intent) else [])",
            ),
            (TELLING, "outcome = post_noted(resources, poster, batched) if", "outcome = POSTED.pop() if"),
        ),
        "tests/test_faults_sending.py::test_f070_an_attempt_stands_in_the_ledger_for_all_to_see_before_a_byte_leaves",
    ),
    Mutation(
        "a send whose lease is over is sent again",
        ((ATTEMPTS, "        if row.state == S.CLAIMED.value:\n", "        if row.state:\n"),),
        "tests/test_ledger_attempts.py::test_f070_a_lapsed_send_is_unknown_is_looked_for_and_never_claimed_again",
    ),
    Mutation(
        "a 500 is taken for not sent",
        (
            (
                "duebell/twilio/outcome.py",
                "    if is_too_fast or (",
                "    if is_too_fast or status >= 500 or (",
            ),
        ),
        "tests/test_faults_sending.py::test_f075_f078_an_outcome_that_nobody_saw_is_unknown_until_a_receipt_tells_it",
    ),
    Mutation(
        "a lost answer is taken for not sent",
        (
            (
                "duebell/twilio/outcome.py",
                "    httpx.UnsupportedProtocol,\n",
                "    httpx.UnsupportedProtocol,\n    httpx.ReadTimeout,\n",
            ),
        ),
        "tests/test_faults_sending.py::test_f075_f078_an_outcome_that_nobody_saw_is_unknown_until_a_receipt_tells_it",
    ),
    Mutation(
        "the address of the callback does not name the attempt",
        (
            (
                "duebell/twilio/callbacks.py",
                "{place}?{ATTEMPT_PARAMETER}={quote(attempt_id, safe='')}{_OVERRIDES}",
                "{place}?{quote(attempt_id, safe='')}{_OVERRIDES}",
            ),
        ),
        "tests/test_twilio_callbacks.py::test_the_address_names_the_attempt_and_asks_for_five_more_tries",
    ),
    Mutation(
        "200 before the commit",
        (
            (
                "deployments/receiver/xero_webhook.py",
                "            kept = await self._thread.commit(lambda book: keep_delivery(book, wanted))\n",
                "            self._thread._pool.submit(keep_later, self._thread, wanted)\n"
                "            return Response(status_code=200)\n",
            ),
            (
                "deployments/receiver/xero_webhook.py",
                "class XeroWebhook:\n",
                "def keep_later(thread, wanted):\n"
                "    with writing(thread._engine, thread._clock()) as book:\n"
                "        keep_delivery(book, wanted)\n\n\nclass XeroWebhook:\n",
            ),
            (
                "deployments/receiver/xero_webhook.py",
                "from duebell.ledger.writing import Writing\n",
                "from duebell.ledger.writing import Writing, writing\n",
            ),
        ),
        "tests/test_receiver_xero.py::test_a_ledger_that_cannot_be_opened_is_a_503_and_no_acknowledgement",
    ),
    Mutation(
        "a delivery is parsed before its signature is checked",
        (
            (
                "deployments/receiver/xero_webhook.py",
                "        header = only_value(request, SIGNATURE)\n",
                "        wanted = to_be_kept(raw)\n        header = only_value(request, SIGNATURE)\n",
            ),
        ),
        "tests/test_faults_receiving.py::test_f116_what_is_not_signed_is_not_even_parsed",
    ),
    Mutation(
        "a signature is compared by ==",
        (
            (
                "duebell/xero/signature.py",
                "hmac.compare_digest(_signature(raw, text), given)",
                "_signature(raw, text) == given",
            ),
        ),
        "tests/test_faults_receiving.py::test_f116_signatures_are_compared_in_constant_time",
    ),
    Mutation(
        "a POST that failed is made again",
        (
            (
                "duebell/twilio/client.py",
                "            if wire.answer is None:\n                return classify_exception(exc)\n",
                "            if wire.answer is None:\n"
                "                self._account(wire).messages.create(**message.fields())\n",
            ),
        ),
        "tests/test_twilio_sockets.py"
        "::test_f083_a_connection_reset_after_the_request_is_unknown_and_not_tried_again",
    ),
    Mutation(
        "what Twilio is said not to know is left to a person while it may still be on its way",
        (
            (
                "duebell/settling/confirming.py",
                " and book.now >= parked_at(held, resources.policy)",
                "",
            ),
        ),
        "tests/test_lost_by_twilio.py"
        "::test_what_twilio_held_and_knows_no_more_is_asked_for_hourly_and_not_each_minute",
    ),
    Mutation(
        "an email that is held is posted before its batch is noted",
        (
            (
                "duebell/ledger/batches.py",
                "    return _while_sending(book, attempt_id, batch_id=batch_id)\n",
                "    return bool(book and attempt_id and batch_id)\n",
            ),
        ),
        "tests/test_holding_emails.py::test_an_email_that_was_not_answered_is_discarded_and_said_once_in_another_batch",
    ),
    Mutation(
        "an email that SendGrid takes is held, though it is to discard it",
        (
            (
                "duebell/ledger/evidence.py",
                "    if batches.is_discarded(attempt, known) or not _is_news(attempt, known):\n",
                "    if not _is_news(attempt, known):\n",
            ),
        ),
        "tests/test_holding_emails_at_once.py::test_an_answer_that_comes_once_the_email_was_discarded_brings_it_back_to_nobody",
    ),
    Mutation(
        "an email is discarded without a word of that in the ledger",
        (
            (
                "duebell/settling/discarding.py",
                "        if not batches.ask_to_discard(book, attempt.attempt_id):\n",
                "        if not book:\n",
            ),
        ),
        "tests/test_holding_emails_at_once.py::test_an_answer_that_comes_while_the_email_is_being_discarded_is_said_anew",
    ),
    Mutation(
        "an email is decided on for the last time when SendGrid takes nothing back any more",
        (
            (
                "duebell/hours/scheduling.py",
                "    return send_at - ahead_of_time(in_batch=in_batch)\n",
                "    return send_at if in_batch else send_at\n",
            ),
        ),
        "tests/test_holding_emails.py"
        "::test_what_is_paid_while_it_is_held_is_taken_back_before_sendgrid_stops_doing_that",
    ),
    Mutation(
        "a look that stood still takes a copy for the message that another look has found",
        (
            (
                "duebell/settling/settling.py",
                "    if attempt.channel != EMAIL and own.sid not in {None, message.sid}:\n",
                "    if attempt.channel != EMAIL and own.sid == own.attempt_id:\n",
            ),
        ),
        "tests/test_watching_copies.py"
        "::test_a_look_that_stood_still_does_not_take_a_copy_for_the_message_that_another_found",
    ),
)
