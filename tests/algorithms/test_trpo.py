import copy

import gymnasium
import numpy as np
import probes
import pytest
import torch
from configs import flat_config
from lagom.algorithms.trpo.agent import Agent
from lagom.algorithms.trpo.natural_gradient import flat_grad
from torch.distributions import kl_divergence

from lagom import OnPolicyEngine, Trajectory
from lagom.envs import RecordEpisodeStatistics, make_envs, make_vec_env
from lagom.utils import set_global_seeds

SMALL = (
    *("agent.critic_lr=0.02", "agent.gamma=0.5", "agent.hidden_sizes=[16]", "agent.max_kl=0.02"),
    *("env.num_env=8", "train.num_step=16", "agent.num_epoch=4", "train.timestep=4000"),
)


def make(env_class, *words, seed=0):
    config = flat_config("algo=trpo", *SMALL, *words)
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


def test_policy_matches_discrete_observations():
    agent, rows = train(probes.MatchDiscrete)

    with torch.no_grad():
        probs = agent.actor(torch.tensor([[-1.0], [1.0]])).probs

    np.testing.assert_allclose(probs, np.eye(2), atol=0.05)
    assert rows[-1]["return"] > 0.9 > rows[0]["return"]


def test_policy_matches_continuous_observations():
    agent, rows = train(probes.MatchBox, "train.timestep=8000")

    obs = np.linspace(-1, 1, 5, dtype=np.float32)[:, None]
    action = agent.eval().choose_action(obs)["action"]

    np.testing.assert_allclose(action, 0.5 * obs, atol=0.12)
    assert rows[-1]["return"] > -0.2 > rows[0]["return"]


# One update


def batch(action_type, seed=1):
    rng = np.random.default_rng(seed)
    D = []
    for T, end in ((12, True), (8, False)):
        actions = rng.integers(2, size=T) if action_type is np.int64 else rng.normal(size=(T, 1))
        D.append(
            Trajectory(
                observations=rng.uniform(-1, 1, (T + 1, 1)).astype(np.float32),
                actions=actions.astype(action_type),
                rewards=rng.normal(size=T),
                terminated=end,
                truncated=not end,
            )
        )
    return D


@pytest.mark.parametrize(
    ("env_class", "action_type"),
    [(probes.MatchDiscrete, np.int64), (probes.MatchBox, np.float32)],
)
def test_step_is_the_natural_gradient_to_the_boundary(env_class, action_type):
    """The Fisher matrix as the mean outer product of scores, solved by elimination."""
    agent, _ = make(
        env_class, "agent.hidden_sizes=[3]", "agent.num_cg_step=60", "agent.damping=0.1"
    )
    before, D = copy.deepcopy(agent.actor), batch(action_type)
    obs = torch.tensor(np.concatenate([tau.observations[:-1] for tau in D]))
    action = torch.as_tensor(np.concatenate([tau.actions for tau in D]))
    A = torch.linspace(-1, 1, len(obs))

    row = agent.improve_policy(obs, action, A)

    parameters = list(before.parameters())
    scores = lambda a, i: flat_grad(before(obs[i : i + 1]).log_prob(a), parameters)
    g = torch.stack([A[i] * scores(action[i : i + 1], i) for i in range(len(obs))]).mean(0)
    F = fisher_by_definition(before, obs, scores) + 0.1 * torch.eye(len(g))
    direction = torch.linalg.solve(F, g)
    step = torch.sqrt(2 * 0.02 / (direction @ F @ direction)) * direction
    expected = before.to_vec().detach() + row["step_scale"] * step
    with torch.no_grad():
        kl = kl_divergence(before(obs), agent.actor(obs)).mean().item()

    torch.testing.assert_close(agent.actor.to_vec().detach(), expected, rtol=1e-3, atol=2e-5)
    assert row["approx_kl"] == pytest.approx(kl, rel=1e-4)
    assert 0 < kl <= 0.02
    assert row["grad_norm"] == pytest.approx(g.norm().item(), rel=1e-4)


def fisher_by_definition(actor, obs, scores):
    """Mean over states of the expectation, over actions, of the outer product of the scores."""
    total = 0.0
    for i in range(len(obs)):
        if hasattr(actor.head, "logits"):
            probs = actor(obs[i : i + 1]).probs.detach()[0]
            s = [scores(torch.tensor([a]), i) for a in (0, 1)]
            total = total + sum(p * torch.outer(x, x) for p, x in zip(probs, s, strict=True))
        else:  # Gauss-Hermite: exact for the square of a quadratic
            nodes, weights = np.polynomial.hermite_e.hermegauss(6)
            mean, std = actor(obs[i : i + 1]).mean.detach(), actor.head.logstd_head.exp().detach()
            for z, w in zip(nodes, weights / weights.sum(), strict=True):
                x = scores(mean + std * float(z), i)
                total = total + float(w) * torch.outer(x, x)
    return total / len(obs)


def test_line_search_comes_nearer_until_the_policy_is_better_and_within_the_bound():
    agent, _ = make(probes.MatchBox, "agent.max_kl=2", "agent.damping=0.001")
    D = batch(np.float32)
    obs = torch.tensor(np.concatenate([tau.observations[:-1] for tau in D]))
    action = torch.as_tensor(np.concatenate([tau.actions for tau in D]))

    row = agent.improve_policy(obs, action, torch.linspace(-1, 1, len(obs)))

    assert row["step_scale"] in [pytest.approx(0.8**k) for k in range(1, 10)]
    assert 0 < row["approx_kl"] <= 2
    assert row["policy_loss"] < 0


def test_policy_stays_where_nothing_is_better():
    agent, _ = make(probes.MatchBox)
    before, obs = agent.actor.to_vec().detach().clone(), torch.zeros(4, 1)

    row = agent.improve_policy(obs, torch.zeros(4, 1), torch.zeros(4))

    assert torch.equal(agent.actor.to_vec().detach(), before)
    assert (row["step_scale"], row["approx_kl"]) == (0.0, 0.0)


def test_critic_is_fitted_to_the_targets_in_minibatches():
    agent, _ = make(probes.MatchBox, "agent.num_epoch=2", "agent.batch_size=20")
    critic = copy.deepcopy(agent.critic)
    D = batch(np.float32)
    obs = torch.tensor(np.concatenate([tau.observations[:-1] for tau in D]))
    A, target = agent.advantages(D, obs)

    V = [critic(torch.tensor(tau.observations)).detach().flatten().tolist() for tau in D]
    V[0][-1] = 0.0
    expected = []
    for tau, v in zip(D, V, strict=True):
        deltas = [tau.rewards[t] + 0.5 * v[t + 1] - v[t] for t in range(tau.T)]
        for t in range(tau.T):
            expected.append(sum((0.5 * 0.95) ** (k - t) * deltas[k] for k in range(t, tau.T)))
    torch.testing.assert_close(A, torch.tensor(expected, dtype=torch.float32), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(target, A + critic(obs).detach().squeeze(-1))

    loss = agent.fit_critic(obs, target)
    optimizer, losses = torch.optim.Adam(critic.parameters(), lr=0.02), []
    for _ in range(2):
        optimizer.zero_grad()
        error = (critic(obs).squeeze(-1) - target).square().mean()
        error.backward()
        optimizer.step()
        losses.append(error.item())
    torch.testing.assert_close(agent.critic.to_vec(), critic.to_vec(), rtol=1e-4, atol=1e-6)
    assert loss == pytest.approx(np.mean(losses), rel=1e-4)


# One run


def test_two_runs_with_one_seed_are_identical():
    one, rows = train(probes.MatchBox, "train.timestep=512")
    two, rows_again = train(probes.MatchBox, "train.timestep=512")
    other, _ = train(probes.MatchBox, "train.timestep=512", seed=1)

    assert torch.equal(one.to_vec(), two.to_vec())
    assert not torch.equal(one.to_vec(), other.to_vec())
    for row, again in zip(rows, rows_again, strict=True):
        assert all(again[key] == x for key, x in row.items() if not key.endswith("_seconds"))


def test_state_goes_on_as_if_nothing_had_happened():
    make_env = lambda: gymnasium.make("CartPole-v1", disable_env_checker=True)
    agent, engine = make(make_env)
    engine.train(1), engine.train(2)
    state, random_state = copy.deepcopy(engine.state_dict()), torch.get_rng_state()
    row = engine.train(3)

    again, engine = make(make_env, seed=9)
    engine.load_state_dict(state)
    torch.set_rng_state(random_state)
    row_again = engine.train(3)

    assert torch.equal(agent.to_vec(), again.to_vec())
    assert all(row_again[key] == x for key, x in row.items() if not key.endswith("_seconds"))


@pytest.mark.slow
def test_solves_cartpole():
    returns = []
    for seed in (1, 2, 3):
        config = flat_config("algo=trpo")
        set_global_seeds(seed)
        torch.set_num_threads(1)
        env, eval_env = make_envs(config, seed)
        agent = Agent(config, env, "cpu")
        engine = OnPolicyEngine(config, agent=agent, env=env, eval_env=eval_env)
        while engine.timestep < config["train.timestep"]:
            engine.train()
        returns.append(engine.eval()["return"])
    assert np.median(returns) >= 475


def test_actions_without_a_divergence_are_refused():
    class Bits(probes.ConstantReward):
        def __init__(self):
            self.action_space = gymnasium.spaces.MultiBinary(2)

    with pytest.raises(ValueError, match=r"trpo: action space MultiBinary\(2\) has no divergence"):
        make(Bits)
