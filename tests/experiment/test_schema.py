import math

import pytest
from configs import compose

from lagom.experiment.schema import check, flatten, nearest

PPO, CMAES = compose("ppo"), compose("cmaes")


def complaints(defaults=PPO, **words):
    config = {**defaults, **{key.replace("__", "."): value for key, value in words.items()}}
    return check(config, defaults)


def converted(key, value, defaults=PPO):
    config = {**defaults, key: value}
    assert check(config, defaults) == []
    return config[key]


def test_shipped_configurations_pass():
    for algo in ("ppo", "cmaes"):
        for env in ("CartPole-v1", "Ant-v2"):
            config = compose(algo, env)
            assert check({**config}, config) == []


def test_flatten_keeps_foreign_dictionaries_whole():
    tree = {"a": {"b": {"c": 1}, "d": []}, "env": {"kwargs": {"x": {"y": 2}}}, "e": None}
    assert flatten(tree) == {"a.b.c": 1, "a.d": [], "env.kwargs": {"x": {"y": 2}}, "e": None}


def test_whole_numbers():
    value = converted("train.timestep", 1e6)
    assert value == 1_000_000
    assert type(value) is int
    for value in (1.5, "abc", "7", True, None, [1], math.inf, math.nan):
        (complaint,) = complaints(train__timestep=value)
        assert complaint == f"train.timestep: got {value!r}; expected a whole number"


def test_numbers():
    value = converted("agent.lr", 1)
    assert value == 1.0
    assert type(value) is float
    for value in ("abc", "1e-3", False, None, math.inf, math.nan):
        (complaint,) = complaints(agent__lr=value)
        assert complaint == f"agent.lr: got {value!r}; expected a number"


def test_truth_values_are_strict():
    assert converted("fresh", True) is True
    for value in (1, 0, "true", None):
        (complaint,) = complaints(fresh=value)
        assert complaint == f"fresh: got {value!r}; expected true or false"


def test_text_and_lists():
    assert complaints(device=0) == ["device: got 0; expected text"]
    assert complaints(agent__hidden_sizes=64) == ["agent.hidden_sizes: got 64; expected a list"]
    assert converted("agent.hidden_sizes", []) == []
    for sizes in ([64, 0], [1.5], [True], ["a"]):
        (complaint,) = complaints(agent__hidden_sizes=sizes)
        assert complaint.endswith("expected a list of whole numbers of at least 1")


@pytest.mark.parametrize(
    ("key", "good", "bad", "expected"),
    [
        ("env.num_env", 2, 0, "at least 1"),
        ("train.num_step", 256, -1, "at least 1"),
        ("eval.every", 0, -1, "at least 0"),
        ("eval.episodes", 1, 0, "at least 1"),
        ("checkpoint.every", 0, -5, "at least 0"),
        ("checkpoint.keep", 1, 0, "at least 1"),
        ("agent.gamma", 1, 1.01, "in [0, 1]"),
        ("agent.lam", 0, -0.1, "in [0, 1]"),
        ("agent.lr", 1e-9, 0, "greater than 0"),
        ("agent.entropy_coef", 0, -1e-9, "at least 0"),
        ("threads", 1, 0, "at least 1"),
    ],
)
def test_ranges(key, good, bad, expected):
    assert converted(key, good) == good
    assert check({**PPO, key: bad}, PPO) == [f"{key}: got {bad}; expected {expected}"]


def test_optional_whole_number():
    assert converted("es.popsize", None, CMAES) is None
    assert converted("es.popsize", 8.0, CMAES) == 8
    assert check({**CMAES, "es.popsize": 1}, CMAES) == ["es.popsize: got 1; expected at least 2"]
    (complaint,) = check({**CMAES, "es.popsize": "many"}, CMAES)
    assert complaint == "es.popsize: got 'many'; expected a whole number"


def test_choices():
    for value in (True, False, "auto"):
        assert converted("env.normalize_obs", value) is value
    assert complaints(env__normalize_obs=1) == [
        "env.normalize_obs: got 1; expected one of: true, false, auto"
    ]
    assert complaints(env__backend="serail") == [
        "env.backend: got 'serail'; expected one of: auto, serial, mujoco, classic, async; "
        "did you mean serial?"
    ]
    assert complaints(agent__activation=["relu"])[0].startswith("agent.activation: got ['relu']")


def test_unknown_keys_come_with_a_suggestion():
    assert complaints(zzz=1) == ["no such key: zzz"]
    assert complaints(eval__evry=1) == ["no such key: eval.evry; did you mean eval.every?"]
    assert complaints(lr=1) == ["no such key: lr; did you mean agent.lr?"]


def test_missing_and_removed_keys():
    config = {key: value for key, value in PPO.items() if key != "agent.clip"}
    assert check({**config, "env.id": "???"}, PPO) == [
        "env.id is missing; give it, for example env.id=...",
        "no such key: agent.clip; it was removed",
    ]


def test_all_problems_at_once_and_nothing_else_is_changed():
    config = {**PPO, "agent.lr": -1, "nope": 2, "agent.gamma": "x", "train.timestep": 2e3}
    found = check(config, PPO)
    assert [text.split(":")[0] for text in found] == ["agent.lr", "agent.gamma", "no such key"]
    assert config == {
        **PPO,
        "agent.lr": -1.0,
        "nope": 2,
        "agent.gamma": "x",
        "train.timestep": 2000,
    }


def test_minibatch_must_fit_the_batch():
    assert complaints(env__num_env=2, train__num_step=8, agent__batch_size=16) == []
    assert complaints(env__num_env=2, train__num_step=8, agent__batch_size=17) == [
        "agent.batch_size: got 17; expected at most env.num_env x train.num_step = 16, "
        "the transitions of one iteration"
    ]


def test_where_populations_are_evaluated():
    assert check({**CMAES, "env.num_env": 2, "es.workers": 2, "es.executor": "ray"}, CMAES) == []
    assert check({**CMAES, "es.workers": 0}, CMAES) == ["es.workers: got 0; expected at least 1"]
    (complaint,) = check({**CMAES, "es.executor": "slurm"}, CMAES)
    assert complaint == "es.executor: got 'slurm'; expected one of: process, ray"


def test_dictionaries_of_others_are_not_looked_into():
    kwargs = {"anything": {"goes": [1, "x"]}}
    assert converted("env.kwargs", kwargs) == kwargs
    assert complaints(env__kwargs=3) == ["env.kwargs: got 3; expected a dict"]


def test_nearest():
    assert nearest("pppo", ["ppo", "cmaes"]) == "; did you mean ppo?"
    assert nearest("clip", ["agent.gamma", "agent.clip"]) == "; did you mean agent.clip?"
    assert nearest("zzz", ["ppo"]) == ""
