"""What on-policy algorithms share: noise that depends on the state, and regression."""

import copy
from itertools import pairwise
from pkgutil import resolve_name

import gymnasium
import numpy as np
import probes
import pytest
import torch
from configs import flat_config
from gymnasium.spaces import Box, Dict
from lagom.algorithms.on_policy import head_options, regress

from lagom import OnPolicyEngine
from lagom.envs import RecordEpisodeStatistics, make_vec_env
from lagom.networks import make_encoder
from lagom.utils import set_global_seeds

SMALL = ("agent.gamma=0.5", "agent.hidden_sizes=[16]", "env.num_env=4", "train.num_step=16")
ALGO = {
    "ppo": ("agent.lr=0.01", "agent.batch_size=32", "agent.num_epoch=4"),
    "a2c": ("agent.lr=0.02", "agent.optimizer=adam"),
    "trpo": (
        "agent.critic_lr=0.02",
        "agent.max_kl=0.02",
        "agent.batch_size=64",
        "agent.num_epoch=4",
    ),
    "vpg": ("agent.lr=0.02", "agent.critic_lr=0.02"),
    "recurrent_ppo": ("agent.lr=0.01", "agent.batch_size=32", "agent.num_epoch=4"),
}
pendulum = lambda: gymnasium.make("Pendulum-v1", disable_env_checker=True)


def build(algo, env_class, *words, seed=0):
    words = (f"algo={algo}", *SMALL, *ALGO[algo], "agent.sde=true", *words)
    config = flat_config(*words)
    set_global_seeds(seed)
    torch.set_num_threads(1)
    env, eval_env = (make_vec_env(env_class, config["env.num_env"], s) for s in (seed, 77))
    agent = resolve_name(config["algo.agent"])(config, env, "cpu")
    env = RecordEpisodeStatistics(env)
    eval_env.seeds = [1] * eval_env.num_envs
    return agent, OnPolicyEngine(config, agent=agent, env=env, eval_env=eval_env)


def head(agent):
    return getattr(agent, "head", None) or agent.actor.head


def comparable(row):
    row = {key: x for key, x in row.items() if not key.endswith("_seconds")}
    return {key: repr(x) for key, x in row.items()}  # nan is nan


def test_options_say_what_the_configuration_says():
    config = {"agent.std0": 0.5, "agent.sde": False, "agent.sde_every": 0, "agent.sde_logstd": -1.0}
    config["train.num_step"] = 128

    assert head_options(config) == {"std0": 0.5}
    config["agent.sde"] = True
    assert head_options(config) == {"sde": {"logstd0": -1.0, "every": 128}}
    config["agent.sde_every"] = 4
    assert head_options(config) == {"sde": {"logstd0": -1.0, "every": 4}}


@pytest.mark.parametrize("algo", ALGO)
def test_policy_matches_continuous_observations(algo):
    words = "train.timestep=12000", "agent.sde_logstd=-1", "agent.sde_every=1"
    agent, engine = build(algo, probes.MatchBox, *words)
    rows = []
    while engine.timestep < 12000:
        rows.append(engine.train(len(rows) + 1))

    obs = np.linspace(-1, 1, 5, dtype=np.float32)[:, None]
    action = agent.eval().choose_action(obs)["action"]

    np.testing.assert_allclose(action, 0.5 * obs, atol=0.15)
    assert rows[-1]["entropy"] < rows[0]["entropy"]  # noise costs reward


@pytest.mark.parametrize("algo", ALGO)
def test_noise_is_kept_for_an_iteration_whatever_evaluation_does(algo):
    agent, engine = build(algo, pendulum, "eval.episodes=4")
    noise = []
    for n in range(3):
        engine.train(n)
        noise.append(head(agent).noise.noise)
        engine.eval(n)
        assert head(agent).noise.noise is noise[-1]

    assert all(x.shape == (4, 16, 1) for x in noise)
    assert not any(np.array_equal(a, b) for a, b in pairwise(noise))
    assert head(agent).noise.age == 16  # the next step is the first with new noise


@pytest.mark.parametrize("algo", ALGO)
def test_state_goes_on_as_if_nothing_had_happened(algo):
    words = ("agent.sde_every=5",)  # iterations begin with noise that is not new
    agent, engine = build(algo, pendulum, *words)
    engine.train(1), engine.train(2)
    state, random_state = copy.deepcopy(engine.state_dict()), torch.get_rng_state()
    row = engine.train(3)

    again, engine = build(algo, pendulum, *words, seed=9)
    engine.load_state_dict(state)
    torch.set_rng_state(random_state)
    row_again = engine.train(3)

    assert torch.equal(agent.to_vec(), again.to_vec())
    assert comparable(row) == comparable(row_again)
    assert np.array_equal(head(agent).noise.noise, head(again).noise.noise)


@pytest.mark.parametrize("algo", ALGO)
def test_two_runs_with_one_seed_are_identical(algo):
    vecs = []
    for seed in (0, 0, 1):
        agent, engine = build(algo, pendulum, seed=seed)
        engine.train(1), engine.train(2)
        vecs.append(agent.to_vec())

    assert torch.equal(vecs[0], vecs[1])
    assert not torch.equal(vecs[0], vecs[2])


def test_the_scale_of_the_noise_is_learned_by_a_policy_that_lags_behind():
    agent, engine = build("a2c", probes.MatchBox, "agent.lag=2")
    for n in range(4):
        engine.train(n)

    assert (agent.actor.head.logstd != -2).any()
    assert not torch.equal(agent.actor.head.logstd, agent.behavior.head.logstd)
    assert agent.behavior.head.noise.age == 16
    assert agent.actor.head.noise.noise is None  # it does not act


@pytest.mark.parametrize("algo", ALGO)
def test_actions_that_are_no_numbers_are_refused(algo):
    with pytest.raises(ValueError, match=r"agent.sde: got actions Discrete\(2\); expected Box"):
        build(algo, probes.MatchDiscrete)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("kind", ["vector", "dictionary"])
def test_regression_equals_the_definition(kind, activation):
    """The gradient by hand for vectors, that of autograd for the rest."""
    vector, target = torch.randn(10, 3), torch.randn(10)
    space, obs = Box(-9.0, 9.0, (3,)), vector
    if kind == "dictionary":
        space, obs = Dict(a=Box(-9.0, 9.0, (2,)), b=Box(-9.0, 9.0, (1,))), {}
        obs["a"], obs["b"] = vector[:, :2], vector[:, 2:]
    torch.manual_seed(1)
    critic = make_encoder(space, [6, 5], 1, activation=activation)
    slow = copy.deepcopy(critic)

    optimizer = torch.optim.SGD([critic.flat], lr=0.1)  # unlike Adam, it knows how steep it is
    torch.manual_seed(2)
    loss = regress(critic, optimizer, obs, target, num_epoch=3, batch_size=4)

    optimizer, losses = torch.optim.SGD(slow.parameters(), lr=0.1), []
    torch.manual_seed(2)
    for _ in range(3):
        order = torch.randperm(10)
        for i in (order[:4], order[4:8], order[8:]):
            part = {key: x[i] for key, x in obs.items()} if kind == "dictionary" else obs[i]
            optimizer.zero_grad()
            error = (slow(part).squeeze(-1) - target[i]).square().mean()
            error.backward()
            optimizer.step()
            losses.append(error.item())
    torch.testing.assert_close(critic.to_vec(), slow.to_vec(), rtol=1e-4, atol=1e-6)
    assert loss == pytest.approx(np.mean(losses), rel=1e-4)
