import copy

import gymnasium
import numpy as np
import probes
import pytest
import torch
from configs import flat_config
from lagom.algorithms.a2c.agent import Agent

from lagom import OnPolicyEngine, Trajectory
from lagom.envs import RecordEpisodeStatistics, make_envs, make_vec_env
from lagom.utils import set_global_seeds

SMALL = (
    *("agent.lr=0.02", "agent.gamma=0.5", "agent.hidden_sizes=[16]", "agent.optimizer=adam"),
    *("train.num_step=10", "train.timestep=8000"),
)


def make(env_class, *words, seed=0):
    config = flat_config("algo=a2c", *SMALL, *words)
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
    ("env_class", "observations", "values", "words"),
    [
        (probes.ConstantReward, [0.0], [1.0], []),
        (probes.DelayedReward, [0.0, 1.0], [0.5, 1.0], []),  # gamma, 1
        (probes.DelayedReward, [0.0, 1.0], [0.5, 1.0], ["agent.lag=4"]),
        (probes.Forever, [0.0], [2.0], []),  # 1 / (1 - gamma): a clock is not the end
        (probes.Forever, [0.0], [2.0], ["agent.lag=4"]),
    ],
)
def test_critic_finds_the_value(env_class, observations, values, words):
    agent, _ = train(env_class, *words)

    with torch.no_grad():
        V = agent.critic(torch.tensor(observations)[:, None]).squeeze(-1)

    np.testing.assert_allclose(V, values, atol=0.05)


@pytest.mark.parametrize(
    "words", [(), ("agent.lag=8",), ("agent.optimizer=rmsprop", "agent.normalize_advantage=false")]
)
def test_policy_matches_discrete_observations(words):
    agent, rows = train(probes.MatchDiscrete, *words)
    obs, action = torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1])

    with torch.no_grad():
        logprob, _ = agent.actor.evaluate(obs, action)

    assert logprob.exp().min() > 0.9
    returns = [row["return"] for row in rows]
    assert np.mean(returns[-20:]) > 0.85 > returns[0]


def test_policy_matches_continuous_observations():
    agent, rows = train(probes.MatchBox, "train.timestep=12000", "agent.lam=0.9")

    obs = np.linspace(-1, 1, 5, dtype=np.float32)[:, None]
    action = agent.eval().choose_action(obs)["action"]

    np.testing.assert_allclose(action, 0.5 * obs, atol=0.12)
    assert rows[-1]["return"] > rows[0]["return"]


# One update


def batch():
    rng = np.random.default_rng(1)
    return [
        Trajectory(
            observations=rng.uniform(-1, 1, (T + 1, 1)).astype(np.float32),
            actions=rng.integers(2, size=T),
            rewards=rng.normal(size=T),
            terminated=end,
            truncated=not end,
        )
        for T, end in ((4, True), (3, False))
    ]


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
@pytest.mark.parametrize("normalize", [True, False])
def test_update_equals_the_definition(optimizer, normalize):
    agent, _ = make(
        probes.MatchDiscrete,
        *(f"agent.optimizer={optimizer}", f"agent.normalize_advantage={normalize}"),
        *("agent.lam=0.9", "agent.entropy_coef=0.5", "agent.max_grad_norm=0.05"),
    )
    agent.actor.head.logits.bias.data += torch.tensor([0.5, -0.5])  # else entropy has no slope
    copied, D = copy.deepcopy(agent), batch()
    row = agent.learn(D, timestep=4000)  # half of the budget: half of the step size

    loss_policy, loss_value, entropies, A, targets = [], [], [], [], []
    for tau in D:
        V = copied.critic(torch.tensor(tau.observations)).squeeze(-1)
        v = V.detach().tolist()
        v[-1] *= not tau.terminated
        deltas = [tau.rewards[t] + 0.5 * v[t + 1] - v[t] for t in range(tau.T)]
        A += [
            sum((0.5 * 0.9) ** (k - t) * deltas[k] for k in range(t, tau.T)) for t in range(tau.T)
        ]
        targets += [v[t] + A[len(A) - tau.T + t] for t in range(tau.T)]
        obs = torch.tensor(tau.observations[:-1])
        policy = copied.actor.head(copied.actor.trunk(obs))
        loss_policy.append(policy.log_prob(torch.tensor(tau.actions)))
        entropies.append(policy.entropy())
        loss_value.append(V[:-1])
    if normalize:
        A = (np.array(A) - np.mean(A)) / (np.std(A) + 1e-8)
    A, targets = (torch.tensor(x, dtype=torch.float32) for x in (A, targets))
    policy_loss = -(torch.cat(loss_policy) * A).mean()
    value_loss = (torch.cat(loss_value) - targets).square().mean()
    entropy = torch.cat(entropies).mean()
    parameters = [*copied.actor.parameters(), *copied.critic.parameters()]
    for p in parameters:
        p.grad = None
    (policy_loss + 0.5 * value_loss - 0.5 * entropy).backward()
    norm = torch.nn.utils.clip_grad_norm_(parameters, 0.05)
    if optimizer == "adam":
        torch.optim.Adam(parameters, lr=0.01, eps=1e-5).step()
    else:
        for p in parameters:  # Mnih et al., 2016, eq. S2 and S3
            p.data -= 0.01 * p.grad / ((0.01 * p.grad**2).sqrt() + 1e-5)

    assert norm > 0.05  # it was clipped
    assert row["grad_norm"] == pytest.approx(norm.item(), rel=1e-4)
    assert row["policy_loss"] == pytest.approx(policy_loss.item(), abs=1e-6)
    assert row["value_loss"] == pytest.approx(value_loss.item(), rel=1e-5)
    assert row["entropy"] == pytest.approx(entropy.item(), rel=1e-5)
    torch.testing.assert_close(agent.to_vec(), copied.to_vec(), rtol=1e-4, atol=3e-6)


# A policy that lags behind


def test_actions_are_those_of_the_policy_of_some_updates_ago():
    agent, engine = make(probes.MatchDiscrete, "agent.lag=3")
    obs = torch.tensor([[0.3]])
    logits = lambda actor: actor.head.logits(actor.trunk(obs)).detach()
    learned, acted = [logits(agent.actor)], []
    for n in range(6):
        acted.append(logits(agent.behavior))
        engine.train(n)
        learned.append(logits(agent.actor))

    for n in range(6):
        torch.testing.assert_close(acted[n], learned[max(n - 3, 0)], rtol=0, atol=0)
    assert not torch.equal(acted[-1], learned[-2])
    assert engine.agent.choose_action(np.zeros((2, 1), np.float32))["action"].shape == (2,)


def test_evaluation_acts_with_the_policy_that_learns():
    agent, _ = make(probes.MatchDiscrete, "agent.lag=3")
    agent.actor.head.logits.bias.data = torch.tensor([0.0, 99.0])
    agent.behavior.head.logits.bias.data = torch.tensor([99.0, 0.0])
    obs = np.zeros((4, 1), np.float32)

    assert agent.choose_action(obs)["action"].tolist() == [0] * 4
    assert agent.eval().choose_action(obs)["action"].tolist() == [1] * 4


def test_stale_data_are_corrected_by_vtrace():
    agent, _ = make(probes.MatchDiscrete, "agent.lag=2", "agent.normalize_advantage=false")
    for p in agent.actor.parameters():
        p.data += 0.3 * torch.randn_like(p)
    D = batch()
    obs = torch.tensor(np.concatenate([tau.observations[:-1] for tau in D]))
    action = torch.tensor(np.concatenate([tau.actions for tau in D]))
    logprob = agent.actor.evaluate(obs, action)[0].detach()
    mu = agent.behavior.evaluate(obs, action)[0].detach()
    A, target = agent.advantages(D, obs, action, logprob, agent.critic(obs).detach().squeeze(-1))

    i, rho = 0, (logprob - mu).exp().tolist()
    assert min(rho) < 0.95 < 1.05 < max(rho)
    for tau in D:
        V = agent.critic(torch.tensor(tau.observations)).detach().squeeze(-1).tolist()
        V[-1] *= not tau.terminated
        v = V[-1]
        for t in reversed(range(tau.T)):  # Espeholt et al., 2018, remark 1
            r = min(1.0, rho[i + t])
            assert A[i + t] == pytest.approx(r * (tau.rewards[t] + 0.5 * v - V[t]), abs=1e-5)
            v = V[t] + r * (tau.rewards[t] + 0.5 * V[t + 1] - V[t]) + 0.5 * r * (v - V[t + 1])
            assert target[i + t] == pytest.approx(v, abs=1e-5)
        i += tau.T


def test_actions_without_weight_have_no_say_in_the_policy(monkeypatch):
    agent, _ = make(probes.MatchDiscrete, "agent.lag=2")
    D = batch()
    obs = torch.tensor(np.concatenate([tau.observations[:-1] for tau in D]))
    action = torch.tensor(np.concatenate([tau.actions for tau in D]))
    A = torch.zeros(len(obs))  # V-trace's weights are in it: all but two of them are 0
    A[0], A[2] = 2.0, -1.0
    monkeypatch.setattr(agent, "advantages", lambda *args: (A, torch.zeros(len(obs))))
    logprob = agent.actor.evaluate(obs, action)[0].detach()

    loss = agent.learn(D)["policy_loss"]
    expected = -(2 * logprob[0] - logprob[2]) / A.std(correction=0) / len(obs)
    assert loss == pytest.approx(expected.item(), rel=1e-5)


# One run


@pytest.mark.parametrize("words", [(), ("agent.lag=2", "agent.optimizer=rmsprop")])
def test_state_goes_on_as_if_nothing_had_happened(words):
    make_env = lambda: gymnasium.make("CartPole-v1", disable_env_checker=True)
    agent, engine = make(make_env, *words)
    for n in range(4):
        engine.train(n)
    state, random_state = copy.deepcopy(engine.state_dict()), torch.get_rng_state()
    rows = [engine.train(n) for n in (4, 5, 6)]

    again, engine = make(make_env, *words, seed=9)
    engine.load_state_dict(state)
    torch.set_rng_state(random_state)
    rows_again = [engine.train(n) for n in (4, 5, 6)]

    assert torch.equal(agent.to_vec(), again.to_vec())
    for row, row_again in zip(rows, rows_again, strict=True):  # a return may be NaN
        keys = [key for key in row if not key.endswith("_seconds")]
        assert [repr(row[key]) for key in keys] == [repr(row_again[key]) for key in keys]


def test_two_runs_with_one_seed_are_identical():
    one, _ = train(probes.MatchBox, "train.timestep=400")
    two, _ = train(probes.MatchBox, "train.timestep=400")
    other, _ = train(probes.MatchBox, "train.timestep=400", seed=1)

    assert torch.equal(one.to_vec(), two.to_vec())
    assert not torch.equal(one.to_vec(), other.to_vec())


def test_learning_rate_falls_to_zero_or_stays():
    for decay, expected in ((True, 0.005), (False, 0.02)):
        agent, _ = make(probes.MatchDiscrete, f"agent.lr_decay={decay}")
        agent.learn(batch(), timestep=6000)
        assert agent.optimizer.param_groups[0]["lr"] == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.parametrize("lag", [0, 4])
def test_solves_cartpole(lag):
    returns = []
    for seed in (1, 2, 3):
        config = flat_config("algo=a2c", "train.timestep=200000", f"agent.lag={lag}")
        set_global_seeds(seed)
        torch.set_num_threads(1)
        env, eval_env = make_envs(config, seed)
        agent = Agent(config, env, "cpu")
        engine = OnPolicyEngine(config, agent=agent, env=env, eval_env=eval_env)
        while engine.timestep < config["train.timestep"]:
            engine.train()
        returns.append(engine.eval()["return"])
    assert np.median(returns) >= 475
