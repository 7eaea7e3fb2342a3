"""What a configuration reaches in an environment, and one against another."""

import math
from dataclasses import dataclass

import numpy as np

from lagom.vis.contrast import Estimate, contrast, deviation, differences, paired, welch
from lagom.vis.curves import Curve, final_scores
from lagom.vis.overall import bootstrap, verdict
from lagom.vis.power import detectable_difference, detectable_paired, seeds_needed
from lagom.vis.statistics import probability_of_improvement
from lagom.vis.style import BROKEN, count_seeds

LEVEL, ALPHA, POWER = 0.95, 0.05, 0.8
_MIN_BOOTSTRAP = 20  # seeds; with fewer on a single environment the interval is too narrow
_NONE = Estimate(*[math.nan] * 5)


@dataclass(frozen=True)
class Arm:
    """A configuration in an environment, and the values of its seeds that have one."""

    label: str
    curve: Curve | None
    seeds: list  # increasing
    values: np.ndarray  # [n], in the order of ``seeds``


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
    if at is None:
        return final_scores(curve)
    return np.array([_value(r, *seed, at) for r, seed in zip(curve.runs, curve.seeds, strict=True)])


def _value(run, x, y, at):
    if not len(x):
        return np.nan
    interval = np.median(np.diff(x)) if len(x) > 1 else 0.0
    is_missing = at < x[0] or (at > x[-1] + interval and run.status not in BROKEN)
    return np.nan if is_missing else np.interp(at, x, y)


def make_arm(label, curve, at):
    """A configuration, by ``seed_values``; ``curve`` is None where it was not run."""
    if curve is None:
        return Arm(label, None, [], np.empty(0))
    found = zip((run.seed for run in curve.runs), seed_values(curve, at).tolist(), strict=True)
    found = sorted((seed, value) for seed, value in found if math.isfinite(value))
    return Arm(label, curve, [s for s, _ in found], np.array([v for _, v in found], float))


def describe_arm(arm):
    """What a configuration reaches in an environment."""
    runs, seeds = (arm.curve.runs, arm.curve.seeds) if arm.curve else ([], [])
    mean = contrast([arm.values], [1.0], LEVEL) if len(arm.values) else _NONE
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


def contrast_arms(arm, base):
    """Which test was used, why there is none (or ""), and what it says of the difference."""
    if not len(arm.values) or not len(base.values):
        return None, "one of them has no values", _NONE
    if arm.curve.log != base.curve.log:
        return None, "one has evaluations, the other training returns only", _NONE
    if arm.seeds == base.seeds and share_seeds(arm.curve, base.curve):
        method, estimate = "paired", paired(arm.values, base.values, LEVEL)
    else:
        method, estimate = "welch", welch(arm.values, base.values, LEVEL)
    if min(len(arm.values), len(base.values)) < 2:
        return method, "it takes two seeds of each", estimate
    if math.isnan(estimate.p):
        return method, "all seeds are alike", estimate
    return method, "", estimate


def describe_pair(arm, base, method, why, estimate, p_holm, alpha, words):
    """A configuration against the baseline in an environment."""
    x, y, ends = arm.values, base.values, (math.nan, math.nan)
    probability, effect, detectable, half = math.nan, math.nan, math.nan, None
    if method is not None:
        probability = float(probability_of_improvement([x], [y]))
        pooled = math.sqrt((deviation(x) ** 2 + deviation(y) ** 2) / 2)
        effect = estimate.value / pooled if pooled else math.nan
        if min(len(x), len(y)) >= _MIN_BOOTSTRAP:
            ends = bootstrap(probability_of_improvement, [x], [y], level=LEVEL)
    if not why:
        if method == "paired":
            spread = (deviation(differences(x, y)),)
            detectable = detectable_paired(*spread, len(x), POWER, alpha)
        else:
            spread = deviation(x), deviation(y)
            detectable = detectable_difference(*spread, len(x), len(y), POWER, alpha)
        half = seeds_needed(detectable / 2, *spread, power=POWER, alpha=alpha)
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
        "verdict": "untested" if why else verdict(estimate.value, p_holm < ALPHA, words),
    }
