from dataclasses import replace

import numpy as np
import pytest
from reports import make_run, read, write_run

from lagom.vis import report_curves
from lagom.vis.curves import make_curves
from lagom.vis.plot import plot_curves
from lagom.vis.report import render, report_data
from lagom.vis.report_curves import _rounded


def test_curves_are_those_of_lagom_plot(tmp_path):
    write_run(tmp_path / "x/0/1", (1.0, 2.0))
    write_run(tmp_path / "x/0/2", (3.0, 6.0))

    data, _ = read(tmp_path)

    assert [y["name"] for y in data["ys"]] == ["return (evaluation)", "loss (training)"]
    (curve,) = data["panels"][0]["curves"]
    places, mean, half = curve["means"]["eval.return"]["timestep"]
    assert data["grids"][places] == [10, 20]
    assert mean == [2, 4]
    assert half == pytest.approx([12.7062, 2 * 12.7062], rel=1e-4)
    seeds = [data["runs"][i]["y"]["eval.return"] for i in curve["runs"]]
    assert seeds == [[1, 2], [3, 6]]
    _, mean, _ = curve["means"]["train.loss"]["timestep"]
    assert mean == [0.1, 0.05]


def test_curves_stand_against_wall_time_and_episodes(tmp_path):
    write_run(tmp_path / "x/0/1", np.arange(100.0))

    data, _ = read(tmp_path)

    assert data["xs"] == [
        {"key": "timestep", "name": "environment steps"},
        {"key": "seconds", "name": "wall time (minutes)"},  # 100 rows of 5 s
        {"key": "episode", "name": "episodes"},
    ]
    (run,) = data["runs"]
    for log in ("eval", "train"):
        minutes, episodes = (data["grids"][run["x"][log][x]] for x in ("seconds", "episode"))
        assert minutes[:2] + minutes[-1:] == pytest.approx([5 / 60, 10 / 60, 500 / 60], rel=1e-5)
        assert episodes[:2] == [2, 4]
    places, mean, half = data["panels"][0]["curves"][0]["means"]["eval.return"]["seconds"]
    assert data["grids"][places] == minutes
    assert (mean[:2], half) == ([0, 1], None)


def test_only_short_runs_count_in_seconds(tmp_path):
    write_run(tmp_path / "x/0/1", (1.0, 2.0))

    assert read(tmp_path)[0]["xs"][1]["name"] == "wall time (seconds)"


def test_missing_values_are_null():
    run = make_run("x", ys=(1.0, np.nan, np.inf, 1e200, 5.0))

    data = report_data([run])

    assert data["runs"][0]["y"]["eval.return"] == [1, None, None, None, 5]
    assert b"NaN" not in render(data).split(b'type="application/json"')[1].split(b"</script>")[0]


def test_long_curves_are_thinned_to_their_ends_and_evenly():
    data = report_data([make_run("x", ys=np.arange(5001.0))])

    (ys,) = (run["y"]["eval.return"] for run in data["runs"])
    assert len(ys) == 1000
    assert (ys[0], ys[-1]) == (0, 5000)
    assert set(np.diff(ys)) == {5, 6}
    places, mean, _ = data["panels"][0]["curves"][0]["means"]["eval.return"]["timestep"]
    assert len(data["grids"][places]) == len(mean) == 1000
    assert data["notes"] == ["Of longer curves 1000 points are drawn, evenly spread."]
    assert report_data([make_run("x", ys=np.arange(1000.0))])["notes"] == []


def test_columns_that_do_not_fit_are_left_out(monkeypatch):
    run = make_run("x", ys=np.arange(500.0))
    for i in range(8):
        run.logs["eval"][f"column{i}"] = run.logs["eval"]["return"]
    monkeypatch.setattr(report_curves, "_MAX_NUMBER", 1200)

    data = report_data([run])

    assert [y["key"] for y in data["ys"]] == ["eval.return", "eval.column0", "eval.column1"]
    assert "6 of 9 columns are left out: the page stays small." in data["notes"]
    assert len(data["runs"][0]["y"]["eval.return"]) == 120


def test_hundred_runs_stay_below_five_megabytes():
    generator = np.random.default_rng(0)
    runs = []
    for i in range(100):
        run = make_run("x", i // 5, i % 5, np.zeros(1000), agent__lr=i // 5)
        steps = run.logs["eval"]["timestep"]
        for log in ("eval", "train"):
            columns = {f"c{k}": generator.normal(size=1000) for k in range(8)}
            clocks = {"seconds": steps + i / 7, "episode": steps // 7 + i}
            run.logs[log] = {"timestep": steps, **clocks, **columns}
        runs.append(run)

    page = render(report_data(runs))

    assert 2e6 < len(page) < 5e6


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([np.nan, np.inf], [None, None]),
        ([7.0, 7.0], [7, 7]),
        ([0.0, 0.0], [0, 0]),
        ([1e6, 1e6 + 0.12345], [1000000, 1000000.12345]),
        ([0.0, 123456.0], [0, 123460]),
        ([-1e-7, 1.23456789e-7], [-1e-7, 1.2346e-7]),
        ([-1e99, 1e99], [-(10**99), 10**99]),
    ],
)
def test_numbers_have_the_digits_that_their_range_asks_for(values, expected):
    rounded = _rounded(np.array(values))

    assert [type(x) for x in rounded] == [type(x) for x in expected]
    for value, wanted in zip(rounded, expected, strict=True):
        assert value is wanted or value == pytest.approx(wanted, rel=1e-9, abs=0)


def test_colours_are_those_of_lagom_plot():
    runs = [make_run("x", ID, 0, [ID, ID], agent__lr=ID) for ID in range(12)]

    labels = report_data(runs)["labels"]

    assert [label["text"] for label in labels if not label["shown"]] == ["lr=0", "lr=1"]
    figure = plot_curves(make_curves(runs))
    drawn = [(line.get_color(), line.get_linestyle()) for line in figure.axes[0].get_lines()]
    assert [(label["color"], label["dash"]) for label in labels if label["shown"]] == drawn[:10]


def test_panels_say_where_seeds_are_missing():
    ok = [make_run("x", 0, seed, agent__lr=1) for seed in range(3)]
    far = [make_run("x", 1, seed, env__id="Ant-v4", agent__lr=1) for seed in range(3)]
    far[0] = make_run("x", 1, 0, status="diverged", env__id="Ant-v4", agent__lr=1)
    more = [make_run("x", 2, seed, env__id="Hopper-v4", agent__lr=1) for seed in range(3)]

    data = report_data(ok + far + more)

    assert [label["count"] for label in data["labels"]] == ["3 seeds"]
    assert {panel["environment"]: panel["notes"] for panel in data["panels"]} == {
        "Ant-v4": ["ppo: 2/3 seeds, 1 diverged"], "CartPole-v1": [], "Hopper-v4": []
    }  # fmt: skip
    assert [run["broken"] for run in data["runs"]] == [False] * 3 + [True] + [False] * 5


def test_logs_without_returns_or_steps():
    run = make_run("x")
    run.logs["eval"]["score"] = run.logs["eval"].pop("return")
    data = report_data([run])
    assert (data["y"], data["table"][0]["final"]) == ("score", 2.0)

    del run.logs["eval"]["timestep"]
    data = report_data([run])
    assert (data["xs"], data["ys"], data["table"][0]["final"]) == ([], [], None)


def test_the_return_is_shown_first():
    run = make_run("x")
    columns = {"length": run.logs["eval"]["return"], **run.logs["eval"]}
    run = replace(run, logs={"eval": columns, "train": columns})

    keys = [y["key"] for y in report_data([run])["ys"]]

    assert keys == ["eval.return", "train.return", "eval.length", "train.length"]
    assert report_data([run])["y"] == "return"
