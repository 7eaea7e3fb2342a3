import copy

import numpy as np
import probes
import pytest
import torch
from configs import flat_config
from lagom.algorithms.sac.agent import Agent
from torch.nn import functional as F

from lagom.engine import OffPolicyEngine
from lagom.envs import RecordEpisodeStatistics, make_envs, make_vec_env
from lagom.utils import set_global_seeds

SMALL = (
    *("agent.lr=0.01", "agent.gamma=0.5", "agent.hidden_sizes=[16]", "agent.batch_size=32"),
    *("agent.tau=0.2", "train.warmup=100", "train.num_step=100", "train.timestep=500"),
    "env=Pendulum-v1",
)


class Continuous:
    """A probe's observations and rewards, with an action that does not matter."""

    def __init__(self, env_class):
        self.env_class = env_class

    def __call__(self):
        env = self.env_class()
        env.action_space = probes.MatchBox().action_space
        return env


def make(env_class, *words, seed=0, num_env=1):
    config = flat_config("algo=sac", *SMALL, f"env.num_env={num_env}", *words)
    set_global_seeds(seed)
    torch.set_num_threads(config["threads"])
    env = RecordEpisodeStatistics(make_vec_env(env_class, num_env, seed))
    agent = Agent(config, env, "cpu")
    return agent, OffPolicyEngine(config, agent=agent, env=env)


def train(env_class, *words, **kwargs):
    agent, engine = make(env_class, *words, **kwargs)
    rows = []
    while engine.timestep < agent.config["train.timestep"]:
        rows.append(engine.train(len(rows) + 1))
    return agent, rows


# What the critics must find


@pytest.mark.parametrize(
    ("env_class", "observations", "values"),
    [
        (probes.ConstantReward, [0.0], [1.0]),
        (probes.DelayedReward, [0.0, 1.0], [0.5, 1.0]),  # gamma, 1
        (probes.Forever, [0.0], [2.0]),  # 1 / (1 - gamma): a clock is not the end
    ],
)
def test_critics_find_the_value(env_class, observations, values):
    """With a temperature so small that entropy is worth nothing."""
    agent, _ = train(Continuous(env_class), "agent.alpha=1e-4")
    obs = torch.tensor(observations)[:, None]

    with torch.no_grad():
        Q = agent.critics(obs, torch.zeros(len(obs), 1))

    for values_of_one in Q:
        np.testing.assert_allclose(values_of_one, values, atol=0.07)


def test_the_temperature_is_worth_its_entropy():
    """Uniform actions in [-1, 1] have entropy log 2: Q = gamma / (1 - gamma) alpha log 2."""
    agent, _ = train(Continuous(probes.Forever), "agent.alpha=1.0", "train.timestep=800")

    with torch.no_grad():
        Q = torch.min(*agent.critics(torch.zeros(1, 1), torch.zeros(1, 1)))

    assert Q.item() == pytest.approx(2.0 + np.log(2), abs=0.15)


# What the actor must find


def test_policy_matches_observations():
    agent, rows = train(probes.MatchBox, "train.timestep=900")

    obs = np.linspace(-1, 1, 5, dtype=np.float32)[:, None]
    action = agent.eval().choose_action(obs)["action"]

    np.testing.assert_allclose(action, 0.5 * obs, atol=0.1)
    assert rows[-1]["return"] > -0.15 > rows[0]["return"]


def test_the_temperature_finds_the_entropy_wanted():
    agent, rows = train(probes.MatchBox, "agent.lr=0.03", "train.timestep=1100")

    assert rows[-1]["entropy"] == pytest.approx(agent.target_entropy, abs=0.35)
    assert agent.target_entropy == -1.0
    assert 0 < agent.log_alpha.exp().item() < 1


# One update


@pytest.mark.parametrize("alpha", ["auto", 0.3])
def test_update_equals_the_definition(alpha):
    agent, _ = make(probes.MatchBox, f"agent.alpha={alpha}")
    rng = np.random.default_rng(0)
    D = {
        "observation": rng.normal(size=(6, 1)).astype(np.float32),
        "action": rng.uniform(-1, 1, (6, 1)).astype(np.float32),
        "reward": rng.normal(size=6).astype(np.float32),
        "next_observation": rng.normal(size=(6, 1)).astype(np.float32),
        "terminated": np.array([0, 1, 0, 0, 1, 0], bool),
        "discount": np.array([0.5, 0.5, 0.25, 0.5, 0.25, 0.5], np.float32),
    }
    with torch.no_grad():
        agent.critics_target.flat.mul_(1.5)  # so that they differ
    actor, critics, target = map(copy.deepcopy, (agent.actor, agent.critics, agent.critics_target))

    torch.manual_seed(5)
    out = agent.learn(dict(D))

    torch.manual_seed(5)
    temperature = 1.0 if alpha == "auto" else alpha
    obs, next_obs = torch.tensor(D["observation"]), torch.tensor(D["next_observation"])
    adam = lambda module: torch.optim.Adam(module.parameters(), lr=0.01)
    critic_optimizer, actor_optimizer = adam(critics), adam(actor)
    with torch.no_grad():
        next_action, next_logprob = actor.sample(next_obs)
        Q_next = torch.stack(target(next_obs, next_action)).amin(0) - temperature * next_logprob
        y = [
            float(r) + (0.0 if end else float(g) * q.item())
            for r, end, g, q in zip(
                D["reward"], D["terminated"], D["discount"], Q_next, strict=True
            )
        ]
    Q1, Q2 = critics(obs, torch.tensor(D["action"]))
    critic_loss = sum(F.mse_loss(Q, torch.tensor(y)) for Q in (Q1, Q2))
    critic_loss.backward()
    critic_optimizer.step()
    action, logprob = actor.sample(obs)
    loss = (temperature * logprob - torch.stack(critics(obs, action)).amin(0)).mean()
    loss.backward()
    actor_optimizer.step()
    # Adam's first step is the learning rate against the sign of the gradient.
    step = 0.01 * float(np.sign((logprob.mean() + agent.target_entropy).item()))
    log_alpha = np.log(temperature) + (step if alpha == "auto" else 0.0)
    new_target = 0.8 * target.to_vec() + 0.2 * critics.to_vec()

    for module, expected in ((agent.critics, critics), (agent.actor, actor)):
        torch.testing.assert_close(module.to_vec(), expected.to_vec(), rtol=1e-4, atol=2e-6)
    torch.testing.assert_close(agent.critics_target.to_vec(), new_target, rtol=1e-4, atol=2e-6)
    assert agent.log_alpha.item() == pytest.approx(log_alpha, abs=1e-6)
    assert out["critic_loss"] == pytest.approx(critic_loss.item(), rel=1e-5)
    assert out["actor_loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert out["entropy"] == pytest.approx(-logprob.mean().item(), rel=1e-5)


def test_acting_is_the_same_on_arrays_and_on_tensors():
    agent, _ = make(probes.MatchBox)
    obs = np.random.default_rng(0).normal(size=(5, 1))

    greedy = agent.eval().choose_action(obs)["action"]

    mean, _ = agent.actor.head.moments(agent.actor.trunk(torch.tensor(obs, dtype=torch.float32)))
    np.testing.assert_allclose(greedy, mean.tanh().detach(), atol=1e-6)
    assert not np.allclose(agent.train().choose_action(obs)["action"], greedy)


def test_several_environments_share_the_replay_ratio():
    agent, engine = make(probes.MatchBox, "train.replay_ratio=0.5", "train.every=3", num_env=4)
    updates, learn = [], agent.learn
    agent.learn = lambda D, timestep: updates.append(timestep) or learn(D, timestep=timestep)

    row = engine.train(1)

    assert row["timestep"] == engine.timestep == 100 + 100 * 4  # warm-up, then train.num_step
    assert len(updates) == 100 * 4 * 0.5
    assert updates[:7] == [112] * 6 + [124]


def test_discrete_actions_are_refused_with_what_serves_them():
    config = flat_config("algo=sac", "env=CartPole-v1")
    env, _ = make_envs(config, 0)
    with pytest.raises(
        ValueError, match=r"sac: action space is Discrete.*use algo=dqn, algo=sac_discrete or"
    ):
        Agent(config, env, "cpu")


@pytest.mark.slow
@pytest.mark.timeout(1800)  # three seeds, of up to 110 s on a quiet machine
def test_solves_pendulum():
    returns = []
    for seed in (1, 2, 3):
        config = flat_config("algo=sac", "env=Pendulum-v1", "train.timestep=10000")
        set_global_seeds(seed)
        torch.set_num_threads(1)
        env, eval_env = make_envs(config, seed)
        agent = Agent(config, env, "cpu")
        engine = OffPolicyEngine(config, agent=agent, env=env, eval_env=eval_env)
        while engine.timestep < config["train.timestep"]:
            engine.train()
        returns.append(engine.eval()["return"])
    assert np.median(returns) >= -200
