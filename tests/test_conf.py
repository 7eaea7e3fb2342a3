from itertools import takewhile
from pathlib import Path
from pkgutil import resolve_name

import lagom.conf
import numpy as np
import pytest
from configs import flat_config

from lagom.envs import make, make_envs
from lagom.utils import set_global_seeds

ROOT = Path(lagom.conf.__file__).parent


def names(group):
    return sorted(path.stem for path in (ROOT / group).glob("*.yaml"))


TINY = {  # a key is used where the algorithm has it
    "train.timestep": 100,
    "train.warmup": 20,
    "replay.capacity": 100,
    "train.num_step": 8,
    "agent.batch_size": 16,
    "eval.episodes": 2,
    "es.popsize": 4,
}


CONTINUOUS = {"sac", "td3", "ddpg", "tqc", "crossq"}  # algorithms that serve Box actions only


@pytest.mark.parametrize("algo", names("algo"))
def test_every_algorithm_trains_two_iterations_from_its_file(algo):
    known = flat_config(f"algo={algo}")
    env = "Pendulum-v1" if algo in CONTINUOUS else "CartPole-v1"
    words = [f"{key}={value}" for key, value in TINY.items() if key in known]
    config = flat_config(f"algo={algo}", f"env={env}", *words)
    before = repr(config)

    set_global_seeds(0)
    env, eval_env = make_envs(config, 0)
    agent = resolve_name(config["algo.agent"])(config, env, "cpu")
    engine = resolve_name(config["algo.engine"])(config, agent=agent, env=env, eval_env=eval_env)
    weights = agent.to_vec().detach().clone()
    rows = [engine.train(n) for n in (1, 2)]

    assert rows[0].keys() == rows[1].keys()
    assert 0 < rows[0]["timestep"] < rows[1]["timestep"]
    assert not np.array_equal(weights, agent.to_vec().detach())
    assert engine.eval(2)["episodes"] == 2
    assert repr(config) == before
    assert config["algo.name"] == algo


@pytest.mark.parametrize("name", [name for name in names("env") if name not in ("gym", "atari")])
def test_every_environment_composes_and_can_be_made(name):
    config = flat_config(f"env={name}")
    with make(config["env.id"], **config["env.kwargs"]) as env:
        obs, _ = env.reset(seed=0)

        assert obs in env.observation_space
    assert config["env.id"] == name


def test_any_id_composes():
    assert flat_config("env=gym", "env.id=Acrobot-v1")["env.id"] == "Acrobot-v1"


def test_atari_is_a_recipe_for_any_of_its_games():
    config = flat_config("env=atari", "env.id=ALE/Pong-v5")
    assert (config["env.skip"], config["env.size"], config["env.stack"]) == (4, [84, 84], 4)


def test_every_preset_composes():
    for name in names("experiment"):
        assert flat_config(f"experiment={name}")["train.timestep"] > 0


@pytest.mark.parametrize("algo", names("algo"))
@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_every_algorithm_composes_with_both_kinds_of_actions(algo, env):
    config = flat_config(f"algo={algo}", f"env={env}")

    assert (config["algo.name"], config["env.id"]) == (algo, env)


@pytest.mark.parametrize("algo", names("algo"))
def test_hyperparameters_explain_themselves(algo):
    """Each line under ``agent:`` says its unit, source or choices."""
    lines = (ROOT / "algo" / f"{algo}.yaml").read_text().splitlines()
    lines = takewhile(lambda line: line.startswith(" "), lines[lines.index("agent:") + 1 :])

    assert [line for line in lines if "#" not in line] == []
