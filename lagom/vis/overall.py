"""Comparisons over several environments, on the scale of a random policy and a reference."""

import math

from lagom.vis.bootstrap import expanded_interval
from lagom.vis.contrast import contrast
from lagom.vis.normalize import normalize
from lagom.vis.statistics import iqm, optimality_gap, probability_of_improvement

_MIN_TASK, _MIN_SEED = 3, 5  # of an IQM; with fewer a bootstrap knows too little


def compare_overall(values, scale, labels, baseline, words, level=0.95):
    """Compare normalized scores over all environments that have a scale and values of everyone.

    From 3 environments and 5 seeds of everyone on by IQM, with expanded bootstrap intervals; below
    by the mean over environments, with Student-t intervals.  Intervals of differences are
    corrected for their number (Bonferroni).

    Args:
        values (dict): environment to a dictionary of label to ``[n]`` values; or to a str, why it
            is to be left out.
        scale (dict): environment to ``(low, high)``.
        labels (list of str): the configurations.
        baseline (str): the one that all others are compared with.
        words (tuple of str): what a positive difference is called, and a negative one.
        level (float): probability with which an interval holds the truth.

    Returns:
        dict: ``environments`` to their scale, ``left_out`` to the reason; ``statistic`` is
        ``"iqm"``, ``"mean"`` or ``"none"``, ``why`` says why it is no IQM, ``n`` is the smallest
        number of seeds; ``configurations`` and ``comparisons`` are lists of dict, NaN where there
        is no number.
    """
    left_out = {e: row for e, row in values.items() if isinstance(row, str)}
    left_out |= {
        e: "no reference scores; give them with --scores" for e in values if e not in scale
    }
    tasks = [e for e in values if e not in left_out]
    scores = {k: [normalize(values[e][k], *scale[e]) for e in tasks] for k in labels}
    n = min((len(s) for k in labels for s in scores[k]), default=0)
    document = {
        "environments": {e: list(scale[e]) for e in tasks},
        "left_out": left_out,
        **{"statistic": "none", "why": "", "n": n, "configurations": [], "comparisons": []},
    }
    if len(tasks) < 2:
        return document | {"why": f"{len(tasks)} of {len(values)} environments can be scaled"}
    is_iqm = len(tasks) >= _MIN_TASK and n >= _MIN_SEED
    if not is_iqm:
        document["why"] = (
            f"an IQM takes {_MIN_TASK} environments and {_MIN_SEED} seeds of each configuration; "
            f"here are {len(tasks)} and {n}"
        )
    others = [k for k in labels if k != baseline]
    summarize, compare = (_iqm, _iqm_difference) if is_iqm else (_mean, _mean_difference)
    low_level = 1 - (1 - level) / len(others)
    return document | {
        "statistic": "iqm" if is_iqm else "mean",
        "configurations": [{"label": k, **summarize(scores[k], level)} for k in labels],
        "comparisons": [
            {
                **{"label": k, "baseline": baseline, "level": low_level},
                **_judge(compare(scores[k], scores[baseline], low_level), words),
            }
            for k in others
        ],
    }


def bootstrap(statistic, *scores, level):
    """``expanded_interval`` of a statistic of one list of scores, or of two.

    NaN where no replication differs, as where every seed of one is ahead of every seed of the
    other: that tells nothing of the uncertainty.
    """
    num = len(scores[0])
    tasks = [task for one in scores for task in one]
    parted = lambda drawn: statistic(*(drawn[i : i + num] for i in range(0, len(tasks), num)))
    low, high = expanded_interval(parted, tasks, level=level)
    return (float(low), float(high)) if low < high else (math.nan, math.nan)


def verdict(value, is_sure, words):
    """The word for a difference."""
    return "undecided" if not is_sure else words[0] if value > 0 else words[1]


def _judge(row, words):
    if math.isnan(row["low"]) or row["low"] == row["high"]:  # a single seed, or none that varies
        return row | {"verdict": "untested"}
    return row | {"verdict": verdict(row["difference"], row["low"] > 0 or row["high"] < 0, words)}


def _iqm(x, level):
    row = _named("value", iqm(x), *bootstrap(iqm, x, level=level))
    return row | _named("gap", optimality_gap(x), *bootstrap(optimality_gap, x, level=level))


def _iqm_difference(x, y, level):
    ends = bootstrap(lambda x, y: iqm(x) - iqm(y), x, y, level=level)
    p, p_ends = probability_of_improvement, bootstrap(probability_of_improvement, x, y, level=level)
    return _named("difference", iqm(x) - iqm(y), *ends) | _named("probability", p(x, y), *p_ends)


def _mean(x, level):
    mean = contrast(x, [1 / len(x)] * len(x), level)
    gap = _named("gap", optimality_gap(x), math.nan, math.nan)
    return _named("value", mean.value, mean.low, mean.high) | gap


def _mean_difference(x, y, level):
    K = len(x)
    mean = contrast([*x, *y], [1 / K] * K + [-1 / K] * K, level)
    p = _named("probability", probability_of_improvement(x, y), math.nan, math.nan)
    return _named("difference", mean.value, mean.low, mean.high) | p


def _named(name, value, low, high):
    prefix = "" if name in ("value", "difference") else f"{name}_"
    return {name: float(value), f"{prefix}low": float(low), f"{prefix}high": float(high)}
