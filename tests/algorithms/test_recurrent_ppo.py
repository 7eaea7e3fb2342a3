import copy

import gymnasium
import numpy as np
import probes
import pytest
import torch
from configs import flat_config
from lagom.algorithms.recurrent_ppo.agent import Agent, sequences

from lagom import EpisodeRunner, OnPolicyEngine, StepRunner, Trajectory
from lagom.envs import RecordEpisodeStatistics, make, make_envs, make_vec_env
from lagom.utils import set_global_seeds

SMALL = (
    *("agent.lr=0.01", "agent.gamma=0.5", "agent.hidden_sizes=[8]", "agent.memory_size=8"),
    *("agent.sequence=8", "train.num_step=16", "train.timestep=4000", "agent.batch_size=64"),
    "agent.num_epoch=4",
)


class Recall(probes.MatchDiscrete):
    """The sign is shown first; 1 is for doing what it says on the third step, when nothing is."""

    length = 3

    def observe(self):
        if self.t == 0:
            self.sign = int(self.np_random.integers(2))
        return np.array([2 * self.sign - 1 if self.t == 0 else 0], np.float32)

    def reward(self, action):
        return float(action == self.sign) if self.t == 2 else 0.0


def build(env_class, *words, seed=0):
    config = flat_config("algo=recurrent_ppo", *SMALL, *words)
    set_global_seeds(seed)
    torch.set_num_threads(config["threads"])
    env = RecordEpisodeStatistics(make_vec_env(env_class, config["env.num_env"], seed))
    agent = Agent(config, env, "cpu")
    return agent, OnPolicyEngine(config, agent=agent, env=env)


def train(env_class, *words, seed=0):
    agent, engine = build(env_class, *words, seed=seed)
    rows = []
    while engine.timestep < agent.config["train.timestep"]:
        rows.append(engine.train(len(rows) + 1))
    return agent, rows


# What is learned


@pytest.mark.parametrize("cell", ["lstm", "lnlstm"])
def test_the_past_is_recalled(cell):
    _, rows = train(Recall, f"agent.cell={cell}", "agent.gamma=0.9")

    assert np.mean([row["return"] for row in rows[-5:]]) > 0.9
    assert rows[0]["return"] < 0.7


def test_critic_knows_that_a_clock_is_not_the_end():
    agent, _ = train(probes.Forever)
    obs, memory = torch.zeros(5, 1, 1), torch.zeros(1, 16)

    V, _ = agent.critic(obs, memory)

    np.testing.assert_allclose(V.detach().flatten(), [2.0] * 5, atol=0.1)


# The state of acting


def test_the_state_goes_on_within_an_episode_and_is_forgotten_where_it_ends():
    agent, engine = build(probes.DelayedReward)  # episodes of two steps
    D = engine.runner(agent, engine.env, 5)
    lone = agent.actor.lstm

    for tau in D:
        memory = torch.zeros(1, 16)
        for t in range(tau.T):
            np.testing.assert_allclose(tau.extras["memory"][t, 0], memory[0], atol=1e-6)
            _, (h, c) = lone(torch.tensor(tau.observations[t])[None, None], memory.chunk(2, -1))
            memory = torch.cat([h, c], -1).detach()
    assert sorted({tau.T for tau in D}) == [1, 2]
    assert any(tau.extras["memory"][1].any() for tau in D if tau.T == 2)

    (tau, *_) = (tau for tau in engine.runner(agent, engine.env, 5) if tau.stream == 0)
    assert tau.extras["memory"][0].any()  # the next call goes on


def test_evaluation_has_a_memory_of_its_own():
    agent, engine = build(probes.DelayedReward)
    engine.runner(agent, engine.env, 5)
    kept = agent.memory["train"].clone()

    agent.eval()
    other = make_vec_env(probes.DelayedReward, 3, 5)
    first = EpisodeRunner()(agent, other, 3)
    again = EpisodeRunner()(agent, other, 3)
    agent.train()

    assert torch.equal(agent.memory["train"], kept)
    assert agent.memory["eval"].shape == (3, 2, 16)
    for a, b in zip(first, again, strict=True):
        assert not a.extras["memory"][0].any()
        np.testing.assert_array_equal(a.extras["memory"], b.extras["memory"])


def test_runners_tell_where_episodes_begin():
    class Listener:
        def __init__(self):
            self.told = []

        def begin(self, rows):
            self.told.append(rows.tolist())

        def choose_action(self, x, **kwargs):
            return {"action": np.zeros(len(x), int)}

    agent, env = Listener(), make_vec_env(probes.DelayedReward, 2, 0)
    runner = StepRunner(reset_on_call=False)
    runner(agent, env, 3)
    runner(agent, env, 1)

    assert agent.told == [[True, True], [True, True], [True, True]]  # reset, steps 2 and 4
    agent.told.clear()
    EpisodeRunner()(agent, env, 2)
    assert agent.told[0] == [True, True]
    assert [True, True] in agent.told[1:]


def test_restarted_environments_find_nothing_remembered():
    agent, engine = build(probes.Forever)
    engine.train(1)
    assert agent.memory["train"].any()

    engine.restart(seed=3)

    assert not agent.memory["train"].any()


# Sequences and one update


def test_sequences_keep_order_state_and_beginnings():
    memory = np.arange(8.0, dtype=np.float32).reshape(8, 1, 1) * np.ones((1, 2, 4), np.float32)
    tau = lambda first, T, stream: Trajectory(
        observations=np.arange(first, first + T + 1, dtype=np.float32)[:, None],
        actions=np.arange(first, first + T),
        rewards=np.zeros(T),
        extras={"memory": memory[:T] + first},
        stream=stream,
    )
    obs, action, starts, begins = sequences([tau(0, 3, 0), tau(10, 1, 0), tau(20, 4, 1)], 2)

    assert action.tolist() == [[0, 2, 20, 22], [1, 10, 21, 23]]  # [L, K]
    assert obs[..., 0].tolist() == action.tolist()
    assert starts[:, 0, 0].tolist() == [0, 2, 20, 22]
    assert begins.tolist() == [[False] * 4, [False, True, False, False]]


def test_trajectories_are_brought_into_the_order_of_streams(monkeypatch):
    agent, engine = build(probes.DelayedReward)  # all end at once: runners go from stream to stream
    streams = []

    def spy(D, L):
        streams.extend(tau.stream for tau in D)
        return sequences(D, L)

    monkeypatch.setattr("lagom.algorithms.recurrent_ppo.agent.sequences", spy)
    D = engine.runner(agent, engine.env, 16)
    agent.learn(D)

    assert streams == sorted(streams) != [tau.stream for tau in D]


def test_sequences_must_fit_the_steps():
    with pytest.raises(ValueError, match=r"sequence: got 6 for train.num_step=16; expected a div"):
        build(probes.Forever, "agent.sequence=6")


def test_before_the_first_step_the_new_policy_is_the_old_one():
    """Log-probabilities and values of sequences are those of acting step by step."""
    agent, engine = build(probes.DelayedReward, "train.num_step=8", "agent.sequence=4")
    D = sorted(engine.runner(agent, engine.env, 8), key=lambda tau: tau.stream)
    obs, action, memory, reset = sequences(D, 4)
    with torch.no_grad():
        logprob, entropy, V = agent.evaluate(obs, action, memory, reset)
        logprob, V = (x.T.reshape(-1) for x in (logprob, V))
        n = 0
        for tau in D:
            for t in range(tau.T):
                x = torch.tensor(tau.observations[t])[None, None]
                h = torch.tensor(tau.extras["memory"][t])[None]
                features, _ = agent.actor(x, h[:, 0])
                policy = agent.head(features[0])
                expected = policy.log_prob(torch.tensor(tau.actions[t : t + 1]))
                torch.testing.assert_close(logprob[n : n + 1], expected)
                torch.testing.assert_close(V[n], agent.critic(x, h[:, 1])[0].squeeze())
                n += 1
    assert n == 64
    assert entropy.shape == (4, 16)


@pytest.mark.parametrize("env_class", [probes.DelayedReward, probes.Forever])
def test_advantages_equal_the_definition(env_class):
    words = "train.num_step=5", "agent.sequence=5", "agent.batch_size=40"
    agent, engine = build(env_class, *words)
    D = sorted(engine.runner(agent, engine.env, 5), key=lambda tau: tau.stream)
    with torch.no_grad():
        V_old = agent.evaluate(*sequences(D, 5))[2]
    A = agent.advantages(D, V_old).T.reshape(-1)

    n = 0
    for tau in D:
        h = torch.tensor(tau.extras["memory"][:1, 1])
        V, _ = agent.critic(torch.tensor(tau.observations)[:, None], h)  # all of it, in one go
        V = V.detach().flatten().tolist()
        V[-1] *= not tau.terminated
        for t in range(tau.T):
            deltas = [tau.rewards[k] + 0.5 * V[k + 1] - V[k] for k in range(t, tau.T)]
            expected = sum((0.5 * 0.95) ** k * delta for k, delta in enumerate(deltas))
            assert A[n].item() == pytest.approx(expected, abs=1e-5)
            n += 1
    assert n == 40


def test_first_update_equals_the_definition():
    words = "train.num_step=8", "agent.sequence=4", "agent.batch_size=64", "agent.num_epoch=1"
    agent, engine = build(probes.DelayedReward, *words, "agent.entropy_coef=0.5")
    agent.head.logits.bias.data += torch.tensor([0.5, -0.5])  # else entropy has no slope
    D = engine.runner(agent, engine.env, 8)
    copied = copy.deepcopy(agent)
    row = agent.learn(D)

    D = sorted(D, key=lambda tau: tau.stream)
    obs, action, memory, reset = sequences(D, 4)
    logprob, entropy, V = copied.evaluate(obs, action, memory, reset)
    A = copied.advantages(D, V.detach())
    target = V.detach() + A
    A = (A - A.mean()) / (A.std(correction=0) + 1e-8)
    for p in copied.parameters():
        p.grad = None
    # The ratio is 1: neither clipped nor, in value, anything but the mean advantage.
    loss = -(logprob * A).mean() + 0.5 * (V - target).square().mean() - 0.5 * entropy.mean()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(copied.parameters(), 0.5)
    torch.optim.Adam(copied.parameters(), lr=0.01, eps=1e-5).step()

    assert row["grad_norm"] == pytest.approx(norm.item(), rel=1e-4)
    assert row["value_loss"] == pytest.approx((V - target).square().mean().item(), rel=1e-4)
    assert (row["approx_kl"], row["clip_frac"]) == (pytest.approx(0.0, abs=1e-6), 0.0)
    torch.testing.assert_close(agent.to_vec(), copied.to_vec(), rtol=1e-3, atol=1e-5)


# One run


def test_state_goes_on_as_if_nothing_had_happened():
    make_env = lambda: make("CartPoleNoVel-v1", disable_env_checker=True)
    agent, engine = build(make_env)
    engine.train(1), engine.train(2)
    state, random_state = copy.deepcopy(engine.state_dict()), torch.get_rng_state()
    row = engine.train(3)
    assert np.any(state["agent"]["_extra_state"]["memory"])

    again, engine = build(make_env, seed=9)
    engine.load_state_dict(state)
    torch.set_rng_state(random_state)
    row_again = engine.train(3)

    assert torch.equal(agent.to_vec(), again.to_vec())
    assert all(row_again[key] == x for key, x in row.items() if not key.endswith("_seconds"))


def test_two_runs_with_one_seed_are_identical():
    one, _ = train(probes.MatchBox, "train.timestep=256")
    two, _ = train(probes.MatchBox, "train.timestep=256")
    other, _ = train(probes.MatchBox, "train.timestep=256", seed=1)

    assert torch.equal(one.to_vec(), two.to_vec())
    assert not torch.equal(one.to_vec(), other.to_vec())


@pytest.mark.slow
def test_solves_cartpole_without_velocities():
    returns = []
    for seed in (1, 2, 3):
        config = flat_config("algo=recurrent_ppo", "experiment=recurrent_ppo_cartpole")
        set_global_seeds(seed)
        torch.set_num_threads(1)
        env, eval_env = make_envs(config, seed)
        agent = Agent(config, env, "cpu")
        engine = OnPolicyEngine(config, agent=agent, env=env, eval_env=eval_env)
        while engine.timestep < config["train.timestep"]:
            engine.train()
        returns.append(engine.eval()["return"])
    assert gymnasium.spec(config["env.id"]).reward_threshold == 475
    assert np.median(returns) >= 475
