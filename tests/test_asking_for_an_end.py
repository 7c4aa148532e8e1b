"""Who asks to be left alone in words of their own is read by a person, and who writes of a payment is not."""

import pytest

from duebell.twilio.inbound import Wish, wish_of

ASKS: dict[str, tuple[str, ...]] = {
    "English": (
        "I no longer wish to receive these messages", "I don't want to receive these",
        "i dont want these messages", "We do not need any more reminders", "I no longer want these texts",
        "Please leave us alone", "leave me alone!", "This is not my number", "This isn't Bob's number",
        "not the right person", "You have the wrong number", "lose my number", "no more", "No more please",
        "no more of this", "please cease", "cease and desist", "Delete me", "delete our phone number",
        "Remove me from your list", "take me off your list", "opt me out", "cancel these texts",
        "Please cancel", "cancel my subscription", "end this", "quit texting me", "Enough!", "spam",
        "not interested", "S T O P", "s.t.o.p.", "STOP it at once", "go away", "I\u02bcm not interested",
        "don`t text me", "I will report you for spam",
    ),
    "German": (
        "Stopp bitte", "Bitte keine SMS mehr!", "ICH MÖCHTE KEINE NACHRICHTEN MEHR", "Abmelden",
        "Schreiben Sie mir bitte nicht mehr", "Nicht mehr anschreiben", "Hören Sie damit auf", "hoer auf",
        "Lassen Sie mich endlich in Ruhe", "Löschen Sie meine Nummer", "loeschen Sie bitte meine Daten",
        "Nummer löschen", "Falsche Nummer", "Das ist nicht meine Nummer", "nicht mehr unsere Handynummer",
        "Sie haben sich verwählt", "Kein Interesse", "entfernen Sie mich", "Nehmen Sie uns von der Liste",
        "Ich will das nicht mehr", "Unterlassen Sie das", "Kündigen", "Schluss damit",
        "Bitte nicht mehr kontaktieren", "Das ist Belästigung",
    ),
    "French": (
        "ARRÊT", "Désabonnez-moi", "Plus de SMS svp", "Ne m'envoyez plus rien", "Mauvais numéro",
        "Je ne veux plus recevoir de SMS", "Je ne souhaite pas recevoir vos relances", "Je ne veux plus !",
        "merci de ne plus m\u2019écrire", "Ne me contactez plus", "retirez mon numéro", "Effacez mon numéro",
        "enlevez-moi de la liste", "laissez-moi tranquille", "foutez-nous la paix", "cessez",
        "Ce n\u2019est pas mon numéro", "vous vous trompez de numéro", "Pas intéressé", "Annuler",
    ),
    "Spanish": (
        "BAJA", "No me escriban más", "Número equivocado", "dejen de mandar mensajes", "PARAR", "pare",
        "Pare por favor", "cancelar", "cancelar los mensajes", "borrar mi número", "elimine mi teléfono",
        "se equivocó de número", "No quiero recibir más mensajes", "no deseamos recordatorios", "no más",
        "no más mensajes", "No más por favor", "quítenme de la lista", "bórrenme", "este no es mi número",
        "dejen de molestar", "Déjenme en paz", "no nos interesa", "¡Basta!",
    ),
    "Arabic": (
        "توقف", "أوقفوا الرسائل", "وإيقاف الرسائل", "إلغاء الاشتراك", "لا تُرسِل لي رسائل", "كفى", "الرقم خطأ",
        "عدم الإرسال", "قف", "قفوا من فضلك", "ليس رقمي", "هذا ليس رقمي", "مو رقمي", "لا تزعجني",
        "ما ابغى رسائل", "لا أريد رسائل", "لا أريد", "احذف رقمي", "اتركوني", "غير مهتم",
    ),
}  # fmt: skip

ASKS_NOT: dict[str, tuple[str, ...]] = {
    "English": (
        "I will pay on Friday", "cancel my order of chairs please and credit us", "no more questions, thanks",
        "our number is on the invoice", "please stop by the office", "I'll stop by on Friday with a cheque",
        "Stopping by tomorrow to pay", "Non-stop busy here, will pay Monday", "I am quite sure that we paid",
        "don't worry will send it today", "Sorry, it went to spam, will pay on Friday",
        "You have the wrong number of chairs on the invoice", "Please leave me your account number",
        "I don't want to be late, I'll pay on Friday", "please remove my late fee, paid today",
        "I no longer have the invoice", "We no longer need the chairs, please credit us",
        "No more delays, I pay today", "paid at the end of the month", "Call me on my mobile number",
    ),
    "German": (
        "Danke, ist überwiesen", "Ich habe keine Rechnung bekommen", "Ich rufe Sie morgen an",
        "Ich zahle am Freitag", "Bitte löschen Sie die Mahngebühr, ich habe bezahlt",
        "Meine Nummer hat sich nicht geändert", "Das ist nicht unsere Rechnungsnummer",
        "Ich will nicht mehr warten und zahle heute", "Ende des Monats zahlen wir",
        "Ich möchte nicht mehr als drei Raten",
    ),
    "French": (
        "Merci, c'est payé", "c'est plus tard", "Je paie vendredi", "Mon numéro est sur la facture",
        "Je ne veux plus de retard, je paie vendredi", "à la fin du mois", "Je vous appelle plus tard",
        "La facture du pare-brise est payée", "je n'ai pas reçu la facture", "Laissez-moi vérifier",
    ),
    "Spanish": (
        "Gracias, ya pagué", "Voy a cancelar la factura el viernes", "Cancelado", "Ya cancelé, gracias",
        "Para el viernes", "No más dudas, gracias", "pago el viernes para no tener recargos",
        "Me parece bien", "Voy a parar por la oficina", "no quiero recargos, pago mañana",
        "no recibí la factura",
    ),
    "Arabic": (
        "شكرا، تم الدفع", "سأدفع غدا", "نعم", "سأدفع يوم الجمعة", "لا أريد التأخير، سأدفع غدا",
        "رقمي في الفاتورة", "خلاص دفعت", "تم التحويل", "في موقف السيارات",
    ),
}  # fmt: skip


def sentences(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(language, said) for language, all_said in table.items() for said in all_said]


@pytest.mark.parametrize(("language", "said"), sentences(ASKS))
def test_who_asks_for_an_end_in_words_of_their_own_is_shown_to_a_person(language: str, said: str) -> None:
    assert wish_of(said) is Wish.REVOKES, language


@pytest.mark.parametrize(("language", "said"), sentences(ASKS_NOT))
def test_who_answers_about_a_payment_or_an_order_asks_for_no_end(language: str, said: str) -> None:
    assert wish_of(said) is Wish.NOTHING, language
