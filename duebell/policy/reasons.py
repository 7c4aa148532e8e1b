"""Why somebody is not told, or not yet: the words that are kept, and the sentences that are shown."""

from datetime import timedelta
from enum import StrEnum


class Reason(StrEnum):
    """Why somebody is not told, or not yet."""

    NONE = ""
    KIND_OFF = "kind_off"
    NOT_A_SALE = "not_a_sale"
    NOT_APPROVED = "not_approved"
    NO_LONGER_VALID = "no_longer_valid"
    ALREADY_PAID = "already_paid"
    KNOWN_BEFORE_CONNECTING = "known_before_connecting"
    TOO_OLD = "too_old"
    AMOUNT_UNKNOWN = "amount_unknown"
    PAYMENT_REMOVED = "payment_removed"
    NOT_A_PAYMENT = "not_a_payment"
    DATED_AHEAD = "dated_ahead"
    NO_CONTACT = "no_contact"
    CONTACT_CLOSED = "contact_closed"
    NO_PHONE = "no_phone"
    NO_EMAIL = "no_email"
    NO_WAY = "no_way"
    PERSON_LEFT_OUT = "person_left_out"
    ADDRESS_TOLD = "address_told"
    OPTED_OUT = "opted_out"
    NUMBER_INVALID = "number_invalid"
    WANTS_NO_MESSAGES = "wants_no_messages"
    IN_REVIEW = "in_review"
    NOT_ON_ALLOWLIST = "not_on_allowlist"
    OUTSIDE_WINDOW = "outside_window"
    WINDOW_ENDS = "window_ends"
    NO_DUE_DATE = "no_due_date"
    DUE_DATE_MOVED = "due_date_moved"
    STAGE_PASSED = "stage_passed"
    NOT_TOLD_OF_STAGE = "not_told_of_stage"
    BELOW_MINIMUM = "below_minimum"
    GROUP_NEVER_CHASED = "group_never_chased"
    SILENCED_BY_RULE = "silenced_by_rule"
    BELOW_TEAM_FROM = "below_team_from"
    SEEN_TO = "seen_to"
    PROMISED = "promised"
    IN_CREDIT = "in_credit"
    TOO_SOON = "too_soon"
    JUST_ISSUED = "just_issued"
    TOO_MANY = "too_many"
    DIGEST = "digest"
    UNUSUAL_VOLUME = "unusual_volume"
    HOUR_FULL = "hour_full"


OF_THE_CONTACT = (
    Reason.NO_CONTACT,
    Reason.CONTACT_CLOSED,
    Reason.NO_PHONE,
    Reason.WANTS_NO_MESSAGES,
    Reason.NO_EMAIL,
    Reason.ADDRESS_TOLD,
    Reason.NUMBER_INVALID,
    Reason.SILENCED_BY_RULE,
)
"""The reasons for leaving somebody out that a change of the contact may cure."""

OF_THE_INVOICE = (*OF_THE_CONTACT, Reason.OPTED_OUT, Reason.NO_WAY, Reason.TOO_OLD)
"""Those that an edit of the invoice may cure: it may name another contact, another day, another project."""

CURED_WITHIN = timedelta(days=30)
"""How long what was left out for such a reason is still worth a look."""


IN_WORDS: dict[Reason, str] = {
    Reason.NONE: "",
    Reason.KIND_OFF: "this kind of message is switched off in the policy",
    Reason.NOT_A_SALE: "it is not a sales invoice",
    Reason.NOT_APPROVED: "the invoice is not approved",
    Reason.NO_LONGER_VALID: "the invoice was voided or deleted",
    Reason.ALREADY_PAID: "nothing is owed on the invoice any more",
    Reason.KNOWN_BEFORE_CONNECTING: "the invoice stood in Xero before Duebell was connected",
    Reason.TOO_OLD: "it lay further back than the policy's oldest_days when it was first seen",
    Reason.AMOUNT_UNKNOWN: "Xero did not say what is still owed on the invoice",
    Reason.PAYMENT_REMOVED: "the payment was removed again in Xero",
    Reason.NOT_A_PAYMENT: "its amount is not one that somebody paid",
    Reason.DATED_AHEAD: "the payment is dated ahead and is confirmed on its day",
    Reason.NO_CONTACT: "the invoice has no contact",
    Reason.CONTACT_CLOSED: "the contact is not active in Xero: archived, or asked to be forgotten",
    Reason.NO_PHONE: "the contact has no usable mobile number",
    Reason.NO_EMAIL: "the contact has no usable email address",
    Reason.NO_WAY: "none of the policy's channels can be used; for email, EMAIL_FROM must be set",
    Reason.PERSON_LEFT_OUT: "Xero no longer says that the person is to be included in emails, or the "
    "policy's contact_persons is false",
    Reason.ADDRESS_TOLD: "it was told at this address before, or may have been: to somebody else at the "
    "customer, or under another name of the team",
    Reason.OPTED_OUT: "the person asked for no more messages",
    Reason.WANTS_NO_MESSAGES: "the customer is in a contact group of the policy's no_messages_groups",
    Reason.NUMBER_INVALID: "the number or address turned out to be unusable; change it in Xero",
    Reason.IN_REVIEW: "it was planned in review, when nothing is sent: run `duebell go-live`",
    Reason.NOT_ON_ALLOWLIST: "its number is not on the allow-list: after that, run `duebell go-live`",
    Reason.OUTSIDE_WINDOW: "it is outside the hours in which this message may go out",
    Reason.WINDOW_ENDS: "the hours for it are all but over, and it could arrive after them",
    Reason.NO_DUE_DATE: "the invoice has no due date",
    Reason.DUE_DATE_MOVED: "the due date was moved, and the stages are counted from the new one",
    Reason.STAGE_PASSED: "the stage's days are over, a later stage has come, or the policy has it no more",
    Reason.NOT_TOLD_OF_STAGE: "the policy's tell, or the team's hears, does not name this recipient for it",
    Reason.BELOW_MINIMUM: "less is owed on the invoice than the policy's minimum for its currency",
    Reason.GROUP_NEVER_CHASED: "the customer is in a contact group of the policy's never_groups",
    Reason.SILENCED_BY_RULE: "a rule of the policy leaves this message unsaid",
    Reason.BELOW_TEAM_FROM: "the amount is less than the policy's team_from for its currency",
    Reason.SEEN_TO: "it needs nobody's attention any more",
    Reason.PROMISED: "Xero has an expected payment date that has not passed yet",
    Reason.IN_CREDIT: "the customer has credit in Xero that is not allocated to an invoice yet",
    Reason.TOO_SOON: "the customer was reminded fewer days ago than the policy's gap_days",
    Reason.JUST_ISSUED: "the customer was told of the invoice itself fewer days ago than the policy's "
    "gap_days, or is about to be",
    Reason.TOO_MANY: "this address has had as many reminders as the policy's limits allow",
    Reason.DIGEST: "it waits for the team's daily message",
    Reason.UNUSUAL_VOLUME: "far more reminders than usual would go out: look at them with `duebell preview`, "
    "then `duebell release`",
    Reason.HOUR_FULL: "the policy's messages_an_hour have gone out, so it waits for the next hour",
}
