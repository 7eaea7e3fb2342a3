import io

import gymnasium
import numpy as np
import pytest
import torch
from envs.count_env import CountEnv
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from lagom import BaseAgent, EpisodeRunner, RandomAgent, StepRunner
from lagom.envs import VecEnv
from lagom.networks import MLP, Module
from lagom.utils import nested


class BoxEnv(CountEnv):
    def __init__(self):
        super().__init__(3)
        self.action_space = Box(-2.0, 3.0, (2,), np.float32)


class Agent(BaseAgent):
    """Learns to give 1 for whatever it sees; draws noise."""

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        self.net = MLP(1, [4], 1)
        self.to(self.device)
        self.optimizer = torch.optim.Adam([self.flat], lr=0.1)

    def choose_action(self, x, **kwargs):
        return {"action": self.rng.random(len(x))}

    def learn(self, D, **kwargs):
        loss = (self.net(torch.ones(1, 1)) - 1).square().sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item()}


@pytest.fixture
def env():
    return VecEnv([lambda: CountEnv(3)] * 2)


# BaseAgent


def test_base_agent_is_an_abstract_module(env):
    assert issubclass(BaseAgent, Module)
    with pytest.raises(TypeError, match="abstract"):
        BaseAgent({}, env, "cpu")


def test_attributes(env):
    config = {"agent.lr": 1.0}
    agent = Agent(config, env, "cpu")

    assert agent.config is config
    assert agent.env is env
    assert agent.device == torch.device("cpu")
    assert agent.observation_space == env.single_observation_space
    assert agent.action_space == env.single_action_space
    assert agent.num_params == len(agent.to_vec()) == 13


def test_a_single_environment_has_the_same_spaces():
    env = CountEnv(3)
    agent = Agent({}, env, "cpu")

    assert (agent.observation_space, agent.action_space) == (
        env.observation_space,
        env.action_space,
    )


def test_generators_differ_within_a_run_and_repeat_between_runs(env):
    draws = []
    for _ in range(2):
        torch.manual_seed(0)
        draws += [float(Agent({}, env, "cpu").rng.random()) for _ in range(2)]

    assert draws[:2] == draws[2:]
    assert draws[0] != draws[1]


def test_state_restores_optimizer_and_generator(env):
    """Through a file: the restored agent goes on bit by bit as the first one."""
    one, two = Agent({}, env, "cpu"), Agent({}, env, "cpu")
    for _ in range(3):
        one.learn([])
    one.choose_action(np.zeros((5, 1)))
    buffer = io.BytesIO()
    torch.save(one.state_dict(), buffer)
    buffer.seek(0)
    two.load_state_dict(torch.load(buffer, weights_only=True))

    for agent in (one, two):
        for _ in range(3):
            agent.learn([])
    assert torch.equal(one.to_vec(), two.to_vec())
    x = np.zeros((5, 1))
    np.testing.assert_array_equal(one.choose_action(x)["action"], two.choose_action(x)["action"])


def test_save_and_load(env, tmp_path):
    one, two = Agent({}, env, "cpu"), Agent({}, env, "cpu")
    one.learn([])
    one.save(tmp_path / "agent.pt")
    two.load(tmp_path / "agent.pt")

    assert torch.equal(one.to_vec(), two.to_vec())
    assert two.learn([]) == one.learn([])


# RandomAgent


@pytest.mark.parametrize("make_env", [lambda: CountEnv(3), BoxEnv])
@pytest.mark.parametrize("B", [1, 4])
def test_random_actions_are_in_the_space(make_env, B):
    env = VecEnv([make_env] * B)
    obs, _ = env.reset()
    agent = RandomAgent(None, env, None)
    out = agent.choose_action(obs)

    assert type(out) is dict
    assert len(out["action"]) == B
    assert all(action in env.single_action_space for action in out["action"])
    assert out["action"].dtype == env.single_action_space.dtype
    env.step(out["action"])
    assert agent.learn([]) == {}


@pytest.mark.parametrize(
    "space",
    [
        Discrete(3, start=-1),
        MultiDiscrete([2, 3]),
        MultiBinary(4),
        Box(0, 255, (2, 3), np.uint8),
        Dict({"move": Box(-1.0, 1.0, (2,)), "jump": Discrete(2)}),
        Tuple([Discrete(2), Box(-1.0, 1.0, (2,))]),
        Tuple([Discrete(2), Discrete(3)]),
    ],
    ids=str,
)
def test_random_actions_of_all_spaces_ride_along(space):
    class Env(CountEnv):
        def __init__(self):
            super().__init__(3)
            self.action_space = space

        def step(self, action):
            assert action in space
            return super().step(action)

    for runner in (EpisodeRunner(), StepRunner()):
        env = VecEnv([Env, Env])
        D = runner(RandomAgent(None, env, None), env, 4)

        assert all(nested.num_rows(x) == tau.T for tau in D for x in nested.flat(tau.actions))
        assert all(action in space for tau in D for action in nested.rows(tau.actions))


def test_random_actions_are_uniform_and_repeat():
    draws = []
    for _ in range(2):
        torch.manual_seed(0)
        agent = RandomAgent(None, VecEnv([BoxEnv]), None)
        draws.append(agent.choose_action(np.zeros((5000, 1)))["action"])

    np.testing.assert_array_equal(*draws)
    np.testing.assert_allclose(draws[0].mean(0), 0.5, atol=0.1)  # of -2 ... 3
    np.testing.assert_allclose(draws[0].var(0), 25 / 12, rtol=0.1)


def test_random_agent_takes_a_single_environment():
    env = gymnasium.make("CartPole-v1", disable_env_checker=True)

    assert RandomAgent(None, env, None).choose_action(np.zeros((1, 4)))["action"].shape == (1,)
