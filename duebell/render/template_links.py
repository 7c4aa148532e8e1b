"""Whether a template says where an invoice can be seen online, which costs a call to Xero."""

from dataclasses import dataclass

from jinja2 import nodes

LINK = "link"


@dataclass(frozen=True, slots=True)
class SaysLinks:
    """``first``: the link of the invoice that leads. ``each``: that of each invoice, such as ``one.link``."""

    first: bool = False
    each: bool = False

    def __or__(self, other: "SaysLinks") -> "SaysLinks":
        """What either says."""
        return SaysLinks(self.first or other.first, self.each or other.each)


def says_links(tree: nodes.Template) -> SaysLinks:
    """What a parsed template says."""
    return SaysLinks(
        first=any(one.name == LINK for one in tree.find_all(nodes.Name)),
        each=any(one.attr == LINK for one in tree.find_all(nodes.Getattr)),
    )
