"""From a template and plain values to the text of a message.

A template is an operator's, a value is a stranger's; neither is trusted. The template is held against
``template_rules`` before it is compiled, the values go through ``render_values``, and the text is made in one
pass: what a value says is never read as a template.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import CodeType, TracebackType

from jinja2 import Template, TemplateSyntaxError, UndefinedError

from duebell.errors import TemplateProblem
from duebell.languages import ENGLISH, is_language
from duebell.render.places import placed
from duebell.render.template_folders import SMS_TEXT, TemplateFolder, Tongue, all_folders, strays, tongue_of
from duebell.render.template_keeper import TemplateKeeper
from duebell.render.template_links import SaysLinks, says_links
from duebell.render.template_rules import refuse_breaches
from duebell.render.template_sandbox import TemplateSandbox
from duebell.render.values import Fields, Link, cleaned
from duebell.setting_shapes import did_you_mean

__all__ = ["Link", "Templates"]

LARGEST_TEMPLATE = 8 * 1024
LARGEST_OUTPUT = 48 * 1024  # a team's day: four lists of twenty, each with a name, a reference and a link
LONGEST_SMS = 1600  # twilio.com/docs/api/errors/21617
UNDEFINED = re.compile(r"'(\w+)' is undefined")
FOLDER = re.compile(r"[a-z]+(_[a-z]+)*(/[A-Za-z][A-Za-z0-9_-]*){0,2}")  # kind, variant, language

Layout = Callable[[str], str]
"""Makes the filled-in template the text of its part; raises ``TemplateProblem``."""


class Templates:
    """The templates of a folder, each read anew at every use so that an edit counts.

    A message's own folder within it is ``<kind>/<language>`` or ``<kind>/<variant>/<language>``.
    ``keeper`` remembers them from use to use: what an edit broke is said by the template before it.
    """

    def __init__(self, root: Path, keeper: TemplateKeeper | None = None) -> None:
        """Nothing is read yet."""
        self._root = root
        self._keeper = keeper or TemplateKeeper()
        self._plain, self._html = TemplateSandbox(), TemplateSandbox(html=True)

    def folders(self) -> tuple[TemplateFolder, ...]:
        """Every folder of templates, with its kind, variant, language and parts."""
        return all_folders(self._root)

    def strays(self) -> tuple[str, ...]:
        """The files among them that no message is made from."""
        return strays(self._root)

    def tongue_of(self, template: str, channel: str, wanted: str, default: str) -> Tongue:
        """The language in which a message of ``<kind>`` or ``<kind>/<variant>`` can be said whole."""
        return tongue_of(self._root, template, channel, wanted, default)

    def render_sms(self, folder: str, values: Mapping[str, object]) -> str:
        """One line of text. ``values["locale"]`` chooses how amounts, days and plurals are written.

        Raises ``TemplateProblem`` for a template that is not allowed, a field that is missing or empty, and a
        text that is empty or longer than Twilio takes.
        """

        def one_line(said: str) -> str:
            text = " ".join(said.split())
            if len(text) > LONGEST_SMS:
                raise TemplateProblem(f"became longer than the {LONGEST_SMS} characters of an SMS")
            return text

        return self._render(folder, SMS_TEXT, values, one_line)

    def render_part(self, folder: str, part: str, values: Mapping[str, object], laid_out: Layout) -> str:
        """A part of an email: ``subject.txt``, ``body.txt`` or ``body.html``, where values are escaped.

        ``laid_out`` makes it the text of its part. Raises as ``render_sms`` does.
        """
        return self._render(folder, part, values, laid_out)

    def has_part(self, folder: str, part: str) -> bool:
        """Whether the folder has this part of a message."""
        return (self._root / folder / part).is_file()

    def says_links(self, folder: str, part: str) -> SaysLinks:
        """Which online links this part of a message may say; none where it is not there or cannot be read."""
        try:
            return says_links(self._plain.parse(_source_of(part, self._read(_name_of(folder, part)))))
        except (TemplateProblem, TemplateSyntaxError, RecursionError):
            return SaysLinks()

    def check(self, folder: str, part: str = SMS_TEXT) -> None:
        """Raise ``TemplateProblem`` for a template that would be refused whatever the values are."""
        name = _name_of(folder, part)
        self._compile(name, self._read(name))

    def _render(self, folder: str, part: str, values: Mapping[str, object], laid_out: Layout) -> str:
        name = _name_of(folder, part)
        content = self._read(name)
        kept = self._keeper.look(name, content, lambda: self._compile(name, content))
        try:
            fields = cleaned(values)
        except TemplateProblem as problem:
            raise TemplateProblem(f"{name}: {problem}") from None
        try:
            text = _said(kept.template, kept.problem, name, fields, laid_out)
        except TemplateProblem as problem:
            earlier = _said_before(kept.before, name, fields, laid_out)
            if earlier is None:
                raise
            self._keeper.tell(name, kept, str(problem))
            return earlier
        self._keeper.spoke(name, kept)
        return text

    def _compile(self, name: str, content: bytes | None) -> Template:
        environment = self._html if name.endswith(".html") else self._plain
        return Template.from_code(environment, _compiled(name, content), {})

    def _read(self, name: str) -> bytes | None:
        """What the file holds, so much of it that one which is too large is seen to be."""
        try:
            with (self._root / name).open("rb") as file:
                return file.read(LARGEST_TEMPLATE + 1)
        except OSError:
            return None


@lru_cache(maxsize=1_024)  # each is held against the rules and compiled once, whoever looks at it
def _compiled(name: str, content: bytes | None) -> CodeType:
    source = _source_of(name, content)
    environment = TemplateSandbox(html=name.endswith(".html"))
    try:
        tree = environment.parse(source, name, name)
        refuse_breaches(tree, _language_of(name))
        return environment.compile(tree, name, name)
    except TemplateProblem as problem:
        raise TemplateProblem(f"{name} {problem}") from None
    except TemplateSyntaxError as problem:
        raise TemplateProblem(f"{name} line {problem.lineno}: {problem.message}") from None
    except (RecursionError, SyntaxError, ValueError, MemoryError, OverflowError):
        raise TemplateProblem(f"{name}: nested or written in a way that cannot be read") from None


def _name_of(folder: str, part: str) -> str:
    if not FOLDER.fullmatch(folder):
        raise TemplateProblem("templates lie in the folder of their kind and language: invoice_issued/en")
    return f"{folder}/{part}"


def _language_of(name: str) -> str:
    last = name.split("/")[-2]
    return last if is_language(last) else ENGLISH


def _source_of(name: str, content: bytes | None) -> str:
    if content is None:
        raise TemplateProblem(f"{name} is not in the folder of templates, or cannot be read")
    if len(content) > LARGEST_TEMPLATE:
        raise TemplateProblem(f"{name} is larger than {LARGEST_TEMPLATE} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TemplateProblem(f"{name} is not UTF-8 text") from None


def _said_before(template: Template | None, name: str, fields: Fields, laid_out: Layout) -> str | None:
    """What the template before it makes of these values; nothing where there is none that can."""
    try:
        return _said(template, "", name, fields, laid_out)
    except TemplateProblem:
        return None


def _said(template: Template | None, problem: str, name: str, fields: Fields, laid_out: Layout) -> str:
    if template is None:
        raise TemplateProblem(problem)
    raw = _filled_in(template, name, fields)
    try:
        text = laid_out(raw)
    except TemplateProblem as too_long:
        raise TemplateProblem(f"{name} {too_long}") from None
    if not text:
        raise TemplateProblem(f"{name} says nothing")
    return text


def _filled_in(template: Template, name: str, fields: Fields) -> str:
    try:
        return placed(_collect(template, fields), html=name.endswith(".html"))
    except (TemplateProblem, UndefinedError) as problem:
        line, said = _line_of(problem.__traceback__, name), _with_mend(str(problem), fields)
        raise TemplateProblem(f"{name} line {line}: {said}") from None
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as problem:
        # the text of these may quote a value, so only their kind is told
        line = _line_of(problem.__traceback__, name)
        raise TemplateProblem(f"{name} line {line}: cannot be rendered ({type(problem).__name__})") from None


def _with_mend(said: str, fields: Fields) -> str:
    """Jinja's own words for a name that nobody knows, as ours with the nearest that there is."""
    unknown = UNDEFINED.fullmatch(said)
    return f"there is no field {unknown[1]}. {did_you_mean(unknown[1], fields)}" if unknown else said


def _collect(template: Template, fields: Fields) -> str:
    """Piece by piece, so that a loop is stopped at the limit and not behind it."""
    pieces: list[str] = []
    size = 0
    for piece in template.generate(fields):
        size += len(piece.encode())
        if size > LARGEST_OUTPUT:
            raise TemplateProblem(f"the text is longer than {LARGEST_OUTPUT} bytes")
        pieces.append(piece)
    return "".join(pieces)


def _line_of(trace: TracebackType | None, name: str) -> int:
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
