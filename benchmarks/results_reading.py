"""How fast a finished evaluation's results are read, beside Inspect's own reader in the same run.

`python -m benchmarks.results_reading` (`--small`: without the long log). First a log that Inspect
wrote of 2,000 samples of an agent: header, summaries, and the full table, each against Inspect and
against the least that any reader must do (inflate the members and `json.loads` them, nothing else).
Then a log of 200,000 samples to Parquet, in a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import zstandard
from rich.console import Console
from rich.table import Table

from benchmarks.made_logs import MODEL, long_log, real_log

SUMMARIES, FULL, FRAME, BARE = 8.0, 8.0, 1.5, 2.0
SECONDS, MIB, FLAT = 60.0, 1024.0, 1.25


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison; `got` is met if it is on the right side of the target."""

    what: str
    measured: str
    target: str
    got: str
    met: bool | None


def main() -> int:
    """Measure and print; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="without the long log")
    parser.add_argument("--samples", type=int, default=2_000, help="of the log that Inspect writes")
    parser.add_argument("--long", type=int, default=200_000, help="samples of the long log")
    parser.add_argument(
        "--repeat", type=int, default=5, help="of each short reading; the median counts"
    )
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(*map(Path, options.child))
    console = Console(width=130)
    with tempfile.TemporaryDirectory(prefix="redline-bench-") as name:
        folder = Path(name)
        console.print(f"Inspect evaluates {options.samples} samples …")
        real = real_log(folder / "real", options.samples)
        lines = short(real, options.repeat)
        if not options.small:
            console.print(f"a log of {options.long} samples is written …")
            lines += long(real, folder, options.samples, options.long)
        show(console, real, options.samples, lines)
    return 1 if any(line.met is False for line in lines) else 0


def short(path: Path, repeat: int) -> list[Line]:
    """Header, summaries and full table of the real log."""
    from inspect_ai.analysis import samples_df
    from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries

    from include.adapters.log_reader import read_log, read_report
    from include.adapters.log_summaries import read_summaries

    log = str(path)
    seconds = {
        "our header": timed(lambda: read_report(path), repeat),
        "our summaries": timed(lambda: read_summaries(path), repeat),
        "our table": timed(lambda: read_log(path, variant="final", cluster="family"), repeat),
        "bare summaries": timed(lambda: bare(path, "summaries.json"), repeat),
        "bare samples": timed(lambda: bare(path, "samples/"), repeat),
        "header": timed(lambda: read_eval_log(log, header_only=True), repeat),
        "summaries": timed(lambda: read_eval_log_sample_summaries(log), repeat),
        "frame": timed(lambda: samples_df(log, quiet=True), repeat),
        "full": timed(lambda: read_eval_log(log), max(repeat // 2, 1)),
    }
    return [
        faster(seconds, "our header", "header", "Inspect's header", None),
        faster(seconds, "our summaries", "summaries", "Inspect's summaries", SUMMARIES),
        slower(seconds, "our summaries", "bare summaries", None),
        faster(seconds, "our table", "full", "Inspect's full read", FULL),
        faster(seconds, "our table", "frame", "Inspect's samples_df", FRAME),
        slower(seconds, "our table", "bare samples", BARE),
    ]


def faster(
    seconds: dict[str, float], ours: str, theirs: str, name: str, least: float | None
) -> Line:
    """We should take a fraction of their time."""
    ratio = seconds[theirs] / seconds[ours]
    return Line(
        f"{ours} | {name}", f"{ms(seconds[ours])} | {ms(seconds[theirs])}",
        f"≥ {least:g}x faster" if least else "-", f"{ratio:.1f}x faster",
        None if least is None else ratio >= least,
    )  # fmt: skip


def slower(seconds: dict[str, float], ours: str, base: str, most: float | None) -> Line:
    """We may take a multiple of the least time."""
    ratio = seconds[ours] / seconds[base]
    return Line(
        f"{ours} | bare inflate + json.loads", f"{ms(seconds[ours])} | {ms(seconds[base])}",
        f"≤ {most:g}x as long" if most else "-", f"{ratio:.2f}x as long",
        None if most is None else ratio <= most,
    )  # fmt: skip


def long(real: Path, folder: Path, few: int, many: int) -> list[Line]:
    """To Parquet in a process of its own: seconds and memory of many, seconds a sample of few."""
    path = long_log(real, folder / "long.eval", many)
    size = path.stat().st_size / 2**20
    small = statistics.median(
        in_a_process(real, folder / f"small-{n}.parquet", real)["seconds"] for n in range(3)
    )
    big = in_a_process(path, folder / "long.parquet", real)
    assert big["rows"] == many, big
    assert big["model"] == MODEL
    each_small, each_big = small / few * 1e6, big["seconds"] / many * 1e6
    parquet = (folder / "long.parquet").stat().st_size / 2**20
    return [
        Line(f"{many} samples ({size:.0f} MiB) to Parquet ({parquet:.1f} MiB)",
             f"{big['seconds']:.1f} s", f"< {SECONDS:g} s", f"{big['seconds']:.1f} s",
             big["seconds"] < SECONDS),
        Line("its peak memory (VmHWM)", f"{big['peak_mib']:.0f} MiB", f"< {MIB:g} MiB",
             f"{big['peak_mib']:.0f} MiB", big["peak_mib"] < MIB),
        Line(f"µs a sample, {few} | {many}", f"{each_small:.0f} | {each_big:.0f}",
             f"flat (≤ {FLAT:g}x)", f"{each_big / each_small:.2f}x", each_big <= FLAT * each_small),
    ]  # fmt: skip


def in_a_process(log: Path, target: Path, warm: Path) -> dict[str, float]:
    """What the child says of one extraction, after one of `warm`."""
    paths = [str(log), str(target), str(warm)]
    command = [sys.executable, "-m", "benchmarks.results_reading", "--child", *paths]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def child(log: Path, target: Path, warm: Path) -> int:
    """Extract one log, and say how long it took and how much memory."""
    from include.adapters.log_reader import extract

    extract(warm, target, variant="final", cluster="family")
    begun = time.perf_counter()
    report = extract(log, target, variant="final", cluster="family")
    seconds = time.perf_counter() - begun
    assert "inspect_ai" not in sys.modules
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "peak_mib": peak / 1024, "rows": report.present,
                      "model": report.model}))  # fmt: skip
    return 0


def bare(path: Path, prefix: str) -> int:
    """The least that any reader must do: inflate the members and parse their JSON."""
    inflate, count = zstandard.ZstdDecompressor(), 0
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for one in archive.infolist():
            if one.filename.startswith(prefix):
                file.seek(one.header_offset + 26)
                name, extra = file.read(2), file.read(2)
                file.seek(int.from_bytes(name, "little") + int.from_bytes(extra, "little"), 1)
                packed = file.read(one.compress_size)
                json.loads(inflate.decompress(packed, max_output_size=one.file_size))
                count += 1
    assert count
    return count


def timed(call: Callable[[], object], repeat: int) -> float:
    """Median seconds, after one call to warm up."""
    call()
    seconds = []
    for _ in range(repeat):
        gc.collect()
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def ms(seconds: float) -> str:
    """Milliseconds, for people."""
    return f"{seconds * 1e3:.1f} ms"


def show(console: Console, path: Path, count: int, lines: list[Line]) -> None:
    """One table, and on which machine."""
    with zipfile.ZipFile(path) as archive:
        sizes = [one.file_size for one in archive.infolist() if one.filename.startswith("samples/")]
    title = (
        f"Reading results: {count} samples, {path.stat().st_size / 2**20:.1f} MiB, "
        f"{sum(sizes) / len(sizes) / 1024:.1f} KiB a sample as JSON"
    )
    table = Table(title=title)
    for name in ("what", "measured", "target", "got", "met"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for line in lines:
        met = "-" if line.met is None else "yes" if line.met else "NO"
        table.add_row(line.what, line.measured, line.target, line.got, met)
    console.print(table)
    console.print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"{shutil.disk_usage(path).free // 2**30} GiB free, {datetime.now(UTC):%Y-%m-%d}. Medians."
    )


if __name__ == "__main__":
    raise SystemExit(main())
