import contextlib
import csv
import math
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from lagom.experiment import storage, sweep
from lagom.experiment.sweep import (
    expand,
    experiment_folder,
    experiment_name,
    identity,
    make_jobs,
    parse_seeds,
    plan,
)
from lagom.utils import Seeder


def values(words, key, **kwargs):
    """The values that ``key`` takes, in order, as text."""
    combinations, _ = expand(words, **kwargs)
    return [dict(word.split("=", 1) for word in words)[key] for words in combinations]


def draws(words, key, **kwargs):
    return [float(value) for value in values(words, key, **kwargs)]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("a=1,2", ["1", "2"]),
        ("a=choice(x,y,z)", ["x", "y", "z"]),
        ("a=range(1,7,2)", ["1", "3", "5"]),
        ("a=[64,64],[32]", ["[64,64]", "[32]"]),
        ("a={b:1},{b:2}", ["{b:1}", "{b:2}"]),
        ("a='x,y','z'", ["'x,y'", "'z'"]),
        ("a=sort(3,1,2)", ["1", "2", "3"]),
        ("a=1e-3,null,true", ["0.001", "null", "True"]),
    ],
)
def test_several_values_are_a_grid(word, expected):
    assert values([word], "a") == expected
    assert expand([word])[1] == ["a"]


@pytest.mark.parametrize(
    "word", ["a=1", "a=[1,2]", "a='1,2'", "a={b:1,c:2}", "a=f\\,g", "+a=x", "a="]
)
def test_everything_else_is_fixed_and_stays_as_it_was_typed(word):
    assert expand([word]) == ([[word]], [])


def test_grids_multiply_and_the_last_varies_fastest():
    combinations, varying = expand(["a=1,2", "fixed=0", "b=x,y"])
    assert combinations == [
        [f"a={a}", "fixed=0", f"b={b}"] for a, b in [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    ]
    assert varying == ["a", "b"]


def test_no_words_are_one_configuration():
    assert expand([]) == ([[]], [])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a=1,2", "a=3"], ["a=3"]),
        (["a=3", "+a=4"], ["+a=4"]),
        (["+a=4", "a=3"], ["a=3"]),
        (["++a=1", "+a=2"], ["+a=2"]),
    ],
)
def test_the_last_word_on_a_key_wins(words, expected):
    assert expand(words) == ([expected], [])
    assert values(["a=3", "a=1,2"], "a") == ["1", "2"]


def test_intervals_are_drawn_uniformly():
    xs = draws(["a=interval(2,4)"], "a", num_sample=400)
    assert all(2 <= x < 4 for x in xs)
    assert sum(xs) / 400 == pytest.approx(3, abs=4 * 2 / math.sqrt(12 * 400))
    assert len(set(xs)) > 390


def test_logarithmic_intervals_are_uniform_in_the_logarithm():
    xs = draws(["a=tag(log,interval(1e-4,1))"], "a", num_sample=400)
    assert all(1e-4 <= x < 1 for x in xs)
    logs = [math.log10(x) for x in xs]
    assert sum(logs) / 400 == pytest.approx(-2, abs=4 * 4 / math.sqrt(12 * 400))


def test_whole_number_intervals_include_both_ends():
    xs = values(["a=int(interval(1,3))"], "a", num_sample=300)
    assert {x: 80 < xs.count(x) < 120 for x in set(xs)} == {"1": True, "2": True, "3": True}
    xs = values(["a=tag(log,int(interval(1,8)))"], "a", num_sample=300)
    assert {*xs} == {*"12345678"}
    assert xs.count("1") > xs.count("8")


@pytest.mark.parametrize("interval", ["interval(3,3)", "interval(4,3)", "tag(log,interval(0,1))"])
def test_empty_interval_is_refused(interval):
    with pytest.raises(ValueError, match=r"a: interval\(\S+\) is empty; expected low < high"):
        expand([f"a={interval}"])


def test_draws_depend_on_seed_key_grid_point_and_number_only():
    words = ["g=1,2", "a=interval(0,1)", "b=interval(0,1)"]
    few = [tuple(words) for words in expand(words, num_sample=2)[0]]
    assert few == [tuple(words) for words in expand(words, num_sample=2)[0]]
    assert len({a for _, a, _ in few} | {b for *_, b in few}) == 8
    more_samples = [tuple(words) for words in expand(words, num_sample=5)[0]]
    assert more_samples[: len(few)] == few
    more_values = expand(["g=3,2,1", "fixed=0", *words[1:]], num_sample=2)[0]
    assert {*few} <= {(g, a, b) for g, _, a, b in more_values}
    other_seed = [tuple(words) for words in expand(words, num_sample=2, sample_seed=1)[0]]
    assert not {*few} & {*other_seed}


def test_seeds():
    assert parse_seeds(1) == Seeder(0)(1)
    assert parse_seeds(5)[:3] == parse_seeds(3)
    assert len({*parse_seeds(5)}) == 5
    assert parse_seeds([3, 1, 3, 0]) == [3, 1, 0]


@pytest.mark.parametrize("seeds", [0, -1, 1.5, True, "3", None, [], [1.0], [-1], [2**32], [True]])
def test_seeds_that_are_none(seeds):
    with pytest.raises(ValueError, match="seeds: got .*; expected a number of seeds"):
        parse_seeds(seeds)


def test_experiment_name():
    def name(*pairs):
        return experiment_name([{"algo.name": algo, "env.id": env} for algo, env in pairs])

    assert name(("ppo", "Ant-v2")) == "ppo-Ant-v2"
    assert name(("ppo", "A-v1"), ("ppo", "B-v1"), ("cem", "A-v1")) == "ppo+cem-A-v1+B-v1"
    assert name(*[("ppo", f"E{i}-v0") for i in range(4)]) == "ppo-4-envs"
    assert name(("ppo", "my.module:Mine-v0")) == "ppo-Mine-v0"
    assert name(("ppo", "ALE/Pong v5")) == "ppo-ALE-Pong-v5"


@pytest.mark.parametrize("name", ["..", "../x", "a/../../x", "/tmp/x", "", ".", "a/.."])
def test_experiment_cannot_leave_the_root(tmp_path, name):
    with pytest.raises(ValueError, match="leads out of .*; expected a folder name"):
        experiment_folder(tmp_path, name)


def test_experiment_folder(tmp_path):
    assert experiment_folder(tmp_path, "a b") == tmp_path / "a b"
    assert experiment_folder(str(tmp_path), "deep/er") == tmp_path / "deep" / "er"
    assert experiment_folder(tmp_path, 7) == tmp_path / "7"


CONFIG = {"ID": 0, "seed": None, "seeds": 3, "name": "x", "fresh": True, "env.id": "Ant-v2"}


def configs(*lrs):
    return [{**CONFIG, "agent.lr": lr, "env.kwargs": {"x": [1, None]}} for lr in lrs]


def test_same_command_again_gets_the_same_ids(tmp_path):
    folder = tmp_path / "deep" / "x"
    first = plan(folder, configs(1e-3, 1e-5), ["agent.lr"])
    assert [config["ID"] for config in first] == [0, 1]
    assert first[1] == {
        "ID": 1,
        "env.id": "Ant-v2",
        "agent.lr": 1e-5,
        "env.kwargs": {"x": [1, None]},
    }
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert plan(folder, configs(1e-3, 1e-5), ["agent.lr"]) == first
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files


def test_new_values_get_new_ids_and_old_ones_stay_in_the_table(tmp_path):
    plan(tmp_path, configs(0.1, 0.2), ["agent.lr"])
    again = plan(tmp_path, configs(0.3, 0.2), ["agent.lr"])
    assert [(config["ID"], config["agent.lr"]) for config in again] == [(2, 0.3), (1, 0.2)]
    assert [c["agent.lr"] for c in storage.read_pickle(tmp_path / "configs.pkl")] == [0.1, 0.2, 0.3]


def test_sweeps_that_start_together_share_no_id(tmp_path, monkeypatch):
    number, together = sweep.number, threading.Barrier(2)

    def slow(folder, configs):
        numbered = number(folder, configs)
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(timeout=0.2)  # until the other one has numbered too, if it may
        return numbered

    monkeypatch.setattr(sweep, "number", slow)
    with ThreadPoolExecutor(2) as pool:
        planned = list(pool.map(lambda lr: plan(tmp_path, configs(lr), [])[0], [0.1, 0.2]))
    assert sorted(config["ID"] for config in planned) == [0, 1]
    assert storage.read_pickle(tmp_path / "configs.pkl") == sorted(planned, key=lambda c: c["ID"])


def test_what_a_killed_sweep_left_is_removed_but_nothing_of_jobs(tmp_path):
    names = [".configs.pkl.99.tmp", "0/.config.yml.99.tmp", "0/1/.status.json.99.tmp"]
    (tmp_path / "0/1").mkdir(parents=True)
    for name in names:
        (tmp_path / name).touch()
    plan(tmp_path, configs(1), [])
    assert [(tmp_path / name).exists() for name in names] == [False, False, True]


def test_equal_configurations_are_planned_once(tmp_path):
    assert [config["ID"] for config in plan(tmp_path, configs(1, 2, 1), [])] == [0, 1]


def test_table(tmp_path):
    planned = plan(tmp_path, configs(0.1, 0.2), ["agent.lr", "nowhere"])
    with open(tmp_path / "configs.csv", newline="") as file:
        assert [*csv.reader(file)] == [
            ["ID", "agent.lr", "env.id", "env.kwargs"],
            ["0", "0.1", "Ant-v2", "{'x': [1, None]}"],
            ["1", "0.2", "Ant-v2", "{'x': [1, None]}"],
        ]
    with open(tmp_path / "configs.pkl", "rb") as file:
        assert pickle.load(file) == planned
    assert yaml.safe_load((tmp_path / "1" / "config.yml").read_text()) == planned[1]


def test_foreign_folders_are_left_alone_and_damaged_ones_named(tmp_path):
    for name in ("notes", "old-1-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yml").write_text("- not mine")
    (tmp_path / "4").mkdir()  # of a command that was killed before it wrote the rest
    assert [config["ID"] for config in plan(tmp_path, configs(1), [])] == [0]
    (tmp_path / "4" / "config.yml").write_text("- 1")
    with pytest.raises(ValueError, match=r"4/config\.yml: not a configuration; expected keys"):
        plan(tmp_path, configs(1), [])
    (tmp_path / "4" / "config.yml").write_text("a: [")
    with pytest.raises(ValueError, match=r"4/config\.yml: not readable as YAML"):
        plan(tmp_path, configs(1), [])


def test_identity_is_of_values_not_of_order_or_id():
    assert identity({"ID": 1, "a": 1, "b": [2]}) == identity({"b": [2], "a": 1})
    assert identity({"a": 1}) != identity({"a": 2})
    assert identity({"a": 1}) != identity({"b": 1})


def test_jobs_vary_the_seed_fastest(tmp_path):
    jobs = make_jobs(tmp_path, [{"ID": 3}, {"ID": 5}], [7, 9])
    assert [(job.config["ID"], job.seed) for job in jobs] == [(3, 7), (3, 9), (5, 7), (5, 9)]
    assert jobs[1].logdir == tmp_path / "3" / "9"
