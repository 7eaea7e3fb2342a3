import numpy as np
import pytest

from lagom.experiment import Condition, Config, Grid, Sample


def uniform(low, high):
    return Sample(lambda rng: float(rng.uniform(low, high)))


def values(items, key, **kwargs):
    return [config[key] for config in Config(items, **kwargs).make_configs()]


def test_grid_is_a_list():
    grid = Grid([1, 2, 3])
    assert isinstance(grid, list)
    assert len(grid) == 3
    assert [*grid] == [1, 2, 3]


def test_sample_calls_its_function():
    assert Sample(lambda: 5)() == 5
    sample = Sample(lambda: np.random.uniform(3, 7))
    assert all(3 <= sample() < 7 for _ in range(100))


def test_condition_computes_from_the_configuration():
    condition = Condition(lambda x: 10 if x["one"] == "ten" else -1)
    assert condition({"one": "ten"}) == 10
    assert condition({"one": 10}) == -1
    with pytest.raises(TypeError, match="Condition: got 3; expected a function"):
        Condition(3)


def test_documented_example():
    items = {
        "log.dir": "some path",
        "network.lr": Grid([1e-3, 5e-3]),
        "env.id": Grid(["CartPole-v1", "Ant-v2"]),
    }
    rows = [(c["ID"], c["network.lr"], c["env.id"]) for c in Config(items).make_configs()]
    assert rows == [
        (0, 0.001, "CartPole-v1"),
        (1, 0.001, "Ant-v2"),
        (2, 0.005, "CartPole-v1"),
        (3, 0.005, "Ant-v2"),
    ]


def test_grids_repeat_for_every_sample_and_the_last_varies_fastest():
    items = {
        "a": Grid([1, 2]),
        "b": Grid("xyz"),
        "s": uniform(0, 1),
        "c": Condition(lambda x: (x["a"], x["b"])),
    }
    configs = Config(items, num_sample=5).make_configs()
    grid = [(1, "x"), (1, "y"), (1, "z"), (2, "x"), (2, "y"), (2, "z")]
    assert [(c["a"], c["b"]) for c in configs] == grid * 5
    assert [c["c"] for c in configs] == grid * 5
    assert [c["ID"] for c in configs] == list(range(30))
    assert len({c["s"] for c in configs}) == 30


def test_order_of_keys():
    items = {
        "log.dir": "path",
        "beta": Condition(lambda x: 1),
        "network.type": "rnn",
        "network.hidden_size": [2, 3],
        "network.lr": Grid([1, 2]),
        "env.id": "x",
        "iter": Grid([3]),
        "alpha": Sample(lambda: 4),
    }
    (config, _) = Config(items).make_configs()
    fixed = ["log.dir", "beta", "network.type", "network.hidden_size", "env.id"]
    assert [*config] == ["ID", *fixed, "network.lr", "iter", "alpha"]
    (config, _) = Config(items, keep_dict_order=True).make_configs()
    assert [*config] == ["ID", *items]
    (config,) = Config({"s": Sample(lambda: 4), "g": Grid([1]), "f": 2}).make_configs()
    assert [*config] == ["ID", "f", "g", "s"]


def test_conditions_fit_their_own_sample():
    items = {
        "alpha": uniform(0, 10),
        "beta": Condition(lambda x: "small" if x["alpha"] < 5 else "large"),
    }
    configs = Config(items, num_sample=50).make_configs()
    assert {c["beta"] for c in configs} == {"small", "large"}
    assert all(c["beta"] == ("small" if c["alpha"] < 5 else "large") for c in configs)


def test_conditions_see_the_ones_before_them():
    items = {
        "a": 2,
        "b": Condition(lambda x: x["a"] + 1),
        "c": Condition(lambda x: x["b"] * 10),
    }
    assert values(items, "c") == [30]


def test_without_samples_num_sample_means_nothing():
    items = {"a": 1, "sizes": [64, 64]}
    assert Config(items, num_sample=10).make_configs() == [{"ID": 0, "a": 1, "sizes": [64, 64]}]


def test_seeded_samples_repeat_and_leave_the_global_stream_alone():
    items = {"a": uniform(0, 1), "b": uniform(0, 1)}
    before = np.random.get_state()[1].tolist()
    first = Config(items, 3, seed=1).make_configs()
    assert np.random.get_state()[1].tolist() == before
    assert first == Config(items, 3, seed=1).make_configs()
    assert first != Config(items, 3, seed=2).make_configs()
    assert all(config["a"] != config["b"] for config in first)


def test_more_samples_values_or_keys_change_no_draw():
    small = {"a": Grid([1, 2]), "s": uniform(0, 1), "t": uniform(0, 1)}
    few = {(c["a"], c["s"], c["t"]) for c in Config(small, num_sample=2).make_configs()}
    assert len(few) == 4
    large = {
        "t": uniform(0, 1),
        "new": 3,
        "a": Grid([5, 2, 1]),
        "u": uniform(0, 1),
        "s": uniform(0, 1),
    }
    many = {(c["a"], c["s"], c["t"]) for c in Config(large, num_sample=7).make_configs()}
    assert few < many


def test_functions_without_arguments_count_as_unseeded():
    counter = iter(range(10))
    assert values({"s": Sample(lambda: next(counter))}, "s", num_sample=3) == [0, 1, 2]
    assert values({"s": Sample(lambda low=7: low)}, "s") == [7]
    assert values({"s": Sample(dict)}, "s") == [{}]


def test_configurations_share_no_mutable_value():
    sizes, inner = [64, 64], [1]
    items = {"sizes": sizes, "grid": Grid([inner]), "s": Sample(lambda: 0)}
    first, second = Config(items, num_sample=2).make_configs()
    first["sizes"].append(32)
    first["grid"].append(2)
    assert (sizes, inner) == ([64, 64], [1])
    assert (second["sizes"], second["grid"]) == ([64, 64], [1])


def test_items_must_be_a_dictionary():
    with pytest.raises(TypeError, match="Config: items is a list; expected a dict"):
        Config([("a", 1)])
