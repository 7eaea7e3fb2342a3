import math

import numpy as np
import pytest

from lagom.vis.bootstrap import expanded_interval
from lagom.vis.overall import bootstrap, compare_overall, verdict
from lagom.vis.statistics import iqm, probability_of_improvement

X = [np.array([0.1, 0.2, 0.4]), np.array([0.5, 0.9])]
Y = [np.array([0.3, 0.3, 0.8]), np.array([0.4, 0.2])]


def test_bootstrap_of_two_draws_each_task_of_each():
    both = lambda drawn: probability_of_improvement(drawn[:2], drawn[2:])
    assert bootstrap(iqm, X, level=0.9) == expanded_interval(iqm, X, level=0.9)
    assert bootstrap(probability_of_improvement, X, Y, level=0.9) == expanded_interval(
        both, X + Y, level=0.9
    )
    assert all(map(math.isnan, bootstrap(iqm, [np.ones(5)], level=0.95)))


def test_words():
    words = "better", "worse"
    assert verdict(1.0, True, words) == "better"
    assert verdict(-1.0, True, words) == "worse"
    assert verdict(1.0, False, words) == "undecided"


def test_three_environments_and_five_seeds_make_an_iqm():
    rng = np.random.default_rng(0)
    scale = dict.fromkeys("ABC", (0.0, 100.0))
    values = {e: {k: rng.normal(50, 5, 5) for k in "xy"} for e in "ABC"}
    words = "better", "worse"
    statistic = lambda values: compare_overall(values, scale, ["x", "y"], "x", words)["statistic"]

    assert statistic(values) == "iqm"
    assert statistic({e: values[e] for e in "AB"}) == "mean"
    assert statistic({**values, "C": {**values["C"], "y": np.ones(4)}}) == "mean"
    assert statistic({**values, "B": "reason", "C": "reason"}) == "none"

    document = compare_overall(values, scale, ["x", "y"], "y", words, level=0.8)
    scores = {k: [values[e][k] / 100 for e in "ABC"] for k in "xy"}
    assert document["configurations"][0]["value"] == pytest.approx(iqm(scores["x"]))
    (pair,) = document["comparisons"]
    assert (pair["label"], pair["baseline"], pair["level"]) == ("x", "y", 0.8)
    assert pair["difference"] == pytest.approx(iqm(scores["x"]) - iqm(scores["y"]))
    low, high = bootstrap(lambda x, y: iqm(x) - iqm(y), scores["x"], scores["y"], level=0.8)
    assert (pair["low"], pair["high"]) == (low, high)
