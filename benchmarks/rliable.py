"""The largest differences between lagom's statistics and rliable's on the same random scores.

    python benchmarks/rliable.py

Needs rliable: pip install --no-deps rliable absl-py.  Its bootstrap is not used, and so neither is
the package arch, which would bring statsmodels.
"""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np

from lagom.vis.bootstrap import performance_profile
from lagom.vis.statistics import iqm, optimality_gap, probability_of_improvement

sys.path = [p for p in sys.path if Path(p or ".").resolve() != Path(__file__).resolve().parent]

NUM = 200  # random experiments


def main():
    """Print the differences; 1 if one is 1e-6 or more, else 0."""
    arch = ModuleType("arch.bootstrap")
    arch.IIDBootstrap = arch.IndependentSamplesBootstrap = object  # rliable derives classes
    sys.modules.update({"arch": ModuleType("arch"), "arch.bootstrap": arch})
    sys.modules["arch"].bootstrap = arch
    from rliable import library, metrics

    rng, worst = np.random.default_rng(0), {}

    def compare(name, ours, theirs):
        difference = float(np.max(np.abs(np.asarray(ours) - np.asarray(theirs))))
        worst[name] = max(worst.get(name, 0.0), difference)

    thresholds = np.linspace(0.0, 2.0, 21)
    for _ in range(NUM):
        n, num_task = int(rng.integers(4, 21)), int(rng.integers(3, 9))
        x, y = rng.gamma(2.0, 0.5, (2, n, num_task))  # rliable: runs by tasks
        tasks, others = [*x.T], [*y.T]
        compare("IQM", iqm(tasks), metrics.aggregate_iqm(x))
        compare("median", np.median([t.mean() for t in tasks]), metrics.aggregate_median(x))
        compare("optimality gap", optimality_gap(tasks), metrics.aggregate_optimality_gap(x))
        profile = performance_profile(tasks, thresholds, num=1)[0]
        theirs = [library.run_score_deviation(x, threshold) for threshold in thresholds]
        compare("performance profile", profile, theirs)
        ours = probability_of_improvement(tasks, others)
        compare("probability of improvement", ours, metrics.probability_of_improvement(x, y))
    for name, difference in worst.items():
        verdict = "agrees" if difference < 1e-6 else "DIFFERS"
        print(f"{name:<28}{difference:.1e}  {verdict}")
    return int(max(worst.values()) >= 1e-6)


if __name__ == "__main__":
    sys.exit(main())
