"""Words for a team that no template has: why a customer was not told, and one who has no name.

They are there in the languages that we ship; in any other they are said in English.
"""

from collections.abc import Mapping

from duebell.languages import ENGLISH, from_near_to_far
from duebell.ledger.untold import UNDELIVERED, UNKNOWN
from duebell.policy.reasons import IN_WORDS, Reason
from duebell.render.wording_shapes import Told

NAMELESS = "nameless"
"""A customer without a name."""

SAID: Mapping[str, Mapping[str, str]] = {
    ENGLISH: {
        UNDELIVERED: "the message could not be delivered",
        UNKNOWN: "nobody can say whether the message went out; see doctor",
        NAMELESS: "a nameless customer",
    },
    "de": {
        Reason.NO_CONTACT: "die Rechnung hat keinen Kontakt",
        Reason.CONTACT_CLOSED: "der Kontakt ist in Xero nicht aktiv",
        Reason.NO_PHONE: "der Kontakt hat keine nutzbare Mobilnummer",
        Reason.NO_EMAIL: "der Kontakt hat keine nutzbare E-Mail-Adresse",
        Reason.NO_WAY: "keiner der Kanäle lässt sich nutzen; für E-Mail muss EMAIL_FROM gesetzt sein",
        Reason.OPTED_OUT: "die Person wünscht keine Nachrichten mehr",
        Reason.NUMBER_INVALID: "die Nummer oder Adresse ist unbrauchbar; bitte in Xero ändern",
        UNDELIVERED: "die Nachricht konnte nicht zugestellt werden",
        UNKNOWN: "ob die Nachricht hinausging, ist nicht bekannt; siehe doctor",
        NAMELESS: "ein Kunde ohne Namen",
    },
    "ar": {
        Reason.NO_CONTACT: "لا توجد جهة اتصال على الفاتورة",
        Reason.CONTACT_CLOSED: "جهة الاتصال غير نشطة في Xero",
        Reason.NO_PHONE: "لا يوجد لجهة الاتصال رقم جوال صالح",
        Reason.NO_EMAIL: "لا يوجد لجهة الاتصال بريد إلكتروني صالح",
        Reason.NO_WAY: "لا يمكن استخدام أي من قنوات الإرسال؛ وللبريد الإلكتروني يجب ضبط EMAIL_FROM",
        Reason.OPTED_OUT: "طلب الشخص عدم تلقي المزيد من الرسائل",
        Reason.NUMBER_INVALID: "الرقم أو العنوان غير صالح؛ يُرجى تعديله في Xero",
        UNDELIVERED: "تعذر تسليم الرسالة",
        UNKNOWN: "لا يُعرف إن كانت الرسالة قد أُرسلت؛ راجع doctor",
        NAMELESS: "عميل بلا اسم",
    },
}


def cause_in_words(cause: str, language: str) -> str:
    """A cause in a language, or the nearest one that has words for it; a code that nobody knows as it is."""
    for tag in (*from_near_to_far(language), ENGLISH):
        if said := SAID.get(tag, {}).get(cause):
            return said
    return IN_WORDS[Reason(cause)] if cause in set(Reason) else cause


def customer_of(told: Told, language: str) -> str:
    """The customer's name for those of the business."""
    contact = told.known.contact
    name = (contact.name if contact else "") or told.known.read.invoice.contact_name
    return name or cause_in_words(NAMELESS, language)
