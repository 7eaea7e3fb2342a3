import copy

import numpy as np
import probes
import pytest
import torch
from configs import flat_config
from lagom.algorithms.vpg.agent import Agent

from lagom import OnPolicyEngine, Trajectory
from lagom.envs import RecordEpisodeStatistics, make_envs, make_vec_env
from lagom.utils import set_global_seeds

SMALL = (
    *("agent.lr=0.02", "agent.critic_lr=0.02", "agent.gamma=0.5", "agent.hidden_sizes=[16]"),
    *("train.num_step=16", "train.timestep=8000"),
)


def make(env_class, *words, seed=0):
    config = flat_config("algo=vpg", *SMALL, *words)
    set_global_seeds(seed)
    torch.set_num_threads(config["threads"])
    env = RecordEpisodeStatistics(make_vec_env(env_class, config["env.num_env"], seed))
    agent = Agent(config, env, "cpu")
    return agent, OnPolicyEngine(config, agent=agent, env=env)


def train(env_class, *words, seed=0):
    agent, engine = make(env_class, *words, seed=seed)
    rows = []
    while engine.timestep < agent.config["train.timestep"]:
        rows.append(engine.train(len(rows) + 1))
    return agent, rows


@pytest.mark.parametrize(
    ("env_class", "observations", "values"),
    [
        (probes.ConstantReward, [0.0], [1.0]),
        (probes.DelayedReward, [0.0, 1.0], [0.5, 1.0]),  # gamma, 1
        (probes.Forever, [0.0], [2.0]),  # 1 / (1 - gamma): a clock is not the end
    ],
)
def test_critic_finds_the_value(env_class, observations, values):
    agent, _ = train(env_class)

    with torch.no_grad():
        V = agent.critic(torch.tensor(observations)[:, None]).squeeze(-1)

    np.testing.assert_allclose(V, values, atol=0.05)


@pytest.mark.parametrize("critic", [True, False])
def test_policy_matches_discrete_observations(critic):
    agent, rows = train(probes.MatchDiscrete, f"agent.critic={critic}")

    with torch.no_grad():
        probs = agent.actor.head(agent.actor.trunk(torch.tensor([[-1.0], [1.0]]))).probs

    np.testing.assert_allclose(probs, np.eye(2), atol=0.07)
    assert rows[-1]["return"] > 0.9 > rows[0]["return"]
    assert ("value_loss" in rows[0]) == critic


def test_policy_matches_continuous_observations():
    agent, rows = train(probes.MatchBox, "train.timestep=20000")

    obs = np.linspace(-1, 1, 5, dtype=np.float32)[:, None]
    action = agent.eval().choose_action(obs)["action"]

    np.testing.assert_allclose(action, 0.5 * obs, atol=0.12)
    assert rows[-1]["return"] > rows[0]["return"]


@pytest.mark.parametrize("critic", [True, False])
def test_update_equals_the_definition(critic):
    agent, _ = make(
        probes.MatchDiscrete,
        *(f"agent.critic={critic}", "agent.max_grad_norm=0.05", "agent.entropy_coef=0.01"),
        "agent.num_critic_step=2",
    )
    rng = np.random.default_rng(1)
    D = [
        Trajectory(
            observations=rng.uniform(-1, 1, (T + 1, 1)).astype(np.float32),
            actions=rng.integers(2, size=T),
            rewards=rng.normal(size=T),
            terminated=end,
            truncated=not end,
        )
        for T, end in ((4, True), (3, False))
    ]
    actor, old_critic = copy.deepcopy(agent.actor), copy.deepcopy(agent.critic)

    row = agent.learn(D)

    A, targets, logprobs, entropies = [], [], [], []
    for tau in D:
        obs = torch.tensor(tau.observations)
        V = old_critic(obs).detach().squeeze(-1).tolist() if critic else [0.0] * (tau.T + 1)
        V[-1] *= not tau.terminated
        for t in range(tau.T):
            rewards = [0.5**k * tau.rewards[t + k] for k in range(tau.T - t)]
            Q = sum(rewards) + 0.5 ** (tau.T - t) * V[-1]
            deltas = [tau.rewards[k] + 0.5 * V[k + 1] - V[k] for k in range(tau.T)]
            gae = sum((0.5 * 0.97) ** (k - t) * deltas[k] for k in range(t, tau.T))
            A.append(gae if critic else sum(rewards))
            targets.append(Q)
        policy = actor.head(actor.trunk(obs[:-1]))
        logprobs.append(policy.log_prob(torch.tensor(tau.actions)))
        entropies.append(policy.entropy())
    A = (np.array(A) - np.mean(A)) / (np.std(A) + 1e-8)
    loss = -(torch.cat(logprobs) * torch.tensor(A, dtype=torch.float32)).mean()
    (loss - 0.01 * torch.cat(entropies).mean()).backward()
    norm = torch.nn.utils.clip_grad_norm_(actor.parameters(), 0.05)
    torch.optim.Adam(actor.parameters(), lr=0.02).step()

    assert norm > 0.05  # it was clipped
    assert row["grad_norm"] == pytest.approx(norm.item(), rel=1e-4)
    assert row["policy_loss"] == pytest.approx(loss.item(), abs=1e-6)
    torch.testing.assert_close(agent.actor.to_vec(), actor.to_vec(), rtol=1e-4, atol=2e-6)
    if critic:
        optimizer = torch.optim.Adam(old_critic.parameters(), lr=0.02)
        obs = torch.cat([torch.tensor(tau.observations[:-1]) for tau in D])
        for _ in range(2):
            optimizer.zero_grad()
            error = old_critic(obs).squeeze(-1) - torch.tensor(targets, dtype=torch.float32)
            error.square().mean().backward()
            optimizer.step()
        torch.testing.assert_close(agent.critic.to_vec(), old_critic.to_vec(), rtol=1e-4, atol=2e-6)


@pytest.mark.slow
def test_solves_cartpole():
    returns = []
    for seed in (1, 2, 3):
        config = flat_config("algo=vpg", "train.timestep=200000")
        set_global_seeds(seed)
        torch.set_num_threads(1)
        env, eval_env = make_envs(config, seed)
        agent = Agent(config, env, "cpu")
        engine = OnPolicyEngine(config, agent=agent, env=env, eval_env=eval_env)
        while engine.timestep < config["train.timestep"]:
            engine.train()
        returns.append(engine.eval()["return"])
    assert np.median(returns) >= 475
