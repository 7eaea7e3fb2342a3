import copy
import math

import gymnasium
import numpy as np
import probes
import pytest
import torch
from configs import flat_config
from lagom.algorithms.ppo.agent import Agent, kl
from torch import distributions as D
from torch import nn

from lagom import OnPolicyEngine, Trajectory
from lagom.envs import RecordEpisodeStatistics, make_envs, make_vec_env
from lagom.utils import set_global_seeds

SMALL = (
    *("agent.lr=0.01", "agent.gamma=0.5", "agent.hidden_sizes=[16]", "agent.batch_size=64"),
    *("train.num_step=16", "train.timestep=8000"),
)


def make(env_class, *words, seed=0):
    """Agent and engine of a probe; eight environments, as the YAML says."""
    config = flat_config("algo=ppo", *SMALL, *words)
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


# What the critic must find


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


# What the actor must find


def test_policy_matches_discrete_observations():
    agent, rows = train(probes.MatchDiscrete)

    with torch.no_grad():
        probs = agent.head(agent.actor(torch.tensor([[-1.0], [1.0]]))).probs

    np.testing.assert_allclose(probs, np.eye(2), atol=0.05)
    assert rows[-1]["return"] > 0.95
    assert rows[-1]["entropy"] < 0.2 < rows[0]["entropy"]


def test_policy_matches_continuous_observations():
    agent, rows = train(probes.MatchBox, "train.timestep=20000")

    obs = np.linspace(-1, 1, 5, dtype=np.float32)[:, None]
    action = agent.eval().choose_action(obs)["action"]

    np.testing.assert_allclose(action, 0.5 * obs, atol=0.1)
    assert agent.head.logstd_head.item() < math.log(0.5)  # from log 1: noise costs reward
    assert rows[-1]["return"] > -0.2 > rows[0]["return"]


# One update


def test_update_equals_the_definition():
    """Advantages, losses, clipping and Adam as slow loops over a copy with distribution objects."""
    words = ["agent.clip=0.05", "agent.max_grad_norm=0.1", "agent.entropy_coef=0.01"]
    for env_class, action_type in ((probes.MatchDiscrete, np.int64), (probes.MatchBox, np.float32)):
        agent, _ = make(env_class, *words, "agent.batch_size=7", "agent.num_epoch=3")
        rng = np.random.default_rng(1)
        data = [random_trajectory(rng, T, action_type, end) for T, end in ((4, "end"), (3, "cut"))]
        expected = slow_update(copy.deepcopy(agent), data)

        agent.learn(data)

        assert (expected - agent.to_vec()).abs().max() < 1e-5
        assert (expected - agent.to_vec()).abs().max() < 0.01 * agent.config["agent.lr"]


def random_trajectory(rng, T, action_type, end):
    actions = rng.integers(2, size=T) if action_type is np.int64 else rng.normal(size=(T, 1))
    return Trajectory(
        observations=rng.uniform(-1, 1, (T + 1, 1)).astype(np.float32),
        actions=actions.astype(action_type),
        rewards=rng.normal(size=T),
        terminated=end == "end",
        truncated=end == "cut",
    )


def slow_update(agent, data):
    """All parameters after PPO's epochs on ``data``, one minibatch: order does not matter."""
    config = agent.config
    gamma, lam, clip = (config[f"agent.{key}"] for key in ("gamma", "lam", "clip"))
    parameters = list(agent.parameters())
    vec = agent.to_vec().detach()  # plain copies, so that nothing is shared with ``flat``
    start = 0
    for p in parameters:
        p.data = vec[start : start + p.numel()].clone().view_as(p)
        p.grad = None
        start += p.numel()
    optimizer = torch.optim.Adam(parameters, lr=config["agent.lr"], eps=1e-5, fused=False)

    def policy(obs):
        features = agent.actor(obs)
        if hasattr(agent.head, "logits"):
            return D.Categorical(logits=agent.head.logits(features))
        mean, std = agent.head.mean_head(features), agent.head.logstd_head.exp()
        return D.Independent(D.Normal(mean, std.expand_as(mean)), 1)

    A, target = [], []
    for tau in data:
        V = agent.critic(torch.as_tensor(tau.observations)).detach().flatten().tolist()
        if tau.terminated:
            V[-1] = 0.0
        for t in range(tau.T):
            deltas = [tau.rewards[k] + gamma * V[k + 1] - V[k] for k in range(t, tau.T)]
            A.append(sum((gamma * lam) ** k * delta for k, delta in enumerate(deltas)))
            target.append(V[t] + A[-1])
    mean = sum(A) / len(A)
    std = math.sqrt(sum((a - mean) ** 2 for a in A) / len(A))
    A = [(a - mean) / (std + 1e-8) for a in A]
    steps = [(x, a) for tau in data for x, a in zip(tau.observations, tau.actions, strict=False)]
    obs = torch.as_tensor(np.stack([x for x, _ in steps]))
    action = torch.as_tensor(np.stack([a for _, a in steps]))
    logprob_old = policy(obs).log_prob(action).detach()

    for _ in range(config["agent.num_epoch"]):
        logprob = policy(obs).log_prob(action)
        entropy, V = policy(obs).entropy(), agent.critic(obs).flatten()
        loss = 0.0
        for i in range(len(A)):
            ratio = torch.exp(logprob[i] - logprob_old[i])
            clipped = min(max(ratio, 1 - clip), 1 + clip)
            loss = loss - min(ratio * A[i], clipped * A[i])
            loss = loss + config["agent.value_coef"] * (V[i] - target[i]) ** 2
            loss = loss - config["agent.entropy_coef"] * entropy[i]
        optimizer.zero_grad()
        (loss / len(A)).backward()
        nn.utils.clip_grad_norm_(parameters, config["agent.max_grad_norm"])
        optimizer.step()
    return torch.cat([p.detach().flatten() for p in parameters])


def test_minibatches_cover_the_batch_once_an_epoch(monkeypatch):
    words = "agent.num_epoch=2", "agent.batch_size=50", "agent.gradient=autograd"
    agent, engine = make(probes.ConstantReward, *words)
    sizes = []
    original = agent.head.evaluate

    def evaluate(features, action, mask):
        sizes.append(len(action))
        return original(features, action, mask)

    monkeypatch.setattr(agent.head, "evaluate", evaluate)
    engine.train(1)

    assert sizes == [128, *[50, 50, 28] * 2]  # 8 environments x 16 steps; first the old policy


def test_learning_rate_falls_to_zero_over_the_budget():
    agent, engine = make(probes.ConstantReward, "train.timestep=512", "agent.lr=0.01")
    lrs = []
    for n in range(5):  # the last beyond the budget
        engine.train(n)
        lrs.append(agent.optimizer.param_groups[0]["lr"])

    np.testing.assert_allclose(lrs, [0.01, 0.0075, 0.005, 0.0025, 0.0], rtol=1e-12, atol=1e-18)


def test_learning_rate_stays_without_decay():
    agent, engine = make(probes.ConstantReward, "train.timestep=512", "agent.lr_decay=false")
    engine.train(1), engine.train(2)

    assert agent.optimizer.param_groups[0]["lr"] == 0.01


# Options of the update


def test_values_are_clipped_where_that_is_worse():
    agent, _ = make(probes.ConstantReward, "agent.value_clip=0.5")
    V, V_old = torch.tensor([3.0, 0.2, -1.0, 3.0]), torch.tensor([0.0, 0.0, 0.0, 0.0])
    target = torch.tensor([2.0, 1.0, 2.0, 9.0])

    # near: 0.5, 0.2, -0.5, 0.5; the larger of the two squared errors each
    expected = np.mean([1.5**2, 0.8**2, 3.0**2, 8.5**2])
    assert agent.value_loss(V, V_old, target).item() == pytest.approx(expected)
    plain, _ = make(probes.ConstantReward)
    expected = np.mean([1.0, 0.8**2, 3.0**2, 6.0**2])
    assert plain.value_loss(V, V_old, target).item() == pytest.approx(expected)


@pytest.mark.parametrize("recompute", [True, False])
def test_advantages_are_recomputed_before_each_epoch(recompute, monkeypatch):
    agent, engine = make(probes.DelayedReward, f"agent.recompute={recompute}", "agent.num_epoch=3")
    seen, original = [], agent.advantages

    def advantages(D, V_old):
        obs = torch.as_tensor(np.concatenate([tau.observations[:-1] for tau in D]))
        torch.testing.assert_close(V_old, agent.critic(obs).detach().squeeze(-1))  # of this moment
        seen.append(V_old)
        return original(D, V_old)

    monkeypatch.setattr(agent, "advantages", advantages)
    engine.train(1)

    assert len(seen) == (3 if recompute else 1)
    assert len({V.sum().item() for V in seen}) == len(seen)


@pytest.mark.parametrize(("target_kl", "num_epoch"), [(1e-12, 1), (1e6, 3), (0.0, 3)])
def test_epochs_stop_where_the_policy_has_gone_far(target_kl, num_epoch, monkeypatch):
    words = f"agent.target_kl={target_kl}", "agent.num_epoch=3", "agent.batch_size=128"
    agent, engine = make(probes.MatchDiscrete, *words, "agent.gradient=autograd")
    # The first minibatch begins at the old policy: let it be another one from the start.
    agent.optimizer.register_step_post_hook(lambda *_: steps.append(1))
    steps, original = [], agent.evaluate
    monkeypatch.setattr(agent, "evaluate", lambda *x: _moved(original(*x), 0.1 * len(steps) + 0.01))
    engine.train(1)

    assert len(steps) == num_epoch


def _moved(out, by):
    logprob, entropy, V = out
    return logprob + (by if logprob.requires_grad else 0.0), entropy, V


def test_advantages_need_not_be_normalized():
    agent, engine = make(probes.DelayedReward, "agent.normalize_advantage=false")
    D = engine.runner(agent, engine.env, 16)
    obs = torch.as_tensor(np.concatenate([tau.observations[:-1] for tau in D]))
    V = agent.critic(obs).detach().squeeze(-1)
    A, target = agent.advantages(D, V)

    assert A.mean().abs() > 1e-3
    torch.testing.assert_close(A, target - V)


def test_divergence_is_estimated():
    logratio = torch.tensor([0.1, -0.3])
    expected = np.mean([math.exp(0.1) - 1 - 0.1, math.exp(-0.3) - 1 + 0.3])

    assert kl(logratio).item() == pytest.approx(expected, rel=1e-5)


# One run


def test_rows_are_finite_and_have_the_same_keys():
    agent, rows = train(probes.MatchBox, "train.timestep=256")

    assert len({tuple(row) for row in rows}) == 1
    assert all(math.isfinite(value) for row in rows for value in row.values())
    for row in rows:
        assert 0 <= row["clip_frac"] <= 1
        assert row["approx_kl"] >= 0
        assert row["grad_norm"] > 0
    assert agent.config == flat_config("algo=ppo", *SMALL, "train.timestep=256")


def test_two_runs_with_one_seed_are_identical():
    words = ("train.timestep=512",)
    one, rows = train(probes.MatchBox, *words)
    two, rows_again = train(probes.MatchBox, *words)
    other, _ = train(probes.MatchBox, *words, seed=1)

    assert torch.equal(one.to_vec(), two.to_vec())
    assert not torch.equal(one.to_vec(), other.to_vec())
    for row, again in zip(rows, rows_again, strict=True):
        assert all(again[key] == x for key, x in row.items() if not key.endswith("_seconds"))


def test_state_goes_on_as_if_nothing_had_happened():
    words = "train.timestep=1000", "agent.gamma=0.9"
    make_env = lambda: gymnasium.make("CartPole-v1", disable_env_checker=True)
    agent, engine = make(make_env, *words)
    engine.train(1), engine.train(2)
    state, random_state = copy.deepcopy(engine.state_dict()), torch.get_rng_state()
    row = engine.train(3)

    again, engine = make(make_env, *words, seed=9)
    engine.load_state_dict(state)
    torch.set_rng_state(random_state)
    row_again = engine.train(3)

    assert torch.equal(agent.to_vec(), again.to_vec())
    assert all(row_again[key] == x for key, x in row.items() if not key.endswith("_seconds"))


def test_actions_explore_in_training_and_are_greedy_in_evaluation():
    agent, _ = make(probes.MatchBox)
    obs = np.zeros((1000, 1), np.float32)

    explored = agent.choose_action(obs)["action"]
    greedy = agent.eval().choose_action(obs)["action"]

    assert explored.std() == pytest.approx(agent.config["agent.std0"], abs=0.1)
    assert np.ptp(greedy) == 0
    assert greedy[0] == pytest.approx(agent.head(agent.actor(torch.zeros(1, 1))).mean.item())


# Learning


def final_returns(env, *words, seeds=(1, 2, 3)):
    """The return of the evaluation at the end, of each seed."""
    returns = []
    for seed in seeds:
        config = flat_config("algo=ppo", f"env={env}", *words)
        set_global_seeds(seed)
        torch.set_num_threads(1)
        env_, eval_env = make_envs(config, seed)
        agent = Agent(config, env_, "cpu")
        engine = OnPolicyEngine(config, agent=agent, env=env_, eval_env=eval_env)
        while engine.timestep < config["train.timestep"]:
            engine.train()
        returns.append(engine.eval()["return"])
    return returns


@pytest.mark.slow
def test_solves_cartpole():
    assert np.median(final_returns("CartPole-v1")) >= 475
