"""From a template and plain values to the text of a message.

A template is an operator's, a value is a stranger's; neither is trusted. The template is held against
``template_rules`` before it is compiled, the values go through ``render_values``, and the text is made in one
pass: what a value says is never read as a template.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import TracebackType

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from duebell.errors import TemplateProblem
from duebell.render_filters import FILTERS, refuse_blank
from duebell.render_values import Blank, Fields, Link, cleaned
from duebell.template_rules import refuse_breaches

__all__ = ["Link", "Templates"]

LARGEST_TEMPLATE = 8 * 1024
LARGEST_OUTPUT = 12 * 1024
LONGEST_SMS = 1600  # twilio.com/docs/api/errors/21617
BETWEEN_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
KIND = re.compile(r"[a-z]+(_[a-z]+)*(/[a-z][a-z0-9_-]*)?")  # with the variant that a rule asks for


class Templates:
    """The templates of a folder, ``<kind>/sms.txt`` each, read anew at every use so that an edit counts."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self._folder = folder
        self._plain, self._html = _Environment(), _Environment(html=True)

    def render_sms(self, kind: str, values: Mapping[str, object]) -> str:
        """One line of text. ``values["locale"]`` chooses how amounts and days are written, ``en`` without it.

        Raises ``TemplateProblem`` for a template that is not allowed, a field that is missing or empty, and a
        text that is empty or longer than Twilio takes.
        """
        name = f"{kind}/sms.txt"
        text = " ".join(self._render(kind, name, values).split())
        if not text:
            raise TemplateProblem(f"{name} says nothing")
        if len(text) > LONGEST_SMS:
            raise TemplateProblem(f"{name} became longer than the {LONGEST_SMS} characters of an SMS")
        return text

    def render_part(self, kind: str, part: str, values: Mapping[str, object]) -> str:
        """A part of an email: ``subject.txt``, ``body.txt`` or ``body.html``, where values are escaped.

        An empty line begins a paragraph, any other line break is a blank. Raises as ``render_sms`` does.
        """
        name = f"{kind}/{part}"
        paragraphs = BETWEEN_PARAGRAPHS.split(self._render(kind, name, values))
        text = "\n\n".join(" ".join(one.split()) for one in paragraphs if one.strip())
        if not text:
            raise TemplateProblem(f"{name} says nothing")
        return text

    def has_part(self, kind: str, part: str) -> bool:
        """Whether the folder has this part of an email."""
        return (self._folder / kind / part).is_file()

    def check(self, kind: str, part: str = "sms.txt") -> None:
        """Raise ``TemplateProblem`` for a template that would be refused whatever the values are."""
        self._compile(kind, f"{kind}/{part}")

    def _render(self, kind: str, name: str, values: Mapping[str, object]) -> str:
        template = self._compile(kind, name)
        try:
            fields = cleaned(values)
        except TemplateProblem as problem:
            raise TemplateProblem(f"{name}: {problem}") from None
        try:
            return _collect(template, fields)
        except (TemplateProblem, UndefinedError) as problem:
            line = _line_of(problem.__traceback__, name)
            raise TemplateProblem(f"{name} line {line}: {problem}") from None
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as problem:
            # the text of these may quote a value, so only their kind is told
            line = _line_of(problem.__traceback__, name)
            raise TemplateProblem(
                f"{name} line {line}: cannot be rendered ({type(problem).__name__})"
            ) from None

    def _compile(self, kind: str, name: str) -> Template:
        source = self._read(kind, name)
        environment = self._html if name.endswith(".html") else self._plain
        try:
            tree = environment.parse(source, name, name)
            refuse_breaches(tree)
            code = environment.compile(tree, name, name)
        except TemplateProblem as problem:
            raise TemplateProblem(f"{name} {problem}") from None
        except TemplateSyntaxError as problem:
            raise TemplateProblem(f"{name} line {problem.lineno}: {problem.message}") from None
        except (RecursionError, SyntaxError, ValueError, MemoryError, OverflowError):
            raise TemplateProblem(f"{name}: nested or written in a way that cannot be read") from None
        return Template.from_code(environment, code, {})

    def _read(self, kind: str, name: str) -> str:
        if not KIND.fullmatch(kind):
            raise TemplateProblem("the kind of a template is words joined by underscores")
        try:
            with (self._folder / name).open("rb") as file:
                source = file.read(LARGEST_TEMPLATE + 1)
            if len(source) > LARGEST_TEMPLATE:
                raise TemplateProblem(f"{name} is larger than {LARGEST_TEMPLATE} bytes")
            return source.decode("utf-8-sig")
        except OSError:
            raise TemplateProblem(f"{name} is not in the folder of templates, or cannot be read") from None
        except UnicodeDecodeError:
            raise TemplateProblem(f"{name} is not UTF-8 text") from None


class _Environment(ImmutableSandboxedEnvironment):
    """Fields of our own groups, five filters, nothing else; the second wall behind ``template_rules``."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)
    intercepted_unops = frozenset(ImmutableSandboxedEnvironment.default_unop_table)

    def __init__(self, *, html: bool = False) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=html, finalize=_never_blank, optimized=False)
        self.globals.clear()
        self.tests.clear()
        self.filters.clear()
        self.filters.update(FILTERS)

    def getattr(self, obj: object, attribute: str) -> object:
        if isinstance(obj, Undefined):
            return getattr(obj, attribute)  # raises, naming what is missing
        if isinstance(obj, Blank):
            raise TemplateProblem(f"the field {obj.place} is empty, so it has no {attribute}")
        if not isinstance(obj, Fields):
            raise TemplateProblem(f"{attribute} is asked of something that has no fields")
        if attribute in obj:
            return obj[attribute]
        place = f"{obj.place}.{attribute}" if obj.place else attribute
        return self.undefined(hint=f"there is no field {place}")

    def getitem(self, obj: object, argument: object) -> object:
        raise TemplateProblem("a field is written with a dot")

    def call(self, *_: object, **__: object) -> object:
        raise TemplateProblem("a template calls nothing")

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        raise TemplateProblem("a template does not calculate")

    def call_unop(self, context: Context, operator: str, arg: object) -> object:
        raise TemplateProblem("a template does not calculate")


def _never_blank(value: object) -> object:
    """Nobody is to read "Hi ,": an empty field is printed only behind ``default`` or an ``if``."""
    refuse_blank(value)
    if isinstance(value, (Fields, tuple)):
        raise TemplateProblem("a whole group or list is printed where one of its fields is meant")
    if isinstance(value, (Decimal, date)):
        raise TemplateProblem("an amount or a day is printed without the filter money or day")
    if value == "":
        raise TemplateProblem("a field became empty through its filters")
    return value


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
