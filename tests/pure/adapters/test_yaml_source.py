"""What is refused in YAML that PyYAML would take, by both of its parsers; and what still reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from include.adapters.policy_files import POLICIES, SUITES
from include.adapters.yaml_source import Unreadable, load, strict

FILES = sorted([*POLICIES.rglob("*.yaml"), *SUITES.rglob("*.yaml")])
BASES = [yaml.SafeLoader] + ([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])
LAUGHS = b"a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (one, one, b", ".join([b"*a%d" % (one - 1)] * 10)) for one in range(1, 30)
)
MERGES = b"a0: &a0 {k: 1}\n" + b"".join(
    b"a%d: &a%d {<<: [%s]}\n" % (one, one, b", ".join([b"*a%d" % (one - 1)] * 10))
    for one in range(1, 30)
)


@pytest.fixture(params=BASES, ids=lambda base: base.__name__)
def loader(request: pytest.FixtureRequest) -> Any:
    return strict(request.param)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shipped_file_reads_as_before(path: Path, loader: Any) -> None:
    found, before = load(path.read_bytes(), loader=loader), yaml.safe_load(path.read_bytes())
    assert {key: str(found[key]) for key in found} == {key: str(before[key]) for key in before}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: 1\nb:\n  c: 1\n  c: 2", r"^line 4, b\.c: the key 'c' .* on line 3 and on line 4"),
        (b'a: 1\n"a": 1', r"^line 2, a: the key 'a' .* line 1 and on line 2"),
        (b"a: {b: [{c: 1, c: 1}]}", r"^line 1, a\.b\.0\.c: the key 'c' stands there twice"),
        (b"a: {<<: {b: 1}, <<: {c: 1}}", "the key '<<' stands there twice"),
        (b"x: &x {a: 1, a: 2}\ny: {<<: *x}", r"^line 1, x\.a: the key 'a'"),
        (b"y: [{z: &z {a: 1, a: 2}}]\nw: {<<: *z}", r"^line 1, y\.0\.z\.a: the key 'a'"),
        (b"1: a", "^line 1, 1: got '1' as a key"),
        (b"no: a", "^line 1, no: got 'no' as a key"),
        (b"? [a]\n: b", "a list or mapping as a key"),
        (b"a:\n  b: 010", r"^line 2, a\.b: got '010' .expected a whole number in decimal"),
        (b"a: 0x10", "got '0x10'"),
        (b"a: 1:30", "got '1:30'"),
        (b"a: 1:30.5", "got '1:30.5'"),
        (b"a: " + b"9" * 5000, "^line 1, a: got '999"),
        (b"a: !!int x", "got 'x' .expected a whole number"),
        (b"a: !!float x", "got 'x' .expected a number"),
        (b"a: !!bool x", "got 'x' .expected true or false"),
        (b"a: !!set {b}", "tag:yaml.org,2002:set"),
        (b"a: !!timestamp 2026-01-01", "tag:yaml.org,2002:timestamp"),
        (b"a: !!python/name:os.system x", "python/name:os.system"),
        (b"a: 1\nb: \xff", "^line 2: not YAML: got the byte 0xff .expected UTF-8"),
        (b"a: 1\nb: \x07", r"^line 2: not YAML: got the character U\+0007"),
        ("é: 1\nb: é\x00".encode(), r"^line 2: not YAML: got the character U\+0000"),
        (b"a: 1\nb: [1,\nc: 2", r"^line \d, column \d+: not YAML: .*from line 2 on"),
        (b"a: *b", "^line 1, column 4: not YAML: found undefined alias"),
        (b"a: 1\n---\na: 2", "^line 2, column 1: not YAML: .*another document"),
        (b"a: &a [*a]", "an anchor that holds itself"),
        (b"a: " + b"[" * 200_000, "^line 1: nested too deeply"),
        (b"- " * 200_000, "^line 1: nested too deeply"),
        (LAUGHS, "counted with every repeated anchor"),
        (MERGES, "keys with what is merged"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_what_is_refused_says_where(content: bytes, says: str, loader: Any) -> None:
    with pytest.raises(Unreadable, match=says) as caught:
        load(content, loader=loader)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "plain"),
    [
        (b"", None),
        (b"\xef\xbb\xbfa: 1", {"a": 1}),
        (b"x: &x {a: 1, b: 2}\ny: {<<: *x, a: 3}", {"x": {"a": 1, "b": 2}, "y": {"a": 3, "b": 2}}),
        (b"x: &x {a: 1}\ny: {<<: [*x, {a: 2, c: 3}]}", {"x": {"a": 1}, "y": {"a": 1, "c": 3}}),
        (b"y: [{z: &z {<<: {a: 1}, a: 2}}]\nw: {<<: *z}", {"y": [{"z": {"a": 2}}], "w": {"a": 2}}),
        (b"a: 2026-11-01", {"a": "2026-11-01"}),
        (b"a: [0, -12, 1_000, 2.5e+9, yes, null]", {"a": [0, -12, 1000, 2.5e9, True, None]}),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_is_plain_reads(content: bytes, plain: Any, loader: Any) -> None:
    assert load(content, loader=loader) == plain
