"""Where a value stands in a YAML file: looked up only after something was found wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Step = str | int
MERGE = "tag:yaml.org,2002:merge"
SAFE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Place:
    """A value in the file: its path, its key (the value itself where it has none), its node."""

    path: tuple[Step, ...]
    key: Node
    node: Node

    @property
    def line(self) -> int:
        """Where its key stands, counted from 1."""
        return int(self.key.start_mark.line) + 1

    @property
    def field(self) -> str:
        """The path in one word, as if what is merged stood there."""
        return ".".join(str(step) for step in self.path if step != "<<") or "(whole document)"


def compose(text: str) -> Place:
    """The root of a file that is YAML, to look up places in; of an empty one an empty text."""
    root = yaml.compose(text, Loader=SAFE)
    if root is None:
        start = yaml.Mark("", 0, 0, 0, None, 0)
        root = ScalarNode("tag:yaml.org,2002:null", "", start, start)
    return Place((), root, root)


def find(root: Place, path: Sequence[Step]) -> Place:
    """The deepest place on this path that the file has.

    Keys that come by `<<` are followed to where they are written. A step that is no key there (the
    name of a variant, in what pydantic reports) is passed over.
    """
    here = root
    for step in path:
        here = _child(here, step) or here
    return here


def nearest(start: Place, message: str) -> Place:
    """The place under `start` that a message speaks about, as far as its words tell.

    A path at its beginning counts first, then the ids and values that it quotes, then the first
    field that it names. Where nothing fits it is `start`.
    """
    said = message.split("(expected", maxsplit=1)[0]
    here = start
    for step in re.match(r"[\w.-]*", said)[0].split("."):  # type: ignore[index]
        found = _child(here, int(step) if step.isdigit() else step)
        if found is None:
            break
        here = found
    best = here
    here = start if isinstance(here.node, ScalarNode) else here
    for quoted, chained in re.findall(r"'([^']+)'|(\S+)(?= ->)", said):
        places = _own_last(places_under(here))
        same = [one for one in places if getattr(one.node, "value", None) == (quoted or chained)]
        holders = {one.path[:-1] for one in same if one.path[-1:] == ("id",)}
        named = [one for one in places if one.path in holders]
        if named:
            here = best = named[-1]
        elif same:
            best = same[-1]
    if isinstance(best.node, ScalarNode):
        return best
    under = reversed([one for one in places_under(best) if one.path != best.path])
    fields = {one.path[-1]: one for one in _own_last(under)}
    words = re.findall(r"(?<=: )[a-z]+\b|\b[a-z]+(?:_[a-z]+)+", said)
    return next((fields[one] for one in words if one in fields), best)


def _own_last(places: Iterable[Place]) -> list[Place]:
    """What a mapping merges comes before what stands in it, which overrides it."""
    return sorted(places, key=lambda one: "<<" not in one.path)


def said_at(text: str, place: Place) -> str:
    """What stands at a place: the value itself, or the line on which a longer one begins."""
    if isinstance(place.node, ScalarNode):
        return shortened(place.node.value)
    return shortened(source_line(text, place.line))


def _child(here: Place, step: Step) -> Place | None:
    """One step down: an item of a list; a mapping's own key, else one that it merges."""
    node, path = here.node, (*here.path, step)
    if isinstance(node, SequenceNode):
        inside = isinstance(step, int) and 0 <= step < len(node.value)
        return Place(path, node.value[step], node.value[step]) if inside else None
    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop(0)
        if not isinstance(node, MappingNode) or id(node) in seen:
            continue
        seen.add(id(node))
        merged: list[Node] = []
        for key, value in node.value:
            if key.tag == MERGE:
                merged += value.value if isinstance(value, SequenceNode) else [value]
            elif key.value == step:
                return Place(path, key, value)
        waiting = merged + waiting
    return None


def places_under(start: Place) -> Iterator[Place]:
    """A place and everything under it, in the order of the file; each node once."""
    waiting, seen = [start], set()
    while waiting:
        here = waiting.pop()
        if id(here.node) in seen:
            continue
        seen.add(id(here.node))
        yield here
        inner: list[tuple[Step, Node, Node]] = []
        if isinstance(here.node, MappingNode):
            inner = [(str(key.value), key, value) for key, value in here.node.value]
        elif isinstance(here.node, SequenceNode):
            inner = [(index, one, one) for index, one in enumerate(here.node.value)]
        waiting += [Place((*here.path, step), key, value) for step, key, value in reversed(inner)]


def source_line(text: str, line: int) -> str:
    """A line of the file, counted from 1, without the blanks around it."""
    lines = text.splitlines()
    return lines[line - 1].strip() if line <= len(lines) else ""


def shortened(text: str) -> str:
    """A text in quotes, cut to what a message has room for."""
    return repr(text if len(text) <= 80 else text[:77] + "...")
