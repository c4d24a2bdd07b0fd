"""YAML as Redline takes it: plain data, each key once, numbers as people write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode

from include.adapters.yaml_places import (
    MERGE,
    SAFE,
    Place,
    compose,
    places_under,
    shortened,
    source_line,
)

TIMESTAMP = "tag:yaml.org,2002:timestamp"
NAMES = ("tag:yaml.org,2002:str", MERGE)
NOT_PLAIN = ("binary", "omap", "pairs", "set", "timestamp")
DECIMAL = {
    "int": (r"[-+]?(0|[1-9][0-9_]*)", "a whole number in decimal digits"),
    "float": (r"[^:]+", "a number in decimal digits"),
    "bool": (r"(?i:yes|no|true|false|on|off)", "true or false"),
}
DEEPEST = 100
MOST_BYTES = 1_000_000
MOST_VALUES = 200_000
MOST_KEYS = 10_000


class Unreadable(ValueError):  # noqa: N818
    """The text is not the plain YAML that Redline takes; says where."""


class _Refused(ConstructorError):  # noqa: N818
    """Redline refuses what YAML would allow."""


class _Strict(SafeConstructor):
    """Refuses what PyYAML takes in silence: doubled keys, octal and base-60 numbers, odd tags."""

    def flatten_mapping(self, node: MappingNode) -> None:
        """Look at a mapping's own keys once, before what it merges stands beside them."""
        checked: set[int] = self.__dict__.setdefault("checked", set())
        if id(node) not in checked:
            checked.add(id(node))
            self._check_keys(node)
        super().flatten_mapping(node)
        if len(node.value) > MOST_KEYS:
            problem = f"got {len(node.value)} keys with what is merged (expected fewer)"
            raise _Refused(None, None, problem, node.start_mark)

    def _check_keys(self, node: MappingNode) -> None:
        names = {key.value for key, _ in node.value if key.tag in NAMES}
        if len(names) == len(node.value):
            return
        seen: dict[str, Node] = {}
        for key, _ in node.value:
            name, mark = key.value, key.start_mark
            if key.tag not in NAMES:
                got = shortened(name) if isinstance(name, str) else "a list or mapping"
                problem = f"got {got} as a key (expected a word; quote it)"
                raise _Refused(None, None, problem, mark)
            if name in seen:
                problem = (
                    f"the key {name!r} stands there twice (got it on line "
                    f"{seen[name].start_mark.line + 1} and on line {mark.line + 1}, expected once)"
                )
                raise _Refused(None, None, problem, mark)
            seen[name] = key

    def checked_scalar(self, node: ScalarNode) -> Any:
        """A number or yes/no as people write it."""
        kind = node.tag.rsplit(":", 1)[1]
        text = str(self.construct_scalar(node))
        try:
            if re.fullmatch(DECIMAL[kind][0], text):
                return SafeConstructor.yaml_constructors[node.tag](self, node)
        except ValueError:
            pass
        problem = f"got {shortened(text)} (expected {DECIMAL[kind][1]}; a text stands in quotes)"
        raise _Refused(None, None, problem, node.start_mark)


_add: Any = _Strict.add_constructor  # its stub asks for a whole loader
for _kind in DECIMAL:
    _add(f"tag:yaml.org,2002:{_kind}", _Strict.checked_scalar)
for _kind in NOT_PLAIN:
    _add(f"tag:yaml.org,2002:{_kind}", SafeConstructor.construct_undefined)


def strict(base: type[Any]) -> type[Any]:
    """A safe loader of PyYAML made strict. Dates stay text: the document says which texts are."""
    resolvers = {
        first: [one for one in found if one[0] != TIMESTAMP]
        for first, found in base.yaml_implicit_resolvers.items()
    }
    return type("Loader", (_Strict, base), {"yaml_implicit_resolvers": resolvers})


LOADER = strict(SAFE)


def load(content: bytes, *, loader: type[Any] = LOADER) -> Any:
    """The plain data in YAML bytes: mappings, lists, texts, numbers, yes/no and null.

    Raises:
        Unreadable: not UTF-8, not YAML, a key twice, nested too deeply, or not plain data.
    """
    if len(content) > MOST_BYTES:
        got = f"got {len(content)} bytes (expected at most {MOST_BYTES})"
        raise Unreadable(f"line 1, (whole document): {got}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(
            f"line {line}: not YAML: got the byte 0x{content[error.start]:02x} (expected UTF-8)"
        ) from error
    try:
        _refuse_depth(text)
        plain = yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader made strict
        if re.search(r"&(?<!\w&)", text):  # an anchor; AI R&D is none
            _refuse_size(plain)
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        code = error.character if isinstance(error.character, int) else ord(error.character)
        raise Unreadable(
            f"line {line}: not YAML: got the character U+{code:04X} (expected printable text)"
        ) from error
    except _Refused as error:
        raise Unreadable(_refusal(error, compose(text))) from error
    except yaml.MarkedYAMLError as error:
        raise Unreadable(_syntax(error, text)) from error
    except RecursionError as error:
        raise Unreadable(_too_deep()) from error
    return plain


def _refusal(error: _Refused, root: Place) -> str:
    at = (0, 0)
    if error.problem_mark:
        at = (error.problem_mark.line, error.problem_mark.column)
    here = [
        one
        for one in places_under(root)
        if at in {(each.start_mark.line, each.start_mark.column) for each in (one.key, one.node)}
    ]
    field = f", {here[-1].field}" if here else ""
    return f"line {at[0] + 1}{field}: {error.problem}"


def _syntax(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "line 1"
    begun = f" (from line {error.context_mark.line + 1} on)" if error.context_mark else ""
    context = f" {error.context}{begun}" if error.context else ""
    stood = source_line(text, mark.line + 1) if mark else ""
    got = shortened(stood) if stood else "the end of the file"
    return f"{place}: not YAML: {error.problem}{context} (got {got}, expected YAML)"


def _refuse_depth(text: str) -> None:
    """PyYAML's C parser takes the process down on very deep nesting; only odd files are counted."""
    if sum(text.count(one) for one in ("[", "{", "- ", "? ")) < 10_000:
        return
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            mark = event.start_mark
            raise Unreadable(_too_deep(mark.line + 1 if mark else 1))


def _refuse_size(plain: Any) -> None:
    """Anchors that repeat anchors can stand for more than any memory holds, or for themselves."""
    sizes: dict[int, int | None] = {}

    def size(value: Any) -> int:
        if not isinstance(value, Mapping | list):
            return 1
        if id(value) not in sizes:
            sizes[id(value)] = None
            inner = value.values() if isinstance(value, Mapping) else value
            sizes[id(value)] = 1 + sum(size(one) for one in inner)
        found = sizes[id(value)]
        if found is None or found > MOST_VALUES:
            got = "an anchor that holds itself" if found is None else f"{found} values"
            raise Unreadable(
                f"line 1, (whole document): got {got}, counted with every repeated anchor "
                f"(expected at most {MOST_VALUES})"
            )
        return found

    size(plain)


def _too_deep(line: int = 1) -> str:
    return f"line {line}: nested too deeply (got more than {DEEPEST} levels, expected fewer)"
