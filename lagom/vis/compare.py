"""Comparisons: which configuration is better, how sure that is, and what it would take to know."""

import difflib
from collections import defaultdict
from dataclasses import replace

import numpy as np

from lagom.vis.arms import ALPHA, LEVEL, POWER, contrast_arms, describe_arm, describe_pair, make_arm
from lagom.vis.contrast import holm
from lagom.vis.curves import make_curves
from lagom.vis.normalize import SCORES
from lagom.vis.overall import compare_overall
from lagom.vis.runs import split_key
from lagom.vis.style import BROKEN, plain


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


def compare_curves(curves, y="return", baseline=None, at=None, scores=None):
    """Compare every configuration with the baseline, in each environment and over all.

    On one environment: means with Student-t intervals, the difference by Welch's test or, where
    ``share_seeds``, a paired one, with Holm's correction over all tests.  Over several: scores
    between a random policy (0) and a reference (1), their IQM with bootstrap intervals;
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
    arms = {(e, k): make_arm(k, table.get((e, k)), at) for e in environments for k in labels}
    others = [key for key in arms if key[1] != baseline]
    tests = [contrast_arms(arms[e, k], arms[e, baseline]) for e, k in others]
    p_holm = holm([estimate.p for _, _, estimate in tests])
    num_test = int(np.isfinite(p_holm).sum())
    alpha = ALPHA / max(num_test, 1)
    pairs = {
        (e, k): describe_pair(arms[e, k], arms[e, baseline], *test, float(p), alpha, words)
        for (e, k), test, p in zip(others, tests, p_holm, strict=True)
    }
    overall = compare_overall(_by_environment(arms), scale, labels, baseline, words, LEVEL)
    return {
        "y": y,
        "at": at,
        "level": LEVEL,
        "power": POWER,
        "baseline": baseline,
        "configurations": labels,
        "num_test": num_test,
        "alpha": alpha,
        "environments": [
            {
                "environment": e,
                "configurations": [describe_arm(arms[e, k]) for k in labels],
                "comparisons": [pairs[e, k] for k in labels if k != baseline],
            }
            for e in environments
        ],
        "aggregate": overall if len(environments) > 1 else None,
        "notes": _notes(arms, environments, at),
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
        if any(run.status not in ("done", *BROKEN) for c in curves for run in c.runs):
            notes.append(f"{e}: not all runs have ended; these numbers will change")
    return notes


def _steps_of_the_sound(curve):
    """Where the runs end that neither failed nor diverged; 0 without any."""
    ends = zip(curve.runs, curve.seeds, strict=True)
    return max((x[-1] for run, (x, _) in ends if len(x) and run.status not in BROKEN), default=0)
