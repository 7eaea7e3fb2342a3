"""How often intervals that promise 95 % hold the truth, at few seeds.

    python benchmarks/coverage.py [--repeats 1000]

Seeds of 5 tasks are drawn from populations whose truth is known: normal, failing one time in five,
or normal with deviations that differ by task (0.05 to 0.4).  Student's t is what curves and tables
show, the expanded percentiles are what ``--aggregate`` and ``lagom compare`` show, the plain ones
are rliable's; 1,000 replications here, 2,000 to 50,000 there.  Shares outside 93 to 97 % are
marked.
"""

import argparse

import numpy as np

from lagom.vis.bootstrap import bootstrap_interval, expanded_interval
from lagom.vis.contrast import contrast
from lagom.vis.statistics import iqm, optimality_gap, probability_of_improvement

LEVELS = 0.93, 0.97
NUM_TASK = 5


def normal(rng, n, k):
    """Scores with mean 0.5."""
    return rng.normal(0.5, 0.2, n)


def mixture(rng, n, k):
    """Four of five seeds near 1, the others near 0: mean 0.8."""
    return rng.normal(np.where(rng.random(n) < 0.8, 1.0, 0.0), 0.1)


def unlike(rng, n, k):
    """Means from 0 to 1 and deviations from 0.05 to 0.4, by task."""
    return rng.normal(k / (NUM_TASK - 1), np.linspace(0.05, 0.4, NUM_TASK)[k], n)


def mean(scores):
    """The mean of the tasks' means, each over the last axis."""
    return sum(x.mean(-1) for x in scores) / len(scores)


def median(scores):
    """The median of the tasks' means."""
    return np.median([x.mean(-1) for x in scores], axis=0)


def improvement(both):
    """Of the first half of the tasks over the second."""
    half = len(both) // 2
    return probability_of_improvement(both[:half], both[half:])


STATISTICS = {
    "mean": mean,
    "IQM": iqm,
    "median": median,
    "optimality gap": optimality_gap,
    "P(improvement)": improvement,
}


def student(scores):
    """Ends of the Student-t interval of the mean over tasks and seeds."""
    estimate = contrast(scores, [1 / len(scores)] * len(scores))
    return estimate.low, estimate.high


def intervals(name, num):
    """Kind to function, from scores to the ends of the interval of a statistic."""
    statistic = STATISTICS[name]
    kinds = {
        "plain": lambda scores: bootstrap_interval(statistic, scores, num),
        "expanded": lambda scores: expanded_interval(statistic, scores, num),
    }
    return kinds | ({"t": student} if name == "mean" else {})


def draw_tasks(draw, rng, n, name):
    """The scores of all tasks; of two configurations where the statistic compares them."""
    tasks = [*range(NUM_TASK)] * (1 + (name == "P(improvement)"))
    return [draw(rng, n, k) for k in tasks]


def coverage(draw, n, name, truth, repeats, num=1000):
    """Kind of interval to the share of experiments in which it holds the truth."""
    rng, kinds = np.random.default_rng(n), intervals(name, num)
    hits = dict.fromkeys(kinds, 0)
    for _ in range(repeats):
        scores = draw_tasks(draw, rng, n, name)
        for kind, interval in kinds.items():
            low, high = interval(scores)
            hits[kind] += bool(low <= truth <= high)
    return {kind: num_hit / repeats for kind, num_hit in hits.items()}


def main():
    """Print a row for each population, statistic and kind of interval."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    print("| seeds are | statistic | interval | n = 5 | n = 10 | n = 20 |")
    print("| --- | --- | --- | --- | --- | --- |")
    for draw in (normal, mixture, unlike):
        for name, statistic in STATISTICS.items():
            rng = np.random.default_rng(0)
            truth = 0.5  # of a configuration over itself
            if name != "P(improvement)":
                truth = float(statistic(draw_tasks(draw, rng, 400_000, name)))
            columns = [coverage(draw, n, name, truth, repeats) for n in (5, 10, 20)]
            for kind in columns[0]:
                shares = [column[kind] for column in columns]
                marks = ["" if LEVELS[0] <= share <= LEVELS[1] else " !" for share in shares]
                cells = [f"{100 * s:.1f}{m}" for s, m in zip(shares, marks, strict=True)]
                print(f"| {draw.__name__} | {name} | {kind} | {' | '.join(cells)} |", flush=True)
    print(f"\n{repeats} experiments each: ± {196 * (0.95 * 0.05 / repeats) ** 0.5:.1f} % at 95 %")


if __name__ == "__main__":
    main()
