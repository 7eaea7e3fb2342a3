import copy

import numpy as np
import probes
import pytest
import torch
from configs import flat_config
from lagom.algorithms.dqn.agent import Agent

from lagom.engine import OffPolicyEngine
from lagom.envs import RecordEpisodeStatistics, make_envs, make_vec_env
from lagom.utils import set_global_seeds

SMALL = (
    *("agent.lr=0.005", "agent.gamma=0.5", "agent.hidden_sizes=[32]", "agent.batch_size=32"),
    *("agent.tau=0.2", "train.warmup=100", "train.num_step=500", "train.timestep=2000"),
    *("replay.n_step=1",),
)


def make(env_class, *words, seed=0, num_env=2):
    config = flat_config("algo=dqn", *SMALL, f"env.num_env={num_env}", *words)
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


def values(agent, observations):
    with torch.no_grad():
        return agent.Q(torch.tensor(observations, dtype=torch.float32)[:, None]).numpy()


# What the network must find


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize(
    ("env_class", "observations", "expected"),
    [
        (probes.ConstantReward, [0.0], [1.0]),
        (probes.DelayedReward, [0.0, 1.0], [0.5, 1.0]),  # gamma, 1
        (probes.Forever, [0.0], [2.0]),  # 1 / (1 - gamma): a clock is not the end
    ],
)
def test_values(env_class, observations, expected, n_step):
    agent, _ = train(env_class, f"replay.n_step={n_step}", "agent.epsilon=1")  # both actions

    for action in range(2):
        np.testing.assert_allclose(values(agent, observations)[:, action], expected, atol=0.05)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("agent.double=false", "agent.dueling=false"),
        ("replay.prioritized=true", "replay.n_step=3"),
    ],
)
def test_policy_matches_observations(words):
    agent, rows = train(probes.MatchDiscrete, *words)

    np.testing.assert_allclose(values(agent, [-1.0, 1.0]), np.eye(2), atol=0.1)
    greedy = agent.eval().choose_action(np.array([[-1.0], [1.0]], np.float32))["action"]
    assert greedy.tolist() == [0, 1]
    assert rows[-1]["return"] > 0.95 > rows[0]["return"]
    assert rows[-1]["epsilon"] == agent.config["agent.epsilon"]


# One update


@pytest.mark.parametrize("double", [True, False])
def test_update_equals_the_definition(double):
    agent, _ = make(probes.MatchDiscrete, f"agent.double={double}", "agent.max_grad_norm=0.05")
    rng = np.random.default_rng(0)
    D = {
        "observation": rng.normal(size=(6, 1)).astype(np.float32),
        "action": rng.integers(2, size=6),
        "reward": rng.normal(size=6).astype(np.float32) * 3,
        "next_observation": rng.normal(size=(6, 1)).astype(np.float32),
        "terminated": np.array([0, 1, 0, 0, 1, 0], bool),
        "discount": np.array([0.5, 0.5, 0.25, 0.5, 0.25, 0.5], np.float32),
        "weight": rng.uniform(0.1, 1, 6).astype(np.float32),
    }
    with torch.no_grad():
        agent.Q_target.flat.mul_(1.5)  # so that it differs
    Q, Q_target = copy.deepcopy(agent.Q), copy.deepcopy(agent.Q_target)

    out = agent.learn(dict(D))

    optimizer = torch.optim.Adam(Q.parameters(), lr=0.005)
    td_error, loss = [], 0.0
    for i in range(6):
        obs, next_obs = (torch.tensor(D[k][i : i + 1]) for k in ("observation", "next_observation"))
        best = (Q if double else Q_target)(next_obs).argmax()
        target = float(D["reward"][i])
        if not D["terminated"][i]:
            target += float(D["discount"][i]) * Q_target(next_obs)[0, best].item()
        error = target - Q(obs)[0, D["action"][i]]
        huber = 0.5 * error**2 if error.abs() < 1 else error.abs() - 0.5
        loss = loss + float(D["weight"][i]) * huber / 6
        td_error.append(error.item())
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(Q.parameters(), 0.05)
    optimizer.step()
    expected_target = 0.8 * Q_target.to_vec() + 0.2 * Q.to_vec()

    assert norm > 0.05  # it was clipped
    np.testing.assert_allclose(out.pop("td_error"), td_error, rtol=1e-5)
    assert out["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert out["grad_norm"] == pytest.approx(norm.item(), rel=1e-4)
    torch.testing.assert_close(agent.Q.to_vec(), Q.to_vec(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(agent.Q_target.to_vec(), expected_target, rtol=1e-4, atol=1e-6)


def test_exploration_falls_to_its_last_value():
    agent, _ = make(probes.MatchDiscrete, "agent.exploration=0.5", "agent.epsilon=0.2", num_env=1)
    obs = np.zeros((4000, 1), np.float32)
    greedy = agent.Q.greedy(obs)[0]

    shares = [
        np.mean(agent.choose_action(obs, timestep=t)["action"] != greedy) for t in (0, 500, 1000, 9)
    ]

    np.testing.assert_allclose(shares[:3], [0.5, 0.3, 0.1], atol=0.03)  # half of them by chance
    assert (agent.eval().choose_action(obs, timestep=0)["action"] == greedy).all()


def test_dueling_values_are_centred():
    agent, _ = make(probes.MatchDiscrete)
    obs = torch.randn(5, 1)
    features = agent.Q.trunk(obs)

    torch.testing.assert_close(agent.Q(obs).mean(1), agent.Q.value(features).squeeze(1))
    assert agent.Q.greedy(obs.numpy()).tolist() == agent.Q(obs).argmax(1).tolist()


def test_continuous_actions_are_refused_with_what_serves_them():
    config = flat_config("algo=dqn", "env=Pendulum-v1")
    env, _ = make_envs(config, 0)
    with pytest.raises(ValueError, match=r"dqn: action space is Box.*use algo=sac or algo=ppo"):
        Agent(config, env, "cpu")


def final_return(seed, *words):
    config = flat_config("algo=dqn", *words)
    set_global_seeds(seed)
    torch.set_num_threads(1)
    env, eval_env = make_envs(config, seed)
    agent = Agent(config, env, "cpu")
    engine = OffPolicyEngine(config, agent=agent, env=env, eval_env=eval_env)
    while engine.timestep < config["train.timestep"]:
        engine.train()
    return engine.eval()["return"]


@pytest.mark.slow
def test_solves_cartpole():
    assert np.median([final_return(seed, "train.timestep=50000") for seed in (1, 2, 3)]) >= 475
