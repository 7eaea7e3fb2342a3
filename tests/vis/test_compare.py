import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lagom.vis.arms import seed_values, share_seeds
from lagom.vis.compare import compare_curves, label_curves
from lagom.vis.contrast import holm
from lagom.vis.curves import end_row, make_curves
from lagom.vis.power import detectable_difference, detectable_paired, seeds_needed
from lagom.vis.runs import Run
from lagom.vis.verdicts import aggregate_sentences, pair_sentence

CONFIG = {
    "algo.name": "ppo",
    "env.id": "CartPole-v1",
    "env.num_env": 8,
    "agent.lr": 0.001,
    "agent.hidden_sizes": [64, 64],
}


def make_run(path, rows, status="done", log="eval", **config):
    """A run of ``name/ID/seed`` with (timestep, return) rows; ``__`` in a key stands for a dot."""
    path = Path(path)
    config = {"ID": int(path.parts[-2]), **CONFIG, **_dotted(config)}
    columns = {"timestep": [x for x, _ in rows], "return": [y for _, y in rows]}
    ID, seed = map(int, path.parts[-2:])
    return Run(path, path.parts[-3], ID, seed, status, config, {log: columns} if rows else {})


def _dotted(config):
    return {key.replace("__", "."): value for key, value in config.items()}


def runs_of(folder, values, first=0, **config):
    """A run for each value, which is its last evaluation; seeds count from ``first``."""
    return [
        make_run(f"{folder}/{first + i}", [(0, 0.0), (100, y)], **config)
        for i, y in enumerate(values)
    ]


def curve_of(runs):
    (curve,) = make_curves(runs)
    return curve


def compare(*groups, **kwargs):
    """The comparison of lists of runs, labelled a, b, ..."""
    return compare_curves(label_curves(dict(zip("abc", groups, strict=False))), **kwargs)


def only_pair(document):
    (part,) = document["environments"]
    (pair,) = part["comparisons"]
    return pair


X, Y = [480.0, 500.0, 490.0, 470.0], [300.0, 420.0, 350.0, 500.0, 400.0]


# What is compared


def test_each_folder_is_a_configuration():
    curves = label_curves(
        {
            "a": runs_of("a/ppo/0", X) + runs_of("a/ppo-B/0", X, env__id="B"),
            "b": runs_of("b/ppo/0", Y) + runs_of("b/ppo-B/0", Y, env__id="B"),
        }
    )
    names = [(curve.environment, curve.label) for curve in curves]
    assert names == [("B", "a"), ("CartPole-v1", "a"), ("B", "b"), ("CartPole-v1", "b")]


def test_folders_of_several_configurations():
    several = runs_of("a/x/0", X, agent__lr=1) + runs_of("a/x/1", Y, agent__lr=2)

    assert [c.label for c in label_curves({"a": several})] == ["lr=1", "lr=2"]
    both = label_curves({"a": several, "b": runs_of("b/x/0", X)})
    assert [c.label for c in both] == ["a lr=1", "a lr=2", "b"]
    grouped = label_curves({"a": several, "b": runs_of("b/x/0", X)}, group=["algo.name"])
    assert [(c.label, len(c.runs)) for c in grouped] == [("ppo", 13)]


def test_seeds_are_judged_by_their_last_tenth_as_in_the_final_table():
    rows = [(i, float(i * i)) for i in range(20)]
    curve = curve_of([make_run("x/0/0", rows), make_run("x/0/1", rows[:5]), make_run("x/0/2", [])])

    values = seed_values(curve)

    np.testing.assert_array_equal(values, [(18**2 + 19**2) / 2, 16.0, np.nan])
    assert np.nanmean(values) == end_row(curve)["final"]


def test_seeds_at_a_step():
    rows = [(10, 1.0), (20, 3.0), (30, 3.0)]
    statuses = ["done", "running", "failed", "diverged", "unreadable"]
    curve = curve_of([make_run(f"x/0/{i}", rows, status) for i, status in enumerate(statuses)])
    nan = np.nan

    np.testing.assert_array_equal(seed_values(curve, 15), [2.0] * 5)
    np.testing.assert_array_equal(seed_values(curve, 9), [nan] * 5)
    np.testing.assert_array_equal(seed_values(curve, 40), [3.0] * 5)  # an evaluation later
    np.testing.assert_array_equal(seed_values(curve, 41), [nan, nan, 3.0, 3.0, 3.0])
    one = curve_of([make_run("x/0/0", [(10, 1.0)]), make_run("x/0/1", [])])
    np.testing.assert_array_equal(seed_values(one, 10), [1.0, nan])
    np.testing.assert_array_equal(seed_values(one, 11), [nan, nan])


# Which test


@pytest.mark.parametrize(
    ("config", "is_shared"),
    [
        ({"agent__lr": 0.1, "agent__gamma": 0.9}, True),
        ({"name": "other", "train__timestep": 7}, True),
        ({"env__num_env": 4}, False),
        ({"env__normalize_obs": False}, False),
        ({"eval__episodes": 3}, False),
        ({"algo__name": "sac"}, False),
        ({"agent__hidden_sizes": [32]}, False),
        ({"agent__dueling": True}, False),
        ({"agent__activation": "relu"}, False),
    ],
)
def test_seeds_are_shared_where_environments_and_first_weights_are(config, is_shared):
    a, b = curve_of(runs_of("x/0", X)), curve_of(runs_of("x/1", X, **config))

    assert share_seeds(a, b) == share_seeds(b, a) == is_shared
    assert not share_seeds(a, curve_of(runs_of("x/1", X, first=1, **config)))


def test_seeds_of_unknown_programs_or_that_come_twice_are_not_shared():
    twice = curve_of(runs_of("x/0", X)), curve_of(runs_of("x/1", X))
    for curve in twice:
        curve.runs[1] = curve.runs[0]
    assert not share_seeds(*twice)

    unknown = curve_of(runs_of("x/0", X))
    for run in unknown.runs:
        del run.config["algo.name"]
    assert not share_seeds(unknown, unknown)


def test_other_algorithms_are_compared_by_welch():
    pair = only_pair(compare(runs_of("p/0", Y), runs_of("s/0", X, algo__name="sac")))

    expected = stats.ttest_ind(X, Y, equal_var=False)
    interval = expected.confidence_interval()
    assert (pair["label"], pair["baseline"], pair["method"]) == ("b", "a", "welch")
    assert (pair["n"], pair["m"], pair["why"]) == (4, 5, "")
    assert pair["difference"] == 485 - 394
    assert (pair["low"], pair["high"]) == pytest.approx((interval.low, interval.high))
    assert pair["p"] == pair["p_holm"] == pytest.approx(expected.pvalue)
    assert pair["freedom"] == pytest.approx(expected.df)
    assert pair["probability"] == 16.5 / 20
    sd = np.std(X, ddof=1), np.std(Y, ddof=1)
    assert pair["effect"] == pytest.approx(91 / math.sqrt((sd[0] ** 2 + sd[1] ** 2) / 2))
    assert pair["detectable"] == pytest.approx(detectable_difference(*sd, 4, 5))
    assert pair["seeds_for_half"] == seeds_needed(pair["detectable"] / 2, *sd)
    assert math.isnan(pair["probability_low"])  # too few seeds for a bootstrap


def test_the_same_algorithm_is_paired_by_seed_in_any_order():
    x, y = [5.0, 7.0, 6.0], [1.0, 2.0, 4.0]
    arms = runs_of("x/0", x), runs_of("x/1", y, agent__lr=0.1)

    pair = only_pair(compare(arms[1][::-1], arms[0]))

    expected = stats.ttest_rel(x, y)
    assert (pair["method"], pair["n"]) == ("paired", 3)
    assert pair["p"] == pytest.approx(expected.pvalue)
    assert pair["low"] == pytest.approx(expected.confidence_interval().low)
    sd = np.std([4.0, 5.0, 2.0], ddof=1)
    assert pair["detectable"] == pytest.approx(detectable_paired(sd, 3))
    assert pair["seeds_for_half"] == seeds_needed(pair["detectable"] / 2, sd)


def test_pairs_are_parted_where_a_seed_lacks_its_value():
    x, y = runs_of("x/0", [5.0, 7.0, 6.0]), runs_of("x/1", [1.0, 2.0])
    y.append(make_run("x/1/2", [], "waiting"))

    pair = only_pair(compare(x, y))

    assert (pair["method"], pair["n"], pair["m"]) == ("welch", 2, 3)


def test_many_seeds_have_a_bootstrap_interval_of_the_probability():
    x = runs_of("x/0", np.arange(20.0))

    pair = only_pair(compare(x, runs_of("y/0", np.arange(20.0) + 5, algo__name="sac")))

    low, high = pair["probability_low"], pair["probability_high"]
    assert 0.5 < low < pair["probability"] < high < 1
    pair = only_pair(compare(x, runs_of("y/0", np.arange(20.0) + 50, algo__name="sac")))
    assert pair["probability"] == 1
    assert math.isnan(pair["probability_low"])


# Verdicts


def test_holm_corrects_over_environments_and_configurations():
    rng = np.random.default_rng(0)
    groups = [
        [run for e in "AB" for run in runs_of(f"{k}/{e}/0", rng.normal(shift, 1, 5),
                                              env__id=e, algo__name=k)]
        for k, shift in (("x", 0), ("y", 1.8), ("z", 6))
    ]  # fmt: skip

    document = compare(*groups)

    pairs = [pair for part in document["environments"] for pair in part["comparisons"]]
    assert (document["num_test"], document["alpha"]) == (4, 0.0125)
    np.testing.assert_allclose([p["p_holm"] for p in pairs], holm([p["p"] for p in pairs]))
    assert [p["verdict"] for p in pairs] == [
        "better" if p["p_holm"] < 0.05 else "undecided" for p in pairs
    ]
    assert {p["verdict"] for p in pairs} == {"better", "undecided"}
    assert any(p["p"] < 0.05 < p["p_holm"] for p in pairs)
    assert compare(*groups, baseline="c")["environments"][0]["comparisons"][0]["verdict"] == "worse"


def test_other_columns_are_higher_or_lower():
    curves = label_curves({"a": runs_of("x/0", Y), "b": runs_of("y/0", [9e3, 9.1e3, 9.2e3])})

    for y, word in (("return", "better"), ("eval.return", "better"), ("loss", "higher")):
        assert only_pair(compare_curves(curves, y))["verdict"] == word
        turned = only_pair(compare_curves(curves, y, "b"))
        assert turned["verdict"] == {"better": "worse", "higher": "lower"}[word]


def test_failed_seeds_stay_in_and_missing_ones_are_missing():
    x = runs_of("x/0", [3.0, 4.0])
    x += [make_run("x/0/2", [(0, 0.0), (5, -7.0)], "diverged"), make_run("x/0/3", [], "waiting")]

    document = compare(runs_of("y/0", Y), x)

    first, second = document["environments"][0]["configurations"]
    assert (second["count"], second["n"], second["total"]) == (
        "2/4 seeds, 1 diverged, 1 waiting", 3, 4
    )  # fmt: skip
    assert (second["mean"], second["seeds"], second["values"]) == (0.0, [0, 1, 2], [3, 4, -7])
    assert second["sd"] == pytest.approx(math.sqrt((9 + 16 + 49) / 2))
    assert second["low"] == pytest.approx(-stats.t.ppf(0.975, 2) * second["sd"] / math.sqrt(3))
    assert (first["mean"], first["steps"], second["steps"]) == (394.0, 100.0, 100.0)
    assert document["notes"] == ["CartPole-v1: not all runs have ended; these numbers will change"]


@pytest.mark.parametrize(
    ("x", "method", "why"),
    [
        ([], None, "one of them has no values"),
        ([3.0], "welch", "it takes two seeds of each"),
    ],
)
def test_what_cannot_be_tested_is_said(x, method, why):
    other = runs_of("x/0", x) or [make_run("x/0/0", [], "waiting")]

    document = compare(runs_of("y/0", Y), other)

    pair = only_pair(document)
    assert (pair["method"], pair["why"], pair["verdict"]) == (method, why, "untested")
    assert all(math.isnan(pair[key]) for key in ("low", "high", "p", "p_holm", "detectable"))
    assert pair["seeds_for_half"] is None
    assert document["num_test"] == 0
    cell = document["environments"][0]["configurations"][1]
    assert [math.isnan(cell[key]) for key in ("mean", "sd", "low")] == [not x, True, True]


def test_seeds_that_are_all_alike_are_not_tested():
    saturated = runs_of("x/0", [500.0] * 5)

    pair = only_pair(compare(saturated, runs_of("y/0", [9.0] * 4)))
    assert (pair["method"], pair["why"], pair["difference"]) == (
        "welch",
        "all seeds are alike",
        -491,
    )
    assert math.isnan(pair["effect"])
    pair = only_pair(compare(saturated, runs_of("x/1", [500.0] * 5, agent__lr=1)))
    assert (pair["method"], pair["why"], pair["difference"]) == ("paired", "all seeds are alike", 0)


def test_evaluations_are_not_compared_with_training_returns():
    document = compare(runs_of("x/0", X), runs_of("y/0", Y, log="train"))

    assert only_pair(document)["method"] is None
    assert only_pair(document)["why"] == "one has evaluations, the other training returns only"


def test_configurations_that_an_environment_lacks_are_shown_there():
    document = compare(runs_of("x/0", X), runs_of("y/0", Y) + runs_of("z/0", Y, env__id="A"))

    first, second = document["environments"]
    assert (first["environment"], second["environment"]) == ("A", "CartPole-v1")
    assert [cell["count"] for cell in first["configurations"]] == ["no runs", "5 seeds"]
    assert math.isnan(first["configurations"][0]["mean"])
    assert first["comparisons"][0]["why"] == "one of them has no values"
    assert second["comparisons"][0]["method"] == "welch"


def test_notes_tell_of_different_steps():
    short = [make_run(f"x/0/{i}", [(0, 0.0), (50, y)]) for i, y in enumerate(X)]

    (note,) = compare(short, runs_of("y/0", Y))["notes"]
    assert note == (
        "CartPole-v1: not at the same steps, but at 50 to 100; --at 50 compares like with like"
    )
    assert compare(short, runs_of("y/0", Y), at=50)["notes"] == []
    broken = [make_run(run.path, [(0, 0.0), (50, 1.0)], "failed") for run in short]
    assert compare(broken, runs_of("y/0", Y))["notes"] == []


def test_two_configurations_are_expected():
    curves = label_curves({"a": runs_of("x/0", X)})
    with pytest.raises(ValueError, match="configurations: only 'ppo'; expected two to compare"):
        compare_curves(curves)
    with pytest.raises(ValueError, match="configurations: none; expected two"):
        compare_curves([])
    with pytest.raises(ValueError, match="baseline: no configuration is 'c'; expected such as 'a'"):
        compare(runs_of("x/0", X), runs_of("y/0", Y), baseline="c")


# Sentences


def sentence(*groups, **kwargs):
    document = compare(*groups, **kwargs)
    return pair_sentence(only_pair(document), document["environments"][0], document)


def test_sentence_of_a_difference():
    text = sentence(runs_of("p/0", Y), runs_of("s/0", [500.0] * 5, algo__name="sac"))

    n = seeds_needed(
        detectable_difference(0.0, np.std(Y, ddof=1), 5, 5) / 2, 0.0, np.std(Y, ddof=1)
    )
    assert text == (
        "b reaches 500 ± 0 against 394 ± 75 for a (mean ± SD; difference 106, 95 % interval 12 to "
        "200, Welch, n = 5 and 5, p = 0.035): better. With these seeds a difference of 127 can be "
        f"detected with 80 % power; {n} seeds each would detect 63."
    )


def test_sentence_of_pairs_and_of_several_tests():
    x, y = [5.0, 7.0, 6.5], [4.0, 7.5, 4.0]
    runs = [
        run
        for e in "AB"
        for run in runs_of(f"{e}/0", x, env__id=e) + runs_of(f"{e}/1", y, env__id=e, agent__lr=1)
    ]
    document = compare_curves(label_curves({"x": runs}))
    part = document["environments"][0]

    text = pair_sentence(part["comparisons"][0], part, document)

    assert text.startswith("lr=1 reaches 5.2 ± 2.0 against 6.2 ± 1.0 for lr=0.001 (mean ± SD; ")
    assert "difference -1.0, 95 % interval -4.7 to 2.7, paired by seed, n = 3 pairs" in text
    p = 2 * stats.ttest_rel(x, y).pvalue
    assert f"p = {p:.2g} after Holm over 2): undecided. With these seeds" in text
    assert "with 80 % power at 0.05/2; " in text


def test_sentences_of_what_is_not_tested():
    y = runs_of("y/0", Y)
    assert sentence(y, runs_of("x/0", [3.0])) == (
        "b reaches 3 against 394 ± 75 for a (mean ± SD; difference -391, n = 1 and 5): untested, "
        "it takes two seeds of each."
    )
    assert sentence(y, [make_run("x/0/0", [])]) == (
        "b and a are not compared: one of them has no values."
    )


# Over environments

ENVIRONMENTS = ["CartPole-v1", "Hopper-v4", "Ant-v4", "my:Env-v0"]


def suite(n=5, environments=ENVIRONMENTS, shift=0.0, algo="ppo", seed=0):
    """Runs whose normalized scores are normal around 0.5 + ``shift``."""
    scale = {"CartPole-v1": (22.2, 475.0), "Hopper-v4": (18.8, 3226.0), "Ant-v4": (-70.3, 3942.0)}
    rng, runs = np.random.default_rng(seed), []
    for e in environments:
        low, high = scale.get(e, (0.0, 1.0))
        values = low + (high - low) * rng.normal(0.5 + shift, 0.1, n)
        runs += runs_of(f"{algo}-{e}/0", values, env__id=e, algo__name=algo)
    return runs


def test_iqm_over_environments_with_references():
    document = compare(suite(), suite(shift=0.3, algo="sac", seed=1))

    aggregate = document["aggregate"]
    assert list(aggregate["environments"]) == ["Ant-v4", "CartPole-v1", "Hopper-v4"]
    assert aggregate["environments"]["CartPole-v1"] == [22.2, 475.0]
    assert aggregate["left_out"] == {"my:Env-v0": "no reference scores; give them with --scores"}
    assert (aggregate["statistic"], aggregate["n"]) == ("iqm", 5)
    a, b = aggregate["configurations"]
    assert (a["label"], b["label"]) == ("a", "b")
    assert a["value"] == pytest.approx(0.5, abs=0.06)
    assert b["value"] == pytest.approx(0.8, abs=0.06)
    assert a["low"] < a["value"] < a["high"] < b["low"]
    assert a["gap_low"] < a["gap"] < a["gap_high"]
    (pair,) = aggregate["comparisons"]
    assert pair["difference"] == pytest.approx(b["value"] - a["value"])
    assert (pair["level"], pair["verdict"]) == (0.95, "better")
    assert pair["low"] < 0.3 < pair["high"]
    lines = aggregate_sentences(aggregate)
    assert lines[0].startswith(
        "Scores are 0 for a random policy and 1 for a reference: Ant-v4 -70.3"
    )
    assert "my:Env-v0 is left out: no reference scores; give them with --scores." in lines
    assert any(line.startswith("Bootstrap intervals of fewer than 10 seeds") for line in lines)
    assert lines[-1].startswith(f"b has an IQM of {b['value']:.2f} against {a['value']:.2f} for a")
    assert "95 % expanded bootstrap interval" in lines[-1]
    assert not any("10 seeds" in line for line in aggregate_sentences({**aggregate, "n": 10}))


def test_own_references_and_three_configurations():
    scores = {"my:Env-v0": (0.0, 1.0), "CartPole-v1": (0.0, 1000.0)}
    groups = suite(), suite(algo="sac", seed=1), suite(algo="es", seed=2, shift=-0.3)

    aggregate = compare(*groups, scores=scores)["aggregate"]

    assert aggregate["environments"]["CartPole-v1"] == [0.0, 1000.0]
    assert len(aggregate["environments"]) == 4
    same, worse = aggregate["comparisons"]
    assert (same["level"], worse["level"]) == (0.975, 0.975)  # 0.05 over both
    assert (same["verdict"], worse["verdict"]) == ("undecided", "worse")


@pytest.mark.parametrize(("n", "environments"), [(4, ENVIRONMENTS), (6, ENVIRONMENTS[:2])])
def test_with_less_the_mean_is_shown(n, environments):
    a, b = suite(n, environments), suite(n, environments, shift=0.4, algo="sac", seed=1)

    aggregate = compare(a, b)["aggregate"]

    K = 3 if n == 4 else 2
    assert aggregate["statistic"] == "mean"
    assert aggregate["why"] == (
        f"an IQM takes 3 environments and 5 seeds of each configuration; here are {K} and {n}"
    )
    first, second = aggregate["configurations"]
    (pair,) = aggregate["comparisons"]
    assert pair["difference"] == pytest.approx(second["value"] - first["value"])
    assert pair["low"] < 0.4 < pair["high"]
    assert (pair["verdict"], math.isnan(pair["probability_low"])) == ("better", True)
    assert math.isnan(first["gap_low"])
    lines = aggregate_sentences(aggregate)
    assert f"The mean is shown, for {aggregate['why']}." in lines
    assert "b has a mean of" in lines[-1]
    assert "95 % Student-t interval" in lines[-1]


def test_the_mean_over_environments_by_hand():
    # Normalized: (0.1, 0.3) and (0.2, 0.6); means 0.2 and 0.4, variances 0.02 and 0.08
    scores = {"A": (0.0, 10.0), "B": (100.0, 200.0)}
    x = runs_of("x/0", [1.0, 3.0], env__id="A") + runs_of("y/0", [120.0, 160.0], env__id="B")
    other = runs_of("p/0", [1.0, 1.0], env__id="A") + runs_of("q/0", [110.0, 110.0], env__id="B")

    aggregate = compare(other, x, scores=scores)["aggregate"]

    _, cell = aggregate["configurations"]
    error2 = (0.02 / 2 + 0.08 / 2) / 4
    freedom = (0.01 + 0.04) ** 2 / (0.01**2 + 0.04**2)
    assert cell["value"] == pytest.approx(0.3)
    assert cell["high"] == pytest.approx(0.3 + stats.t.ppf(0.975, freedom) * math.sqrt(error2))
    assert cell["gap"] == pytest.approx(0.7)
    assert aggregate["comparisons"][0]["difference"] == pytest.approx(0.2)
    assert aggregate["comparisons"][0]["probability"] == pytest.approx((0.75 + 1) / 2)


def test_aggregates_need_values_of_everyone():
    a, b = suite(), suite(environments=ENVIRONMENTS[1:], algo="sac", seed=1)
    b += [make_run("sac/0/0", [], "waiting", env__id="CartPole-v1", algo__name="sac")]

    aggregate = compare(a, b)["aggregate"]

    assert aggregate["left_out"]["CartPole-v1"] == "not every configuration has values"
    assert list(aggregate["environments"]) == ["Ant-v4", "Hopper-v4"]
    train = suite(environments=["Ant-v4"], algo="sac")
    for run in train:
        run.logs["train"] = run.logs.pop("eval")
    mixed = compare(a, train + suite(environments=["Hopper-v4"], algo="sac"))["aggregate"]
    assert mixed["left_out"]["Ant-v4"] == "some have evaluations, others training returns only"
    assert (mixed["statistic"], mixed["configurations"]) == ("none", [])
    assert aggregate_sentences(mixed)[-1] == "No aggregate: 1 of 4 environments can be scaled."


def test_there_is_no_aggregate_of_one_environment_or_of_other_columns():
    one = ["Hopper-v4"]
    assert compare(suite(environments=one), suite(environments=one, algo="b"))["aggregate"] is None
    curves = label_curves({"a": suite(), "b": suite(algo="sac")})
    aggregate = compare_curves(curves, "length")["aggregate"]
    assert len(aggregate["left_out"]) == 4


def test_what_cannot_vary_is_untested_over_environments():
    def saturated(algo, value):
        return [
            run
            for e in "ABC"
            for run in runs_of(f"{algo}-{e}/0", [value] * 5, env__id=e, algo__name=algo)
        ]

    scores = dict.fromkeys("ABC", (0.0, 10.0))
    document = compare(saturated("a", 5.0), saturated("b", 9.0), scores=scores)

    (pair,) = document["aggregate"]["comparisons"]
    assert (pair["verdict"], pair["probability"]) == ("untested", 1.0)
    assert pair["difference"] == pytest.approx(0.4)
    assert math.isnan(pair["low"])
    assert math.isnan(pair["probability_low"])
    assert aggregate_sentences(document["aggregate"])[-1].startswith(
        "b has an IQM of 0.90 against 0.50 for a (difference 0.40): untested."
    )
    single = [run for run in saturated("c", 5.0) if run.seed == 0]
    pair = compare(single, saturated("b", 9.0), scores=scores)["aggregate"]["comparisons"][0]
    assert (pair["verdict"], math.isnan(pair["low"])) == ("untested", True)
