"""The page of an email: what its text says, as mail programs show it on any screen and in any direction."""

import html
import re

from babel import Locale

from duebell.bidi import direction_of

_PARAGRAPHS = re.compile(r"\n\s*\n")
_ADDRESS = re.compile(r"https?://[^\s<>\"]+")
_AFTER_AN_ADDRESS = ".,;:!?'*_~"
_IS_WHOLE = re.compile(r"\s*<(?:!doctype|html)\b", re.IGNORECASE)

# Mail programs leave out style sheets, and telephones shrink a page that does not tell its width.
_FRAME = """\
<!DOCTYPE html>
<html{language}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body style="margin:0;padding:16px;font-family:sans-serif;font-size:16px;line-height:1.5;\
overflow-wrap:break-word">
<div style="max-width:600px;margin:0 auto">
{content}</div>
</body>
</html>
"""


def page_of(text: str, title: str = "", locale: str = "") -> str:
    """A page that reads like the text: nothing in it is markup, and its web addresses can be tapped.

    ``locale`` is that of its words, such as ``de_CH``; empty where it is not known. Each paragraph is told
    its direction: a mail program that finds it by itself (HTML's ``auto``) would go by a name at its start,
    isolated or not.
    """
    paragraphs = _PARAGRAPHS.split(text.replace("\r\n", "\n").strip())
    sides = [direction_of(one) or _direction(locale) or "auto" for one in paragraphs]
    said = zip(sides, paragraphs, strict=True)
    content = "".join(f'<p dir="{side}">{_lines(one)}</p>\n' for side, one in said)
    return framed(content, title, locale)


def framed(content: str, title: str = "", locale: str = "") -> str:
    """Markup as a whole page; one that is whole already stays as it is."""
    if _IS_WHOLE.match(content):
        return content
    return _FRAME.format(language=_language(locale), title=html.escape(title), content=content)


def _language(locale: str) -> str:
    """What the page's words are written in, and from which side, for who has them read aloud."""
    if not locale:
        return ""
    return f' lang="{locale.replace("_", "-")}" dir="{_direction(locale)}"'


def _direction(locale: str) -> str:
    return Locale.parse(locale).text_direction if locale else ""


def _lines(paragraph: str) -> str:
    return "<br>\n".join(_linked(line) for line in paragraph.split("\n"))


def _linked(line: str) -> str:
    """The line with its web addresses as links; the sign that ends a sentence is no part of one."""
    pieces, end = list[str](), 0
    for found in _ADDRESS.finditer(line):
        address = _without_what_follows(found[0])
        pieces.append(html.escape(line[end : found.start()]))
        pieces.append(f'<a href="{html.escape(address)}">{html.escape(address)}</a>')
        end = found.start() + len(address)
    return "".join(pieces) + html.escape(line[end:])


def _without_what_follows(address: str) -> str:
    while address[-1] in _AFTER_AN_ADDRESS or (address[-1] == ")" and "(" not in address):
        address = address[:-1]
    return address
