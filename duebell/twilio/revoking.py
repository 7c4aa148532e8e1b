"""How people ask to be left alone who do not know the word, in the five languages that Duebell listens to.

The FCC lets a person take consent back by any reasonable means (47 CFR 64.1200(a)(10)), so what seems to ask
for it is read by a person: in doubt too much is taken in. What tells of a payment asks for no end. All is
written by the bare letters, as ``letters_of`` leaves them: an umlaut is its vowel, or the two letters that
stand for it.
"""

import re
import unicodedata

NOT_SEEN = frozenset({"Mn", "Cf"})
TATWEEL = "\u0640"
QUOTES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u0060\u00b4", "'") | {TATWEEL: ""})

COURTESY = re.compile(
    r"\b(please|pls|plz|thanks|thank you|now|bitte|danke|sofort|jetzt|merci|svp|s'il (vous|te) plait"
    r"|por favor|gracias|ya)\b|من فضلك|لو سمحت|رجاء"
)

ALONE = frozenset({
    "no more", "cancel", "cancel this", "cancel it", "cancel all", "cancel me", "cease", "desist", "delete",
    "delete this", "remove", "remove this", "end", "end this", "end it", "quit", "enough", "block", "spam",
    "go away", "get lost", "ende", "genug", "losch", "loschen", "loeschen", "entfernen", "kundigen",
    "kuendigen", "es reicht", "schluss", "fin", "assez", "annuler", "annulez", "resilier", "resiliez",
    "ca suffit", "je ne veux plus", "para", "parar", "cancelar", "basta", "detener", "no mas", "borrar",
    "eliminar", "ازالة", "ازل", "حذف", "يكفي",
})  # fmt: skip
"""What asks for an end where nothing else is said, and may mean anything within a sentence: "cancelar" is to
pay, too, in much of Latin America.
"""

ENGLISH = (
    r"\b(?<!non-)(?<!non )(?<!bus )(?<!one-)stop(?!\w* (by|in|over|past|off|at (?!once))\b)",
    r"\bs[\W_]+t[\W_]+o[\W_]+p\b",
    r"\bunsub",
    r"\bopt[ -]?(me |us )?out",
    r"\bquit (it|this|texting|messaging|sending|calling|contacting|bothering)\b",
    r"\b(cease|desist)\b",
    r"\b(remove|delete|erase|drop) (me|us)\b",
    r"\b(remove|delete|erase) (my|our|this|the) (\w+ )?"
    r"(number|phone|mobile|cell|name|detail|contact|data|info)",
    r"\btake (me|us|my \w+|our \w+|this \w+) off\b",
    r"\b(lose|forget) (my|our|this) number",
    r"\bleave (me|us) (\w+ )?(alone|be|in peace|out)\b",
    r"\bno more (of )?(these|this|it)\b",
    r"\b(no more|cancel|end) (\w+ ){0,3}(text|message|sms|reminder|notification|alert|subscription)s?\b",
    r"\b(do ?n.?t|do not|never) (?!worry)(\w+ ){0,2}(text|message|contact|write|call|send|remind)",
    r"\b(do ?n.?t|do not|no longer|never) (\w+ )?(want|wish|need|like|care) (\w+ ){0,4}"
    r"(text|message|sms|reminder|notification|alert|hear from|contacted|bothered|reminded|spam)",
    r"\b(do ?n.?t|do not|no longer) (\w+ )?(want|wish|need) (to )?(receive |get )?"
    r"(these|those|this|them|any ?more)\W*$",
    r"\bnot interested\b",
    r"\bwrong person\b|\bwrong (phone )?number\b(?! (of|on)\b)",
    r"(\bnot|n't|\bno longer) (my|our|his|her|their|\w+'s) (\w+ )?(number|phone|mobile|cell)\b",
    r"\bnot the (right|correct) (number|person)\b",
    r"\breport (you|this|it)\b|\bharass|\bspamming\b|\b(fuck|piss|bugger|sod) off\b",
)

GERMAN = (
    r"\b(abmeld|abbestell|austrag|widerruf|widersp|verwae?hlt|belae?stig|unterlass)",
    r"\bfalsche (nummer|person)",
    r"\bnicht (mehr )?(meine|unsere|seine|ihre|die richtige) (handy|telefon|ruf|mobil)?nummer",
    r"\baufhoe?r|\bhoe?r(t|en sie)? (\w+ ){0,3}auf\b|\bschluss (damit|jetzt|mit)\b",
    r"\blass\w* (\w+ ){0,3}in ruhe",
    r"\bkein(erlei)? interesse|\bnicht interessiert",
    r"\b(entfern|streich|loe?sch|nehm|nimm)\w* (sie )?(bitte )?(mich|uns)\b",
    r"\b(entfern|streich|loe?sch)\w* (sie )?(bitte )?(meine|unsere|diese|die) (\w+ )?\w*"
    r"(nummer|daten|kontakt|handy|telefon)",
    r"(\bmich|\buns|nummer|daten) (\w+ ){0,4}(loe?sch|streich|entfern)",
    r"\bkeine (weiteren )?(\w+ )?(sms|nachricht|mitteilung|erinnerung)",
    r"\b(nicht|nichts|nie) (mehr|wieder) (\w+ ){0,2}(\w*schr(ei|ie)b|schick|send|kontaktier|erinner)",
    r"\b(schreib|schick|send|ruf|kontaktier|erinner)\w* (\w+ ){0,4}(nicht|nichts|nie) mehr",
    r"\b(will|wollen|moe?cht\w+|wue?nsch\w+) (das|dies\w*|so ?was|so etwas|davon) (\w+ )?"
    r"nichts? ?(mehr)?\W*$",
)

FRENCH = (
    r"\b(arret|desabonn|desinscri|supprime|harcel)",
    r"\bplus de (messages?|sms|textos?|rappels?|relances?)",
    r"\b(veu\w+|voul\w+|souhait\w+|desir\w+) (pas|plus) (\w+ ){0,2}"
    r"(recevoir|etre (contact|derang|relanc|sollicit)|messages?|sms|textos?|rappels?|relances?)",
    r"\b(plus|pas) (\w+ |m')?recevoir (de |d'|vos |ces |ce |des |aucun )",
    r"\bne plus (me |m'|nous )?(envoy|ecri|contact|relanc|derang|appel|sollicit)",
    r"\b(envoye|ecri|contacte|relance|derange|appele)\w* plus\b",
    r"\b(retir|enlev|effac|supprim|radi)\w*[ -](moi|nous)\b",
    r"\b(retir|enlev|effac|supprim|radi|oubli)\w* (mon|mes|notre|nos|ce) (\w+ )?"
    r"(numero|coordonnees|nom|contact|telephone|portable|donnees)",
    r"\b(mauvais|faux) numero|\bmauvaise personne|\b(erreur|tromp\w*) (\w+ )?de (numero|personne)",
    r"\b(pas|plus) (mon|notre|son|le bon) (numero|telephone|portable)",
    r"\b(laiss|fich|fout)\w*[ -](moi|nous) (\w+ )?(tranquilles?|(en|la) paix)",
    r"\bcessez\b|\bcesser (de (me|nous)|de m'|d'|vos|ces|tout)",
    r"\bpas interesse",
)

SPANISH = (
    r"\bbaja\b|\balto$",
    r"\bparen?\b(?!-| (en|por (?!favor))\b)|\bparar\b(?! (en|por (?!favor))\b)",
    r"\bno mas (\w+ )?(mensaje|sms|texto|aviso|recordatorio|llamada|notificacion)",
    r"\bcancel\w+ (\w+ ){0,3}(mensaje|sms|aviso|recordatorio|suscripcion|notificacion)",
    r"\bno (quiero|queremos|quisiera|deseo|deseamos|necesito) (\w+ ){0,4}"
    r"(mensaje|sms|texto|aviso|recordatorio|llamada|notificacion|recibirl[oa]s|que me|que nos)",
    r"\bno (me|nos) interesa",
    r"\bno (me|nos) (\w+ )?(escrib|mand|envi|contact|llam|molest)",
    r"\bdej\w+ de (\w+ )?(mand|envi|escrib|contact|molest|llam|acos)",
    r"\bdej\w+ (\w+ )?(en paz|tranquil)",
    r"\b(borr|elimin|quit|sac|saqu|suprim|retir|olvid)\w* (mi|mis|nuestros?|este|el) (\w+ )?"
    r"(numero|telefono|celular|movil|contacto|datos|nombre)",
    r"\b(borr|elimin|quit|sac|saqu|suprim|retir)\w*(me|nos)(\W*$| del?\b)",
    r"\b(numero|persona) (\w+ )?equivocad|\bequivoc\w* de (numero|persona)",
    r"\bno es (mi|nuestro|su) (numero|telefono|celular|movil)\b|\bno soy (esa|la) persona",
    r"\bdetenga|\bdetener (los|sus|estos|el envio)|\bbasta (ya|de)\b",
)

ARABIC = (
    # "and" and the article are written on to the word: توقف, and the others, are found within one as well.
    r"توقف|اوقف|ايقاف|الغاء|الغوا|كفى|كفاي|احذف|ازيل|عدم ال?ارسال|غلطان",
    r"\bو?قف(وا|ي)?\b",
    r"لا (ترسل|تراسل|تتصل|تزعج|تبعث)",
    r"\b(لا|ما|مش|مو) (اريد|نريد|ارغب|نرغب|ابغى|ابغا|ابي|عايز|عاوز|بدي|اود)"
    r"( (\w+ ){0,4}\w*(رسايل|رسالة|رساله|تذكير|اشعار|تواصل|تراسل|ترسل|اتصال|هذا)|\W*$)",
    r"رقم (خاط|خطا|غلط)",
    r"\b(ليس|ليست|مو|مش|ما هو|لم يعد) (\w+ )?(رقمي|رقمنا|هاتفي|جوالي)",
    r"\b(امسح|شيل|ازل)\w* (رقمي|رقمنا|هاتفي|جوالي)|بطلوا? (ترسل|ارسال|الرسايل)",
    r"\b(اترك|دع)(وني|ني|ونا|نا)\b|(لست|غير|مو|مش) مهتم",
)

WITHIN = re.compile("|".join((*ENGLISH, *GERMAN, *FRENCH, *SPANISH, *ARABIC)))


def letters_of(body: str) -> str:
    """The bare letters: no capitals, widths, accents, vowel signs or marks of direction, and plain quotes."""
    parts = unicodedata.normalize("NFKD", body.translate(QUOTES)).casefold()
    seen = (one for one in parts if unicodedata.category(one) not in NOT_SEEN)
    return " ".join("".join(seen).split())


def seems_to_revoke(said: str) -> bool:
    """Whether the bare letters of a message seem to ask for an end of all messages."""
    alone = " ".join(re.sub(r"[^\w']+", " ", COURTESY.sub(" ", said)).split())
    return alone in ALONE or WITHIN.search(said) is not None
