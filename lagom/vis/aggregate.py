"""Aggregates over environments: normalized scores of whole suites, with their uncertainty.

What is reported, and how, is what Agarwal et al., 2021 (arXiv:2108.13264) recommend.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from lagom.vis.bootstrap import expanded_interval
from lagom.vis.curves import final_scores
from lagom.vis.normalize import normalize
from lagom.vis.statistics import iqm, optimality_gap, probability_of_improvement
from lagom.vis.style import BROKEN, shorten

METRICS = ("IQM", "mean", "median", "optimality gap")
IMPROVEMENT = "P(improvement)"
_MIN_ENVIRONMENT = 3
_ENOUGH_SEED = 5  # of an environment; the intervals of fewer are too narrow
_NUM_STEP = 50  # of the curve


@dataclass(frozen=True)
class Method:
    """One configuration, in all environments of an aggregate.

    Args:
        label (str): what tells it from the others.
        runs (list): per environment, the list of its runs that have a score.
        finals (list of ndarray): per environment, ``[num_seed]``, mean of the last 10 % of the rows
            of each seed.
        scores (list of ndarray): the same, normalized: 0 is the low reference score, 1 the high.
        seeds (list): per environment, the normalized ``(x, y)`` of each seed, ``[T]`` each.
        missing (int): number of runs that have no score yet.
    """

    label: str
    runs: list
    finals: list
    scores: list
    seeds: list
    missing: int


@dataclass(frozen=True)
class Aggregate:
    """Configurations that were run on the same environments.

    Args:
        environments (list of str): those that all have, in alphabetical order.
        references (dict): environment to its low and high reference score.
        methods (list of Method): in the order of the runs.
        notes (list of str): what was left out, and why.
        x (str): what the seeds were logged against.
    """

    environments: list
    references: dict
    methods: list
    notes: list
    x: str


def make_aggregate(curves, references, x="timestep"):
    """The configurations and environments over which an aggregate makes sense.

    Environments without reference scores are left out, then configurations with scores in fewer
    than 3 of the others, then environments that one of the rest lacks.  A seed that failed or
    diverged counts with its last score.

    Args:
        curves (list of Curve): as ``make_curves`` gave them, a panel per environment.
        references (dict): environment to low and high reference score.
        x (str): column that the curves were made against.

    Returns:
        Aggregate: its notes name all that is left out.

    Raises:
        ValueError: fewer than 3 environments are left.
    """
    cells = defaultdict(dict)
    for curve in curves:
        if any(len(y) for _, y in curve.seeds):
            cells[curve.label][curve.environment] = curve
    found = sorted({environment for row in cells.values() for environment in row})
    unknown = [name for name in found if name not in references]
    known = [name for name in found if name in references]
    few = [k for k in cells if len(set(cells[k]) & set(known)) < _MIN_ENVIRONMENT]
    labels = [label for label in cells if label not in few]
    common = [name for name in known if all(name in cells[label] for label in labels)]
    notes = []
    if unknown:
        remedy = "add them with --scores FILE (env,low,high)"
        notes.append(f"left out, no reference scores: {_list(unknown)}; {remedy}")
    if few:
        notes.append(f"left out, fewer than {_MIN_ENVIRONMENT} environments: {_list(few)}")
    if len(known) > len(common):
        lacking = [name for name in known if name not in common]
        notes.append(f"left out, not run by all: {_list(lacking)}")
    if not labels and len(known) >= _MIN_ENVIRONMENT:
        raise ValueError(
            f"--aggregate: no configuration was run on {_MIN_ENVIRONMENT} of {_list(known)}; "
            "expected one; --group algo.name makes one of each algorithm"
        )
    if not labels or len(common) < _MIN_ENVIRONMENT:
        few = _list(common if labels else known) or "none"
        what = f"environments with reference scores that all configurations have: {few}"
        why = f"expected {_MIN_ENVIRONMENT} or more, means over fewer say nothing about a suite"
        notes = [note for note in notes if labels or "fewer than" not in note]
        raise ValueError("; ".join([f"--aggregate: {what}", why, *notes]))
    methods = [_make_method(label, cells[label], common, references) for label in labels]
    return Aggregate(common, {name: references[name] for name in common}, methods, notes, x)


def _list(names, num=5):
    names = [shorten(name) for name in names]
    return ", ".join(names[:num]) + (f" and {len(names) - num} more" if len(names) > num else "")


def _make_method(label, cells, environments, references):
    runs, finals, scores, seeds, missing = [], [], [], [], 0
    for name in environments:
        curve, ends = cells[name], references[name]
        some = [i for i, (_, ys) in enumerate(curve.seeds) if len(ys)]
        missing += len(curve.seeds) - len(some)
        runs.append([curve.runs[i] for i in some])
        points = [curve.seeds[i] for i in some]
        seeds.append([(x, normalize(y, *ends)) for x, y in points])
        finals.append(final_scores(curve)[some])
        scores.append(normalize(finals[-1], *ends))
    return Method(label, runs, finals, scores, seeds, missing)


def measure(aggregate, num=10_000):
    """The metrics of each configuration with 95 % intervals, see ``expanded_interval``.

    Args:
        aggregate (Aggregate): as ``make_aggregate`` gave it.
        num (int): number of bootstrap replications.

    Returns:
        dict: metric to list over configurations of point, low and high.  IQM is the mean of the
        middle half of all scores, mean and median are those of the environments' means, the
        optimality gap is how much of 1 is missing on average; ``"P(improvement)"`` is the
        probability that a seed beats one of the first configuration, averaged over environments;
        NaN for the first itself.
    """
    rows = {name: [] for name in (*METRICS, IMPROVEMENT)}
    first = aggregate.methods[0].scores
    for method in aggregate.methods:
        ends = expanded_interval(_metrics, method.scores, num)
        for name, *row in zip(METRICS, _metrics(method.scores), *ends, strict=True):
            rows[name].append(tuple(map(float, row)))
        both = [*method.scores, *first]
        ends = expanded_interval(_improvement, both, num)
        rows[IMPROVEMENT].append((float(_improvement(both)), *map(float, ends)))
    rows[IMPROVEMENT][0] = (np.nan,) * 3  # over itself
    return rows


def _metrics(scores):
    """``[..., 4]``, in the order of ``METRICS``, for ``[..., n]`` per environment."""
    means = np.stack([row.mean(-1) for row in scores])
    parts = iqm(scores), means.mean(0), np.median(means, 0), optimality_gap(scores)
    return np.stack(parts, axis=-1)


def _improvement(both):
    half = len(both) // 2
    return probability_of_improvement(both[:half], both[half:])


def iqm_curve(method, num=2000):
    """IQM against steps, where every seed in every environment has a score.

    Seeds are interpolated inside their own range; one that failed or diverged keeps its last score.

    Args:
        method (Method): one configuration.
        num (int): number of bootstrap replications.

    Returns:
        tuple: steps, IQM and both ends of its 95 % interval, ``[T]`` each; empty if the seeds have
        no steps in common.
    """
    seeds = [seed for row in method.seeds for seed in row]
    is_broken = [run.status in BROKEN for row in method.runs for run in row]
    ends = [x[-1] for (x, _), broken in zip(seeds, is_broken, strict=True) if not broken]
    start = max(x[0] for x, _ in seeds)
    end = min(ends) if ends else max(x[-1] for x, _ in seeds)
    grid = np.unique(np.concatenate([x for x, _ in seeds]))
    grid = grid[(grid >= start) & (grid <= end)]
    if not len(grid):
        return (np.empty(0),) * 4
    if len(grid) > _NUM_STEP:
        grid = np.linspace(grid[0], grid[-1], _NUM_STEP)
    values = [np.stack([np.interp(grid, x, y) for x, y in row], 1) for row in method.seeds]

    def middle(chosen):  # [..., n] per environment -> [..., T]
        drawn = [v[:, index.astype(int)] for v, index in zip(values, chosen, strict=True)]
        return np.moveaxis(iqm(drawn), 0, -1)

    everyone = [np.arange(v.shape[1]) for v in values]  # whole curves are drawn again
    return grid, middle(everyone), *expanded_interval(middle, everyone, num)


def describe(aggregate):
    """What a reader of the figure or the tables has to know, as sentences."""
    methods, environments = aggregate.methods, aggregate.environments
    nums = [len(scores) for method in methods for scores in method.scores]
    each = f"{nums[0]}" if min(nums) == max(nums) else f"{min(nums)} to {max(nums)}"
    notes = [
        f"{len(environments)} environments ({_list(environments)}), {each} seeds in each; "
        "95 % intervals by stratified bootstrap, widened for few seeds (expanded percentiles)."
    ]
    if min(nums) < _ENOUGH_SEED:
        notes.append(
            f"With fewer than {_ENOUGH_SEED} seeds in an environment these intervals may be too "
            "narrow: they hold the truth less often than they say."
        )
    broken = sum(r.status in BROKEN for m in methods for row in m.runs for r in row)
    running = sum(r.status == "running" for m in methods for row in m.runs for r in row)
    missing = sum(method.missing for method in methods)
    for num, what in (
        (broken, "failed or diverged and count with their last score"),
        (running, "are still running and count with their last score"),
        (missing, "have no score and are left out"),
    ):
        notes += [f"{num} of {sum(nums) + missing} runs {what}."] if num else []
    return notes
