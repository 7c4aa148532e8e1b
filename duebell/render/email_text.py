"""What an email says: its subject, its text and its page, from the templates of its kind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from duebell.bidi import FIRST_STRONG_ISOLATE, POP_ISOLATE
from duebell.email.messages import LONGEST_SUBJECT, unfit_in_body, unfit_in_subject
from duebell.email.page import framed, page_of
from duebell.errors import TemplateProblem
from duebell.render.rendering import Templates
from duebell.render.segments import UNSEEN
from duebell.render.template_folders import PAGE, SUBJECT, TEXT
from duebell.visible import JOINERS, named

BETWEEN_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
TAGS = range(0xE0000, 0xE0080)
"""What tells the flag of England, Scotland or Wales from a black one, and is not seen either."""

LEFT_OUT = dict.fromkeys([*map(ord, UNSEEN), *TAGS])
CUT = "\u2026"


@dataclass(frozen=True, slots=True)
class EmailText:
    """An email's words. ``html`` says the same as ``text``."""

    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(repr=False)


def render_email(templates: Templates, folder: str, values: Mapping[str, object]) -> EmailText:
    """The words of an email; without a template of its own the page is made from the text.

    ``values["locale"]`` is that of the templates' words. Raises ``TemplateProblem``.
    """
    subject = templates.render_part(folder, SUBJECT, values, _as_subject)
    text = templates.render_part(folder, TEXT, values, _as_body)
    locale = str(values.get("locale", ""))
    if not templates.has_part(folder, PAGE):
        return EmailText(subject, text, page_of(text, subject, locale))
    page = templates.render_part(folder, PAGE, values, _as_body)
    return EmailText(subject, text, framed(page, subject, locale))


def _as_subject(said: str) -> str:
    subject = " ".join(said.translate(LEFT_OUT).split())
    if unfit := unfit_in_subject(subject):
        raise TemplateProblem(f"holds the character {named(unfit)}, which no subject can have. Remove it")
    return _cut(subject)


def _cut(subject: str) -> str:
    """The subject, or as much of it as fits: a long name is no reason to say nothing."""
    if len(subject) <= LONGEST_SUBJECT:
        return subject
    end = LONGEST_SUBJECT
    while len(said := _ending(subject[:end])) > LONGEST_SUBJECT:
        end -= 1
    return said


def _ending(beginning: str) -> str:
    """The beginning of a line with a sign that more followed; each isolate ends in it, as it did before."""
    kept = beginning.rstrip(f" {JOINERS}")
    return f"{kept}{CUT}{POP_ISOLATE * (kept.count(FIRST_STRONG_ISOLATE) - kept.count(POP_ISOLATE))}"


def _as_body(said: str) -> str:
    """An empty line begins a paragraph, any other line break is a blank."""
    paragraphs = BETWEEN_PARAGRAPHS.split(said)
    text = "\n\n".join(" ".join(one.split()) for one in paragraphs if one.strip())
    if unfit := unfit_in_body(text):
        raise TemplateProblem(f"holds the character {named(unfit)}, which no email can have. Remove it")
    return text
