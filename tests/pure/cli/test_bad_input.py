"""Bad input ends with 3 and one line: file, line, field, got, expected, and what to do.

Nothing is written: not by `rsp init` either, which has everything to write.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from include.adapters import published_files as published
from include.adapters.policy_files import OVERLAYS, POLICIES, SUITES
from include.cli import main as command
from tests.pure.cli.test_decide import written

SOURCES = {
    "policy.yaml": POLICIES / "toylab-1.0.yaml",
    "suite.yaml": SUITES / "toylab-1.0.yaml",
    "overlay.yaml": OVERLAYS / "sb-53.yaml",
    "rules.yaml": published.RULES,
    "results.csv": published.PUBLISHED / "published_results.csv",
    "determinations.csv": published.PUBLISHED / "determinations.csv",
}
CHECK = "policy check policy.yaml"
BOTH = "policy check policy.yaml --suite suite.yaml"
DIFF = "policy diff toylab policy.yaml"
LAY = "policy lay toylab --overlay overlay.yaml"
INIT = "init --policy policy.yaml"
REPLAY = "replay --rules rules.yaml --results results.csv --determinations determinations.csv"
DECIDE = "decide evidence.json --policy policy.yaml --suite suite.yaml"
RESTATE = f"report restatement --result-set sha256:{'0' * 64} --samples evidence.json --reason x"
EXPECTED = re.compile(
    "expected|should be|may not lead|is a circle|only an unsaturated|never be reached|no rule for"
    "|are missing"
)
EMPTY = ("policy.yaml", r"(?s).*", "")

YAML_CASES = [
    ("a word that is none", CHECK, ("policy.yaml", "then: pause", "then: halt"),
     "line 53, outcomes.1.then: Input should be 'continue'", "got 'halt'"),
    ("the loosest mistake", CHECK, ("policy.yaml", "out, then: pause", "out, then: continue"),
     "line 53, outcomes.1.then: status 'not_ruled_out' may not", "got 'continue'"),
    ("a typing error", DIFF, ("policy.yaml", "version:", "versoin:"),
     "line 5, versoin: Extra inputs", "line 4, version: Field required (got nothing)"),
    ("no such standard", CHECK, ("policy.yaml", r"\[toy-asl-3\]", "[toy-asl-9]"),
     "line 17, red_lines.0.required_standards.0: red line 'addition-2'", "got 'toy-asl-9'"),
    ("a circle", CHECK, ("policy.yaml", "    combine:", "    next: addition-2\n    combine:"),
     "line 11, red_lines.0: next: addition-2 -> addition-2 is a circle", "got '- id: addition-2'"),
    ("true for a number", CHECK, ("policy.yaml", "permit_days: 7", "permit_days: true"),
     "line 84, authority.permit_days: Input should be a valid number", "got True"),
    ("a text for a number", CHECK, ("policy.yaml", "permit_days: 7", 'permit_days: "7"'),
     "line 84, authority.permit_days: Input should be a valid number", "got '7'"),
    ("no number", CHECK, ("policy.yaml", "permit_days: 7", "permit_days: .nan"),
     "line 84, authority.permit_days: Input should be a finite number", "got nan"),
    ("no end", CHECK, ("policy.yaml", "permit_days: 7", "permit_days: .inf"),
     "line 84, authority.permit_days: Input should be a finite number", "got inf"),
    ("octal", CHECK, ("policy.yaml", "permit_days: 7", "permit_days: 010"),
     "line 84, authority.permit_days:", "got '010' (expected a whole number in decimal"),
    ("a doubled key", CHECK, ("policy.yaml", "(  permit_days: 7)", r"\1\n  permit_days: 9"),
     "line 85, authority.permit_days: the key 'permit_days'", "got it on line 84 and on line 85"),
    ("an unreachable rule", CHECK, ("policy.yaml", "outcomes:\n",
     "outcomes:\n  - {status: crossed, then: pause, clause: '1'}\n"),
     "line 55, outcomes.3", "got '- {status: crossed, then: verify_safeguards"),
    ("no rule", CHECK, ("policy.yaml", r"  - \{status: crossed.*\n", ""),
     "line 51, outcomes: outcomes: no rule for 'addition-2'", "got 'outcomes:'"),
    ("an open bracket", CHECK, ("policy.yaml", r"\[TOY-2, TOY-3\]", "[TOY-2, TOY-3"),
     "line 10, column 10: not YAML", "got 'red_lines:', expected YAML"),
    ("nothing", CHECK, EMPTY, "line 1:", "got an empty file (expected a policy)"),
    ("a list", CHECK, ("policy.yaml", r"(?s).*", "- a\n"),
     "line 1, (whole document):", "got ['a']"),
    ("a scalar", DIFF, ("policy.yaml", r"(?s).*", "a\n"), "line 1, (whole document):", "got 'a'"),
    ("another document", "policy check suite.yaml", ("suite.yaml", "note:", "note:"),
     "evaluations: got a suite", "expected a policy"),
    ("contradictory limits", BOTH, ("suite.yaml", "rule_in: 0.5, buffer: 0.05", "rule_in: 0.4, "
     "buffer: 0.05"), "line 52, evaluations.1.limits.rule_in: rule_in 0.4 is below", "got '0.4'"),
    ("a buffer over everything", DECIDE, ("suite.yaml", "buffer: 0.1}", "buffer: 0.5}"),
     "line 31, evaluations.0.limits.buffer:", "expected a buffer under 0.5"),
    ("a wrong unit", BOTH, ("suite.yaml", "unit: fraction", "unit: percent"),
     "line 22, evaluations.0.unit:", "expected 100, or another unit"),
    ("a load without a limit", BOTH, ("suite.yaml", r"limits: \{.*buffer: 0.1\}", "limits: null"),
     "line 31, evaluations.0.limits:", "(expected limits) (got 'null')"),
    ("too few samples", DECIDE, ("suite.yaml", "minimum_samples: 150", "minimum_samples: 3"),
     "suite.yaml, line 28, evaluations.0.minimum_samples: evaluation", "expected at least 6"),
    ("no evaluation", INIT + " --suite suite.yaml", ("suite.yaml", "red_line: addition-2",
     "red_line: addition-9"), "line 17, evaluations.0.red_line:", "expected one of ['addition-2']"),
    ("no event", LAY, ("overlay.yaml", "event: ", "evnt: "),
     "evnt: Extra inputs", "event: Field required (got nothing)"),
    ("a notice to nobody", LAY, ("overlay.yaml", r"to: \[[\w-]+", "to: [somebody"),
     "to.0: notice", "got 'somebody'"),
    ("a bad policy to begin with", INIT, ("policy.yaml", r"roles: \[rso, ceo\]\n  answer",
     "roles: [rso, rso]\n  answer"), "line 67, sign_off.roles.1:", "got 'rso'"),
    ("a bad suite to begin with", INIT + " --suite suite.yaml", ("suite.yaml", "confidence: 0.95",
     "confidence: 95"), "line 26, evaluations.0.confidence: Input should be less than 1", "got 95"),
    ("rules with a typing error", REPLAY, ("rules.yaml", "buffer: 0.1", "bufer: 0.1"),
     "line 10, bufer: Extra inputs", "got 0.1, expected no field"),
    ("rules that bear a worn load", REPLAY, ("rules.yaml", "    saturated: true",
     "    saturated: true\n    load_bearing: true"), "evaluations.4.rule_out:", "got '0.221'"),
    ("a limit of the rules twice", REPLAY, ("rules.yaml", "rule_out: 2.8", "rule_out: 2.8\n    "
     "rule_out: 280"), "line 20, evaluations.0.rule_out: the key", "got it on line 19 and on"),
]  # fmt: skip
CSV_CASES = [
    ("a column less", REPLAY, ("results.csv", r"\A([^\n]*),score,", r"\1,scor,"),
     "the columns ['score'] are missing", "got ['model'"),
    ("a score off its scale", REPLAY, ("results.csv", r"(?m),0\.\d+,score_0_1,", ",1.2,score_0_1,"),
     "score: got 1.2", "expected 0 to 1 in the unit 'score_0_1'"),
]  # fmt: skip
ALL = r"(?s)\A.*\Z"
JSON_CASES = [
    ("no file", DECIDE, None, "", "cannot be read", "Check the path"),
    ("no JSON", DECIDE, ALL, "{", "(whole document): Invalid JSON", "line 1 column 1"),
    ("another encoding", DECIDE, ALL, "\udcff", "(whole document): Invalid JSON", "line 1"),
    ("a tower", DECIDE, ALL, "[" * 200_000, "(whole document): Invalid JSON", "recursion limit"),
    ("a key twice", DECIDE, '"valid": true', '"valid": false, "valid": true', "valid: got the key",
     "expected it once"),
    ("true for a score", DECIDE, '"score": 1.0', '"score": true', "score: Input should be a valid",
     "got True"),
    ("a quoted score", DECIDE, '"score": 1.0', '"score": "1.0"', "score: Input should be a valid",
     "got '1.0'"),
    ("NaN", DECIDE, '"score": 1.0', '"score": NaN', "score: Input should be a finite", "got nan"),
    ("no sample table", RESTATE, ALL, "{}", "sample table: samples: Field required", "got nothing"),
    ("no samples", RESTATE, None, "", "cannot be read", "Check the path"),
]  # fmt: skip


def one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str
) -> str:
    """What `rsp` says, once everything that holds for every error has been checked."""
    before = listing()
    monkeypatch.setattr(sys, "argv", ["rsp", *arguments.split()])
    with pytest.raises(SystemExit) as caught:
        command.main()
    said = capsys.readouterr()
    assert caught.value.code == 3
    assert said.out == ""
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith("rsp: ")
    assert re.search(r"(Correct|Check|Give|Add|Name)\b[^:]*\.$", said.err.strip()), said.err
    assert listing() == before
    return said.err


def listing() -> dict[str, bytes | None]:
    found = sorted(Path.cwd().rglob("*"))
    return {str(one): one.read_bytes() if one.is_file() else None for one in found}


def lay_out(folder: Path, name: str | None = None, old: str = "", new: str = "") -> None:
    """All the files of the commands, one of them damaged."""
    for other, source in SOURCES.items():
        text = source.read_text()
        if other == name:
            text, count = re.subn(old, new, text, count=1)
            assert count == 1, old
        (folder / other).write_text(text)


@pytest.mark.parametrize(
    ("arguments", "damage", "where", "got"),
    [case[1:] for case in YAML_CASES + CSV_CASES],
    ids=[case[0] for case in YAML_CASES + CSV_CASES],
)
def test_a_damaged_file_is_one_clear_error_and_nothing_is_written(
    arguments: str,
    damage: tuple[str, str, str],
    where: str,
    got: str,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path, *damage)
    said = one_line(monkeypatch, capsys, arguments)
    assert damage[0] in said
    assert where in said
    assert got in said
    assert "got" in said
    assert EXPECTED.search(said), said
    assert re.search(r", line \d+", said) or "columns" in said


@pytest.mark.parametrize(
    ("arguments", "damage"),
    [case[1:3] for case in YAML_CASES],
    ids=[case[0] for case in YAML_CASES],
)
def test_the_files_are_right_before_they_are_damaged(
    arguments: str, damage: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a test would show another error than its own."""
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path)
    written(tmp_path)
    monkeypatch.setattr(sys, "argv", ["rsp", *arguments.split()])
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert caught.value.code != 3 or arguments == "policy check suite.yaml"


@pytest.mark.parametrize(
    ("arguments", "old", "new", "where", "got"),
    [case[1:] for case in JSON_CASES],
    ids=[case[0] for case in JSON_CASES],
)
def test_damaged_json_is_one_clear_error_and_nothing_is_written(
    arguments: str,
    old: str | None,
    new: str,
    where: str,
    got: str,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path)
    path = written(tmp_path)
    if old is None:
        path.unlink()
    else:
        text, count = re.subn(old, new, path.read_text(), count=1)
        assert count == 1
        path.write_text(text, errors="surrogateescape")
    said = one_line(monkeypatch, capsys, arguments)
    assert "evidence.json" in said
    assert where in said
    assert got in said


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"a: \xff\n", "line 1: not YAML: got the byte 0xff (expected UTF-8)"),
     (b"id: x\n" * 2 + b"a: \x00", "line 3: not YAML: got the character U+0000"),
     (b"a: " + b"[" * 200_000, "line 1: nested too deeply")],
    ids=["another encoding", "a control character", "a tower"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("name", "arguments"),
    [("policy.yaml", CHECK), ("suite.yaml", BOTH), ("overlay.yaml", LAY), ("rules.yaml", REPLAY)],
)
def test_what_is_no_text_is_refused_as_any_document(
    name: str,
    arguments: str,
    content: bytes,
    says: str,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path)
    (tmp_path / name).write_bytes(content)
    assert f"{name}, {says}" in one_line(monkeypatch, capsys, arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("decide", "Missing argument 'evidence'. See `rsp decide --help`."),
        ("decide x --nope", "No such option: --nope. See `rsp decide --help`."),
        ("nothing", "No such command 'nothing'. See `rsp --help`."),
        ("policy", "Nothing was asked for. See `rsp policy --help`."),
        ("verify --trust-root none.json", "none.json cannot be used: No such file or directory."),
    ],
)
def test_a_wrong_command_line_is_one_clear_error(
    arguments: str,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["rsp", *arguments.split()])
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert caught.value.code == 3
    assert capsys.readouterr().err.startswith(f"rsp: {says}")


@pytest.mark.parametrize("arguments", [CHECK, INIT])
def test_a_real_process_says_the_same(tmp_path: Path, arguments: str) -> None:
    lay_out(tmp_path, "policy.yaml", "then: pause", "then: halt")
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-m", "include.cli.main", *arguments.split()],
        cwd=tmp_path,
        env={"PYTHONPATH": str(POLICIES.parents[1]), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("rsp: policy.yaml, line 53, outcomes.1.then: Input should be")
    assert sorted(tmp_path.rglob("*")) == before
