"""The plot of the story: capability against compute, with red line, buffer and intervals."""

from __future__ import annotations

from pathlib import Path

from include.rsp import records as r
from include.rsp.finding import EvaluationFinding
from include.rsp.state import LedgerState
from toylab.narrator import X_FLOP


def plot_story(state: LedgerState, target: Path) -> Path:
    """Write a PNG of every assessed checkpoint."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5.2), layout="constrained")
    verdicts = [one for one in state.records.values() if isinstance(one, r.Verdict)]
    series: dict[str, list[tuple[float, EvaluationFinding]]] = {}
    for verdict in verdicts:
        compute = state.expect(verdict.checkpoint.record, r.Checkpoint).manifest.effective_compute
        for one in verdict.decision.findings:
            series.setdefault(one.evaluation, []).append((compute / X_FLOP, one))
    colours = iter(("#b3261e", "#c77700", "#5f6b7a"))
    for name, points in series.items():
        known = [(x, one) for x, one in points if one.value is not None]
        low = [(one.value or 0) - (one.lower or 0) for _, one in known]
        high = [(one.upper or 0) - (one.value or 0) for _, one in known]
        axes.errorbar(
            [x for x, _ in known],
            [one.value or 0 for _, one in known],
            yerr=[low, high],
            marker="o",
            capsize=4,
            label=f"{name} ({points[0][1].role})",
            color=next(colours, None),
        )
    _limits(axes, series)
    _marks(axes, state)
    axes.set_xscale("log", base=2)
    axes.set_xlabel("effective compute, multiples of the first checkpoint (log scale)")
    axes.set_ylabel("share answered exactly, one-sided 95% bounds")
    axes.set_title("STAND-IN capabilities of the toy laboratory against compute")
    axes.set_ylim(-0.04, 1.12)
    axes.legend(loc="upper left", frameon=False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    figure.savefig(target, dpi=110)
    pyplot.close(figure)
    return target


def _limits(axes: object, series: dict[str, list[tuple[float, EvaluationFinding]]]) -> None:
    for points in series.values():
        one = points[0][1]
        if one.role == "rule_out" and one.rule_out is not None and one.buffer is not None:
            axes.axhline(one.rule_out, color="#b3261e", linewidth=1.5)  # type: ignore[attr-defined]
            axes.axhspan(  # type: ignore[attr-defined]
                one.rule_out - one.buffer, one.rule_out, color="#b3261e", alpha=0.12
            )
            axes.text(1, one.rule_out - 0.06, "red line; shaded: its buffer", color="#b3261e")  # type: ignore[attr-defined]


def _marks(axes: object, state: LedgerState) -> None:
    """A hold and its release, where they happened."""
    for run in state.runs.values():
        for digest, hold in run.holds.items():
            verdict = state.expect(hold.reply_to.record, r.Verdict)
            checkpoint = state.expect(verdict.checkpoint.record, r.Checkpoint)
            x = checkpoint.manifest.effective_compute / X_FLOP
            axes.axvline(x, color="#444", linestyle=":", linewidth=1)  # type: ignore[attr-defined]
            label = "hold, then released" if digest in run.released else "hold"
            axes.text(x * 0.97, 1.06, label, color="#444", ha="right")  # type: ignore[attr-defined]
