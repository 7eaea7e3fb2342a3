"""How often intervals that promise 95 % hold the truth, at few seeds.

    python benchmarks/coverage.py [--repeats 1000]

Seeds are drawn from populations whose mean is known: normal, or failing one time in five.
Student's t is what curves and tables show; the stratified bootstrap (2,000 replications here) is
what ``--aggregate`` shows.  A row outside 93 to 97 % is marked.
"""

import argparse

import numpy as np

from lagom.vis.statistics import bootstrap_interval, contrast, iqm

LEVELS = 0.93, 0.97
NUM_TASK = 5


def normal(rng, n):
    """Scores with mean 0.5."""
    return rng.normal(0.5, 0.2, n)


def mixture(rng, n):
    """Four of five seeds near 1, the others near 0: mean 0.8."""
    return rng.normal(np.where(rng.random(n) < 0.8, 1.0, 0.0), 0.1)


def mean(scores):
    """The mean of the tasks' means, each over the last axis."""
    return sum(x.mean(-1) for x in scores) / len(scores)


def t_of_means(scores):
    """Ends of the Student-t interval of the mean over tasks and seeds."""
    estimate = contrast(scores, [1 / len(scores)] * len(scores))
    return estimate.low, estimate.high


def bootstrap(statistic):
    """The ends of the percentile interval."""
    return lambda scores: bootstrap_interval(statistic, scores, num=2000)


def coverage(draw, n, num_task, interval, truth, repeats):
    """The share of experiments whose interval holds the truth."""
    rng, hits = np.random.default_rng(n), 0
    for _ in range(repeats):
        low, high = interval([draw(rng, n) for _ in range(num_task)])
        hits += low <= truth <= high
    return hits / repeats


def main():
    """Print a row for each population, number of seeds and interval."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(0)
    print(f"{'seeds':>5}  {'tasks':>5}  {'population':<10}  {'interval':<16}  coverage")
    for name, draw in (("normal", normal), ("mixture", mixture)):
        truth = {"mean": {"normal": 0.5, "mixture": 0.8}[name]}
        truth["iqm"] = float(iqm([draw(rng, 1_000_000)]))
        cases = [
            (1, "t", t_of_means, "mean"),
            (NUM_TASK, "t", t_of_means, "mean"),
            (NUM_TASK, "bootstrap mean", bootstrap(mean), "mean"),
            (NUM_TASK, "bootstrap IQM", bootstrap(iqm), "iqm"),
        ]
        for n in (5, 10, 20):
            for num_task, kind, interval, what in cases:
                share = coverage(draw, n, num_task, interval, truth[what], repeats)
                mark = "" if LEVELS[0] <= share <= LEVELS[1] else "  outside 93 to 97 %"
                print(f"{n:>5}  {num_task:>5}  {name:<10}  {kind:<16}  {100 * share:5.1f} %{mark}")


if __name__ == "__main__":
    main()
