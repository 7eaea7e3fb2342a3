"""Recurrent PPO on observations and actions of every kind."""

import copy

import numpy as np
import pytest
import torch
from configs import flat_config
from envs import tiny
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary
from lagom.algorithms.recurrent_ppo.agent import Agent, sequences
from lagom.algorithms.recurrent_ppo.network import RecurrentNet, join

from lagom import OnPolicyEngine
from lagom.envs import RecordEpisodeStatistics, RescaleAction, make_vec_env
from lagom.envs.game import ActionMask
from lagom.utils import nested, set_global_seeds

SMALL = (
    *("agent.lr=0.02", "agent.gamma=0.5", "agent.hidden_sizes=[8]", "agent.memory_size=8"),
    *("agent.sequence=4", "train.num_step=16", "env.num_env=4", "agent.batch_size=64"),
    *("agent.num_epoch=6", "agent.lr_decay=false"),
)
kinds = lambda: RescaleAction(tiny.Kinds())
masked = lambda: ActionMask(tiny.MaskedMethod())


class Recall(tiny.Match):
    """The goal is shown on the first of two steps, and asked for on the second."""

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return super().reset(seed=seed)

    def observe(self):
        obs = super().observe()
        return obs if self.t == 0 else {"goal": 0, "vector": (np.zeros(1, np.float32),)}

    def step(self, action):
        _, reward, *_ = super().step(action)
        self.t += 1
        return self.observe(), reward * (self.t == 2), self.t == 2, False, {}


def build(make_env, *words, seed=0):
    config = flat_config("algo=recurrent_ppo", *SMALL, *words)
    set_global_seeds(seed)
    torch.set_num_threads(1)
    env = RecordEpisodeStatistics(make_vec_env(make_env, config["env.num_env"], seed))
    agent = Agent(config, env, "cpu")
    return agent, OnPolicyEngine(config, agent=agent, env=env)


def test_what_a_dictionary_said_is_recalled_in_every_part_of_an_action():
    parts = Dict(go=Discrete(2), more=MultiBinary(1))
    agent, engine = build(lambda: Recall(parts))
    rows = [engine.train(n) for n in range(25)]

    assert rows[0]["return"] < 0.7
    assert np.mean([row["return"] for row in rows[-5:]]) > 0.9
    assert agent.head(torch.zeros(1, 8)).keys() == {"go", "more"}


@pytest.mark.parametrize("make_env", [kinds, masked])
def test_sequences_are_evaluated_as_steps_were(make_env):
    """Log-probabilities, entropies and values of sequences are those of one step after another."""
    agent, engine = build(make_env)
    D = sorted(engine.runner(agent, engine.env, 8), key=lambda tau: tau.stream)
    with torch.no_grad():
        for p in agent.head.parameters():
            p.normal_()  # heads begin nearly uniform, whatever they are told
        logprob, entropy, V = (x.T.reshape(-1) for x in agent.evaluate(*sequences(D, 4)))
        n = 0
        for tau in D:
            for t in range(tau.T):
                step = lambda x, t=t: nested.to_tensors(nested.index(x, slice(t, t + 1)), "cpu")
                obs, h = step(tau.observations), step(tau.extras["memory"])
                x = nested.index(obs, None)  # [1, 1, *obs]
                mask = obs.get("action_mask")
                features = agent.actor(x, h[:, 0])[0][0]
                expected = agent.head.evaluate(features, step(tau.actions), mask=mask)
                torch.testing.assert_close(logprob[n : n + 1], expected[0])
                torch.testing.assert_close(entropy[n : n + 1], expected[1])
                torch.testing.assert_close(V[n], agent.critic(x, h[:, 1])[0].squeeze())
                n += 1
    assert n == 32


@pytest.mark.parametrize("make_env", [kinds, masked])
def test_first_update_equals_the_definition(make_env):
    words = "agent.num_epoch=1", "agent.entropy_coef=0.5", "agent.lr=0.01"
    agent, engine = build(make_env, *words)
    D = engine.runner(agent, engine.env, 16)
    copied = copy.deepcopy(agent)
    row = agent.learn(D)

    D = sorted(D, key=lambda tau: tau.stream)
    logprob, entropy, V = copied.evaluate(*sequences(D, 4))
    A, ends = [], np.cumsum([0, *(tau.T for tau in D)])
    for tau, i, j in zip(D, ends[:-1], ends[1:], strict=True):
        obs = nested.map_leaves(lambda x: x[:, None], nested.to_tensors(tau.observations, "cpu"))
        last = copied.critic(obs, torch.tensor(tau.extras["memory"][:1, 1]))[0][-1].item()
        v = [*V.T.reshape(-1)[i:j].tolist(), 0.0 if tau.terminated else last]
        deltas = [tau.rewards[t] + 0.5 * v[t + 1] - v[t] for t in range(tau.T)]
        for t in range(tau.T):
            A.append(sum((0.5 * 0.95) ** (k - t) * deltas[k] for k in range(t, tau.T)))
    A = torch.tensor(A, dtype=torch.float32).view(V.T.shape).T
    target = V.detach() + A
    A = (A - A.mean()) / (A.std(correction=0) + 1e-8)
    for p in copied.parameters():
        p.grad = None
    # The ratio is 1: neither clipped nor, in value, anything but the mean advantage.
    loss = -(logprob * A).mean() + 0.5 * (V - target).square().mean() - 0.5 * entropy.mean()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(copied.parameters(), 0.5)

    assert row["grad_norm"] == pytest.approx(norm.item(), rel=1e-3)
    assert row["value_loss"] == pytest.approx((V - target).square().mean().item(), rel=1e-4)
    for (name, p), q in zip(copied.named_parameters(), agent.parameters(), strict=True):
        if p.grad.abs().max() > 1e-4:  # Adam's first step goes against the sign
            moved, big = p.detach() - q.detach(), p.grad.abs() > 1e-4
            assert torch.equal(moved[big].sign(), p.grad[big].sign()), name


def test_pictures_train_convolutions():
    agent, engine = build(kinds)
    before = {name: p.detach().clone() for name, p in agent.named_parameters()}
    engine.train(1)

    assert sum("encoder.parts" in name for name in before) >= 4
    for name, p in agent.named_parameters():
        assert (p != before[name]).any(), name


def test_forbidden_actions_are_never_taken():
    """The environment asserts it."""
    agent, engine = build(masked)
    for n in range(3):
        engine.train(n)
    agent.eval()
    obs, _ = engine.env.reset()
    for _ in range(20):
        obs, *_ = engine.env.step(agent.choose_action(obs)["action"])


def test_vectors_go_into_the_memory_as_they_are():
    net = RecurrentNet(Box(-1.0, 1.0, (3,)), "lstm", 4, [5], 1, "tanh", "auto")
    x, state = torch.randn(2, 3, 3), torch.zeros(3, 8)

    assert [*net.encoder.parameters()] == []
    features, (h, c) = net.lstm(x, state.chunk(2, -1))
    out, after = net(x, state)
    assert torch.equal(out, net.mlp(features))
    assert torch.equal(after, torch.cat([h, c], -1))
    assert join({"a": x})["a"].tolist() == [row for step in x.tolist() for row in step]


def test_state_goes_on_as_if_nothing_had_happened():
    agent, engine = build(kinds)
    engine.train(1), engine.train(2)
    state, random_state = copy.deepcopy(engine.state_dict()), torch.get_rng_state()
    row = engine.train(3)

    again, engine = build(kinds, seed=9)
    engine.agent.load_state_dict(state["agent"])
    assert np.array_equal(again.memory["train"], state["agent"]["_extra_state"]["memory"])
    other, engine_again = build(kinds)  # the same episodes
    engine_again.train(1), engine_again.train(2)
    other.load_state_dict(again.state_dict())
    torch.set_rng_state(random_state)
    row_again = engine_again.train(3)

    assert torch.equal(agent.to_vec(), other.to_vec())
    assert all(row_again[key] == x for key, x in row.items() if not key.endswith("_seconds"))
