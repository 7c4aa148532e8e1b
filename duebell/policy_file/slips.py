"""What is wrong in a policy, in words that name file, line, key and mend."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic_core import ErrorDetails

from duebell.policy_file.shapes import NAME, Section
from duebell.policy_file.toml_lines import Place, lines_of
from duebell.setting_shapes import did_you_mean

WORDS: dict[str, str] = {
    "bool_type": "must be true or false, without quotes",
    "dict_type": "must be a section of its own, written [like_this]",
    "enum": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "int_type": "must be a whole number, without quotes",
    "less_than_equal": "must be {le} or less",
    "mapping_type": "must be a section of its own, written [like_this]",
    "missing": "is missing. Write it",
    "model_type": "must be a section of its own, written [like_this]",
    "string_too_long": "must be of {max_length} characters or less",
    "string_too_short": "must not be empty",
    "string_type": "must be text in quotes",
    "too_short": "must name at least one",
    "tuple_type": "must be a list in square brackets",
}


@dataclass(frozen=True, slots=True)
class Slip:
    """One thing that is wrong: the way to it from the policy's top, and what it must be."""

    place: Place
    words: str

    def of_all(self) -> "Slip":
        """The same slip where it stands among the lines that are for every organisation."""
        return Slip(self.place[2:], self.words) if self.place[:1] == ("tenant",) else self


def slip_of(error: ErrorDetails, policy: type[Section]) -> Slip:
    """Pydantic's error; the value itself may be a phone number and is not repeated."""
    place = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        known = _keys(_shape(policy, place[:-1]))
        return Slip(place, f"does not exist. {did_you_mean(str(place[-1]), known)}")
    words = WORDS.get(error["type"], "").format_map(error.get("ctx", {}))
    return Slip(place, words or error["msg"])


def report(slips: Iterable[Slip], text: str, name: str, policy: type[Section]) -> str:
    """Every slip once, in the order of the lines of the file of this ``name``.

    Each organisation has all the common lines too; what is wrong there is said of them alone.
    """
    lines = lines_of(text)
    every = set(slips)
    own = {
        slip for slip in every if slip.place in lines or slip.of_all() is slip or slip.of_all() not in every
    }
    told = sorted(
        (line_of(slip.place, lines), f"{named(slip.place, lines, policy)} {slip.words}") for slip in own
    )
    said = "\n".join(f"- {name} line {line}: {words}" for line, words in told)
    return f"The policy is not as it must be:\n{said}"


def line_of(place: Place, lines: Mapping[Place, int]) -> int:
    """The line of the key, else of what it would stand in, else the first."""
    return next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), 1)


def named(place: Place, lines: Mapping[Place, int], policy: type[Section]) -> str:
    """The section as it is written, and the key in it."""
    end = _end_of_section(place, policy)
    keys = ".".join(_written(part) for part in place[:end] if isinstance(part, str))
    number = place[end - 1]
    named = f"[[{keys}]] ({number + 1})" if isinstance(number, int) else f"[{keys}]"
    rest = ".".join(_written(part) for part in place[end:] if isinstance(part, str))
    named = f"{named} {rest}".rstrip()
    last = place[-1]
    # one word that stands for a list of one has no number in the file
    return (
        f"{named}, item {last + 1},"
        if end < len(place) and isinstance(last, int) and place in lines
        else named
    )


def _end_of_section(place: Place, policy: type[Section]) -> int:
    """How many of the parts belong to the section's heading."""
    end = min(3 if place[0] == "tenant" else 1, len(place))
    for length in range(end + 1, len(place) + 1):
        if _keys(_shape(policy, place[:length])) and isinstance(place[length - 1], int):
            return length
    while end < len(place) - 1 and _keys(_shape(policy, place[: end + 1])):
        end += 1
    return end


def _written(key: str) -> str:
    return key if NAME.fullmatch(key) or key.isalnum() else f'"{key}"'


def _shape(policy: type[Section], place: Place) -> Any:
    """The type of what stands at a place, or nothing where nothing can."""
    shape: Any = policy
    for part in place:
        if fields := _fields(shape):
            shape = _bare(fields.get(str(part)))
        else:
            inside = get_args(shape)
            shape = _bare(inside[-1] if get_origin(shape) is not tuple else inside[0]) if inside else None
    return shape


def _bare(shape: Any) -> Any:
    """A type without what is annotated to it, and without that it may be left out."""
    while get_origin(shape) in {Annotated, Union, UnionType}:
        shape = next(one for one in get_args(shape) if one is not NoneType)
    return shape


def _fields(shape: Any) -> dict[str, Any]:
    """The keys of a section, as they are written, with their types."""
    if not (isinstance(shape, type) and issubclass(shape, Section)):
        return {}
    return {each.alias or name: each.annotation for name, each in shape.model_fields.items()}


def _keys(shape: Any) -> tuple[str, ...]:
    return tuple(_fields(shape))
