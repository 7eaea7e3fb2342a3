"""Behaviours that must hold, by their ids: lagom: agents, engine, logger."""

import numpy as np
import pytest
from envs.count_env import CountEnv
from gymnasium.spaces import Box, Discrete

from lagom import BaseAgent, BaseEngine, Logger, RandomAgent
from lagom.envs import VecEnv
from lagom.networks import MLP, Module
from lagom.utils import pickle_load


@pytest.fixture
def logger():
    """Three iterations of the documentation's example."""
    logger = Logger()
    for iteration, train_loss in ((1, 0.12), (2, 0.11), (3, 0.09)):
        logger("iteration", iteration)
        logger("train_loss", train_loss)
    return logger


@pytest.fixture
def dumped(logger, capsys):
    """What ``dump`` prints, without empty lines."""

    def dump(**kwargs):
        logger.dump(**kwargs)
        return [line for line in capsys.readouterr().out.splitlines() if line]

    return dump


class Agent(BaseAgent):
    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        self.net = MLP(1, [3], 2)

    def choose_action(self, x, **kwargs):
        return {"action": np.zeros(len(x), int)}

    def learn(self, D, **kwargs):
        return {}


class Engine(BaseEngine):
    def train(self, n=None, **kwargs):
        return {}

    def eval(self, n=None, **kwargs):
        return {}


@pytest.mark.parametrize("space", [Discrete(4), Box(-2.0, 3.0, (2,), np.float32)], ids=str)
def test_LAG_01_random_agent(space):
    class Env(CountEnv):
        def __init__(self):
            super().__init__(3)
            self.action_space = space

    env = VecEnv([Env])
    out = RandomAgent(None, env, None).choose_action(env.reset()[0])

    assert isinstance(out, dict)
    assert len(out["action"]) == 1
    assert env.single_action_space.contains(out["action"][0])


def test_LAG_03_base_agent(tmp_path):
    env = VecEnv([lambda: CountEnv(3)])
    with pytest.raises(TypeError, match="abstract"):
        BaseAgent({}, env, "cpu")
    agent = Agent({}, env, "cpu")

    assert isinstance(agent, Module)
    assert agent.num_params == len(agent.to_vec()) == 3 + 3 + 6 + 2
    agent.save(tmp_path / "agent")
    assert [*tmp_path.iterdir()]


def test_LAG_04_base_engine():
    config = {"x": 1}
    engine = Engine(config, agent=1, env=2)

    assert engine.config is config
    assert (engine.agent, engine.env) == (1, 2)


def test_LAG_05_logs(logger):
    expected = {"iteration": [1, 2, 3], "train_loss": [0.12, 0.11, 0.09]}

    assert logger.logs == expected
    assert [*logger.logs] == [*expected]
    assert repr(logger) == repr(logger.logs)


def test_LAG_06_dump(dumped):
    assert dumped() == ["Iteration: [1, 2, 3]", "Train Loss: [0.12, 0.11, 0.09]"]


def test_LAG_07_indent(dumped):
    assert dumped(indent=1) == ["\tIteration: [1, 2, 3]", "\tTrain Loss: [0.12, 0.11, 0.09]"]


def test_LAG_08_keys(dumped):
    assert dumped(keys=["iteration"]) == ["Iteration: [1, 2, 3]"]


def test_LAG_09_index(dumped):
    assert dumped(index=0) == ["Iteration: 1", "Train Loss: 0.12"]


def test_LAG_10_indices(dumped):
    assert dumped(index=[0, 2]) == ["Iteration: [1, 3]", "Train Loss: [0.12, 0.09]"]


def test_LAG_11_last(dumped):
    assert dumped(index=-1) == ["Iteration: 3", "Train Loss: 0.09"]


def test_LAG_13_border(dumped):
    assert dumped(keys=["iteration"], border="-----") == ["-----", "Iteration: [1, 2, 3]", "-----"]


def test_LAG_15_save(logger, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    logger.save("x/logger_file")
    logs = pickle_load("x/logger_file.pkl")

    assert logs == logger.logs
    assert [*logs] == [*logger.logs]


def test_LAG_16_clear(logger):
    logger.clear()

    assert len(logger.logs) == 0
