"""A2C's step by hand: the same as the readable one, or not used."""

import copy
from dataclasses import replace
from unittest import mock

import gymnasium
import probes
import pytest
import torch
from configs import flat_config
from edits import check_edit_is_used
from lagom.algorithms.a2c.agent import Agent
from lagom.algorithms.a2c.check import disagreement
from lagom.algorithms.a2c.closed_form import ClosedForm
from torch.nn import functional as F

from lagom import OnPolicyEngine
from lagom.envs import RecordEpisodeStatistics, make_vec_env
from lagom.utils import set_global_seeds

WORDS = "agent.hidden_sizes=[8]", "train.timestep=8000", "agent.entropy_coef=0.02"
ENVS = probes.MatchDiscrete, probes.MatchBox


def make(env_class, *words, kind=Agent, seed=0):
    config = flat_config("algo=a2c", *WORDS, *words)
    set_global_seeds(seed)
    torch.set_num_threads(1)
    env = RecordEpisodeStatistics(make_vec_env(env_class, config["env.num_env"], seed))
    agent = kind(config, env, "cpu")
    return agent, OnPolicyEngine(config, agent=agent, env=env)


def collect(agent, engine):
    return engine.runner(agent, engine.env, 5)


@pytest.mark.parametrize("env_class", ENVS)
@pytest.mark.parametrize(
    "words",
    [
        (),
        ("agent.hidden_sizes=[]", "agent.optimizer=adam"),
        ("agent.hidden_sizes=[8,6]", "agent.activation=relu", "agent.max_grad_norm=0.01"),
        ("agent.normalize_advantage=false", "agent.value_coef=0.7", "agent.lam=0.9"),
    ],
)
def test_steps_are_the_agents(env_class, words):
    agent, engine = make(env_class, *words)
    D = collect(agent, engine)
    agent.step(D)  # so that the optimizer has a state
    before = copy.deepcopy(agent.state_dict())

    expected = agent.step(D)
    vec, grad = agent.to_vec().detach(), agent.flat.grad.clone()
    agent.load_state_dict(before)
    agent.flat.grad.fill_(7.0)  # overwritten, not added to
    assert ClosedForm.applies(agent)
    out = ClosedForm(agent).step(D)

    assert list(out) == list(expected)
    assert out == pytest.approx(expected, rel=1e-4, abs=1e-6)
    torch.testing.assert_close(agent.flat.grad, grad, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(agent.to_vec().detach(), vec, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("env_class", ENVS)
def test_both_ways_end_within_rounding(env_class):
    one, engine = make(env_class)
    two, other = make(env_class, "agent.gradient=autograd")
    for n in range(3):
        row, expected = engine.train(n), other.train(n)

    assert one.choice.made is not None
    assert two.choice.made is None
    assert not torch.equal(one.to_vec(), two.to_vec())  # two ways indeed
    assert (one.to_vec() - two.to_vec()).abs().max() < 1e-4
    for key, value in expected.items():
        if not key.endswith("_seconds"):
            assert row[key] == pytest.approx(value, rel=1e-3, abs=1e-5, nan_ok=True), key


def test_state_goes_on_as_if_nothing_had_happened():
    cartpole = lambda: gymnasium.make("CartPole-v1", disable_env_checker=True)
    agent, engine = make(cartpole)
    engine.train(1), engine.train(2)
    state, random_state = copy.deepcopy(engine.state_dict()), torch.get_rng_state()
    row = engine.train(3)

    again, engine = make(cartpole, seed=9)
    engine.load_state_dict(state)
    torch.set_rng_state(random_state)
    row_again = engine.train(3)  # with a check, as the process is a new one

    assert torch.equal(agent.to_vec(), again.to_vec())
    for key, value in row.items():
        assert key.endswith("_seconds") or row_again[key] == pytest.approx(
            value, nan_ok=True, rel=0
        )


@pytest.mark.parametrize("env_class", ENVS)
@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_a_check_finds_rounding_and_changes_nothing(env_class, optimizer):
    agent, engine = make(env_class, f"agent.optimizer={optimizer}")
    D = collect(agent, engine)
    for trained in (False, True):
        before, random_state = copy.deepcopy(agent.state_dict()), torch.get_rng_state()
        errors = [disagreement(agent, D, look) for look in range(3)]

        assert 0 < min(errors) <= max(errors) < 1e-4
        assert str(agent.state_dict()) == str(before), trained
        assert torch.equal(torch.get_rng_state(), random_state)
        agent.learn(D)


class Huber(Agent):
    def step(self, D):
        with mock.patch.object(F, "mse_loss", F.huber_loss):
            return super().step(D)


class MoreEntropy(Agent):
    def step(self, D):
        more = self.config | {"agent.entropy_coef": 1.2 * self.config["agent.entropy_coef"]}
        with mock.patch.object(self, "config", more):
            return super().step(D)


class NoEnd(Agent):
    def step(self, D):
        return super().step([replace(tau, terminated=False) for tau in D])


class Twice(Agent):
    def step(self, D):
        super().step(D)
        return super().step(D)


class Unclipped(Agent):
    def clip_grad_norm(self, max_norm):
        return super().clip_grad_norm(10 * max_norm)


class OtherLog(Agent):
    def step(self, D):
        out = super().step(D)
        return out | {"entropy": out["entropy"] + 0.1}


@pytest.mark.parametrize("env_class", ENVS)
@pytest.mark.parametrize("kind", [Huber, MoreEntropy, NoEnd, Twice, Unclipped, OtherLog])
def test_who_edits_the_step_gets_the_edit_and_a_warning(env_class, kind):
    check_edit_is_used("a2c", lambda *words: make(env_class, *words, kind=kind)[1])


@pytest.mark.parametrize(
    ("words", "change"),
    [
        (("agent.lag=2",), None),
        (("agent.sde=true",), None),
        ((), lambda agent: agent.double()),
        ((), lambda agent: agent.critic.layers[0].bias.requires_grad_(False)),
        ((), lambda agent: setattr(agent, "optimizer", torch.optim.SGD(agent.parameters(), 0.1))),
    ],
)
def test_other_agents_are_left_to_autograd(words, change):
    agent, engine = make(probes.MatchBox, *words)
    if change is not None:
        assert ClosedForm.applies(agent)
        change(agent)

    assert not ClosedForm.applies(agent)
    if change is None:
        engine.train(1)
        assert agent.choice.made is None
