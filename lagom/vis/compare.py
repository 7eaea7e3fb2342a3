"""Comparisons: which configuration is better, how sure that is, and what it would take to know."""

import difflib
import math
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from lagom.vis.curves import Curve, make_curves
from lagom.vis.normalize import SCORES
from lagom.vis.overall import bootstrap, compare_overall, verdict
from lagom.vis.runs import split_key
from lagom.vis.statistics import (
    Estimate,
    contrast,
    detectable_difference,
    detectable_paired,
    deviation,
    differences,
    holm,
    paired,
    probability_of_improvement,
    seeds_needed,
    welch,
)
from lagom.vis.style import count_seeds, plain

_LEVEL, _ALPHA, _POWER = 0.95, 0.05, 0.8
_MIN_BOOTSTRAP = 20  # seeds; with fewer on a single environment the interval is too narrow
_BROKEN = ("failed", "diverged", "unreadable")
_NONE = Estimate(*[math.nan] * 5)


@dataclass(frozen=True)
class _Arm:
    """A configuration in an environment, and the values of its seeds that have one."""

    label: str
    curve: Curve | None
    seeds: list  # increasing
    values: np.ndarray  # [n], in the order of ``seeds``


def label_curves(runs_of, x="timestep", y="return", group=None):
    """The curves to compare, labelled by configuration.

    Of a single folder, or with ``group``, the labels are those of ``make_curves``.  Otherwise each
    folder is a configuration and gives its name; where it holds several, theirs follow.

    Args:
        runs_of (dict): name of each folder to its list of Run.
        x, y, group: as in ``make_curves``.

    Returns:
        list of Curve: by folder, then by environment.

    Raises:
        ValueError: as ``make_curves``.
    """
    if len(runs_of) == 1 or group:
        return make_curves([run for runs in runs_of.values() for run in runs], x, y, group)
    curves = []
    for name, runs in runs_of.items():
        found = make_curves(runs, x, y)
        several = len({curve.environment for curve in found}) < len(found)
        curves += [replace(c, label=f"{name} {c.label}" if several else name) for c in found]
    return curves


def seed_values(curve, at=None):
    """The number that each seed is judged by.

    Args:
        curve (Curve): a configuration in an environment.
        at (float): where to look; between two rows on the straight line.  By default the mean of
            the last 10 % of the rows, as ``final_table``.

    Returns:
        ndarray: ``[B]``, NaN where a seed has nothing there.  A seed that failed or diverged keeps
        its last value for ever, any other for the time between two rows.
    """
    return np.array([_value(r, *seed, at) for r, seed in zip(curve.runs, curve.seeds, strict=True)])


def _value(run, x, y, at):
    if not len(x):
        return np.nan
    if at is None:
        return y[-math.ceil(len(y) / 10) :].mean()
    interval = np.median(np.diff(x)) if len(x) > 1 else 0.0
    is_missing = at < x[0] or (at > x[-1] + interval and run.status not in _BROKEN)
    return np.nan if is_missing else np.interp(at, x, y)


def share_seeds(a, b):
    """Whether the runs of two curves belong together seed by seed.

    They do if a seed gave both the same environments and the same first weights: seeds,
    environment, evaluation, algorithm, and all about the agent but its numbers agree.

    Args:
        a, b (Curve): two configurations in an environment.

    Returns:
        bool: whether a paired test is right.
    """
    seeds = [sorted(run.seed for run in curve.runs) for curve in (a, b)]
    if seeds[0] != seeds[1] or len({*seeds[0]}) < len(seeds[0]):
        return False
    frames = {str(sorted(_frame(run).items())) for run in (*a.runs, *b.runs)}
    return len(frames) == 1 and {"env.id", "algo.name"} <= a.runs[0].config.keys()


def _frame(run):
    """What decides, beside the seed, on environments and first weights."""
    is_number = lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    return {
        key: value
        for key, value in run.config.items()
        if key.startswith(("env.", "algo.", "eval.episodes"))
        or (key.startswith("agent.") and not is_number(value))
    }


def compare_curves(curves, y="return", baseline=None, at=None, scores=None):
    """Compare every configuration with the baseline, in each environment and over all.

    On one environment: means with Student-t intervals, the difference by Welch's test or, where
    ``share_seeds``, a paired one, with Holm's correction over all tests.  Over several: scores
    between a random policy (0) and a reference (1), their IQM with stratified bootstrap intervals;
    of fewer than 3 environments or 5 seeds their mean, with Student-t intervals.

    Args:
        curves (list of Curve): as ``label_curves`` gave them.
        y (str): what is compared; more counts as better if it is a return.
        baseline (str): a label; by default the first.
        at (float): as in ``seed_values``.
        scores (dict): environment to ``(low, high)``, beside those of ``SCORES`` for returns.

    Returns:
        dict: plain values, NaN where there is no number: ``configurations``, ``baseline``, ``at``,
        ``level``; ``num_test``, over which Holm corrects, and ``alpha``, what that leaves for the
        first of them, which the detectable differences are for; ``environments``, a list with
        ``configurations`` and ``comparisons`` of each; ``aggregate``, None for one environment;
        ``notes``, a list of str.  A verdict is ``better`` or ``worse`` (``higher`` or ``lower`` if
        ``y`` is no return), ``undecided`` or ``untested``; an ``effect`` is the difference in
        standard deviations, their root mean square.

    Raises:
        ValueError: there are no two configurations, or ``baseline`` is none of them.

    Reference:
        Patterson et al., Empirical Design in Reinforcement Learning, 2024 (arXiv:2304.01315).
    """
    labels = list(dict.fromkeys(curve.label for curve in curves))
    if len(labels) < 2:
        found = f"only {plain(labels[0])!r}" if labels else "none"
        raise ValueError(
            f"configurations: {found}; expected two to compare; add a PATH, or keys with --group"
        )
    baseline = labels[0] if baseline is None else baseline
    if baseline not in labels:
        near = (difflib.get_close_matches(baseline, labels, 1) or labels)[0]
        raise ValueError(f"baseline: no configuration is {baseline!r}; expected such as {near!r}")
    words = ("better", "worse") if split_key(y)[1] == "return" else ("higher", "lower")
    environments = sorted({curve.environment for curve in curves})
    scale = {**(SCORES if split_key(y)[1] == "return" else {}), **(scores or {})}
    table = {(curve.environment, curve.label): curve for curve in curves}
    arms = {(e, k): _arm(k, table.get((e, k)), at) for e in environments for k in labels}
    others = [key for key in arms if key[1] != baseline]
    tests = [_test(arms[e, k], arms[e, baseline]) for e, k in others]
    p_holm = holm([estimate.p for _, _, estimate in tests])
    num_test = int(np.isfinite(p_holm).sum())
    alpha = _ALPHA / max(num_test, 1)
    pairs = {
        (e, k): _pair(arms[e, k], arms[e, baseline], *test, float(p), alpha, words)
        for (e, k), test, p in zip(others, tests, p_holm, strict=True)
    }
    overall = compare_overall(_by_environment(arms), scale, labels, baseline, words, _LEVEL)
    return {
        "y": y,
        "at": at,
        "level": _LEVEL,
        "power": _POWER,
        "baseline": baseline,
        "configurations": labels,
        "num_test": num_test,
        "alpha": alpha,
        "environments": [
            {
                "environment": e,
                "configurations": [_cell(arms[e, k]) for k in labels],
                "comparisons": [pairs[e, k] for k in labels if k != baseline],
            }
            for e in environments
        ],
        "aggregate": overall if len(environments) > 1 else None,
        "notes": _notes(arms, environments, at),
    }


def _arm(label, curve, at):
    if curve is None:
        return _Arm(label, None, [], np.empty(0))
    found = zip((run.seed for run in curve.runs), seed_values(curve, at).tolist(), strict=True)
    found = sorted((seed, value) for seed, value in found if math.isfinite(value))
    return _Arm(label, curve, [s for s, _ in found], np.array([v for _, v in found], float))


def _cell(arm):
    """What a configuration reaches in an environment."""
    runs, seeds = (arm.curve.runs, arm.curve.seeds) if arm.curve else ([], [])
    mean = contrast([arm.values], [1.0], _LEVEL) if len(arm.values) else _NONE
    return {
        "label": arm.label,
        "log": arm.curve.log if arm.curve else None,
        "count": count_seeds(runs) if runs else "no runs",
        "total": len(runs),
        "n": len(arm.values),
        "mean": mean.value,
        "sd": float(deviation(arm.values)),
        "low": mean.low,
        "high": mean.high,
        "steps": max((float(x[-1]) for x, _ in seeds if len(x)), default=math.nan),
        "seeds": arm.seeds,
        "values": arm.values.tolist(),
    }


def _test(arm, base):
    """Which test was used, why there is none, and what it says of the difference."""
    if not len(arm.values) or not len(base.values):
        return None, "one of them has no values", _NONE
    if arm.curve.log != base.curve.log:
        return None, "one has evaluations, the other training returns only", _NONE
    if arm.seeds == base.seeds and share_seeds(arm.curve, base.curve):
        method, estimate = "paired", paired(arm.values, base.values, _LEVEL)
    else:
        method, estimate = "welch", welch(arm.values, base.values, _LEVEL)
    if min(len(arm.values), len(base.values)) < 2:
        return method, "it takes two seeds of each", estimate
    if math.isnan(estimate.p):
        return method, "all seeds are alike", estimate
    return method, "", estimate


def _pair(arm, base, method, why, estimate, p_holm, alpha, words):
    """A configuration against the baseline in an environment."""
    x, y, ends = arm.values, base.values, (math.nan, math.nan)
    probability, effect, detectable, half = math.nan, math.nan, math.nan, None
    if method is not None:
        probability = float(probability_of_improvement([x], [y]))
        pooled = math.sqrt((deviation(x) ** 2 + deviation(y) ** 2) / 2)
        effect = estimate.value / pooled if pooled else math.nan
        if min(len(x), len(y)) >= _MIN_BOOTSTRAP:
            ends = bootstrap(probability_of_improvement, [x], [y], level=_LEVEL)
    if not why:
        if method == "paired":
            spread = (deviation(differences(x, y)),)
            detectable = detectable_paired(*spread, len(x), _POWER, alpha)
        else:
            spread = deviation(x), deviation(y)
            detectable = detectable_difference(*spread, len(x), len(y), _POWER, alpha)
        half = seeds_needed(detectable / 2, *spread, power=_POWER, alpha=alpha)
    return {
        "label": arm.label,
        "baseline": base.label,
        "method": method,
        "why": why,
        "n": len(x),
        "m": len(y),
        "difference": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "p": estimate.p,
        "p_holm": p_holm,
        "freedom": estimate.freedom,
        "probability": probability,
        "probability_low": ends[0],
        "probability_high": ends[1],
        "effect": effect,
        "detectable": detectable,
        "seeds_for_half": half,
        "verdict": "untested" if why else verdict(estimate.value, p_holm < _ALPHA, words),
    }


def _by_environment(arms):
    """Environment to label to values; or to the reason why not all of them can be compared."""
    rows = defaultdict(list)
    for (environment, _), arm in arms.items():
        rows[environment].append(arm)
    values = {}
    for environment, row in rows.items():
        if not all(len(arm.values) for arm in row):
            values[environment] = "not every configuration has values"
        elif len({arm.curve.log for arm in row}) > 1:
            values[environment] = "some have evaluations, others training returns only"
        else:
            values[environment] = {arm.label: arm.values for arm in row}
    return values


def _notes(arms, environments, at):
    """What a reader should know before believing the numbers."""
    notes = []
    for e in environments:
        curves = [arm.curve for (name, _), arm in arms.items() if name == e and arm.curve]
        steps = [n for n in map(_steps_of_the_sound, curves) if n]
        if at is None and steps and min(steps) < 0.95 * max(steps):
            notes.append(
                f"{e}: not at the same steps, but at {min(steps):.0f} to {max(steps):.0f}; "
                f"--at {min(steps):.0f} compares like with like"
            )
        if any(run.status not in ("done", *_BROKEN) for c in curves for run in c.runs):
            notes.append(f"{e}: not all runs have ended; these numbers will change")
    return notes


def _steps_of_the_sound(curve):
    """Where the runs end that neither failed nor diverged; 0 without any."""
    ends = zip(curve.runs, curve.seeds, strict=True)
    return max((x[-1] for run, (x, _) in ends if len(x) and run.status not in _BROKEN), default=0)
