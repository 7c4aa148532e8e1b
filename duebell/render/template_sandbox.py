"""Jinja's sandbox as a template meets it: fields of our own groups, a few filters, and nothing else."""

from jinja2 import StrictUndefined, Undefined
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from duebell.errors import TemplateProblem
from duebell.render.filters import FILTERS, as_said
from duebell.render.values import Blank, Fields
from duebell.setting_shapes import did_you_mean


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """Fields of our own groups, a few filters, nothing else; the second wall behind ``template_rules``."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)
    intercepted_unops = frozenset(ImmutableSandboxedEnvironment.default_unop_table)

    def __init__(self, *, html: bool = False) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=html, finalize=as_said, optimized=False)
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
        return self.undefined(hint=f"there is no field {place}. {did_you_mean(attribute, obj)}")

    def getitem(self, obj: object, argument: object) -> object:
        raise TemplateProblem("a field is written with a dot")

    def call(self, *_: object, **__: object) -> object:
        raise TemplateProblem("a template calls nothing")

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        raise TemplateProblem("a template does not calculate")

    def call_unop(self, context: Context, operator: str, arg: object) -> object:
        raise TemplateProblem("a template does not calculate")
