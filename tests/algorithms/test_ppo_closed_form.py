import copy

import gymnasium
import numpy as np
import probes
import pytest
import torch
from configs import flat_config
from edits import check_edit_is_used
from lagom.algorithms import by_hand
from lagom.algorithms.ppo.agent import Agent
from lagom.algorithms.ppo.check import disagreement
from lagom.algorithms.ppo.closed_form import ClosedForm

from lagom import OnPolicyEngine
from lagom.envs import RecordEpisodeStatistics, make_vec_env
from lagom.networks import Linear
from lagom.utils import set_global_seeds

KINDS = "auto", "autograd"
WORDS = (
    *("agent.lr=0.01", "agent.hidden_sizes=[8]", "agent.batch_size=50", "agent.num_epoch=3"),
    *("train.num_step=16", "train.timestep=8000", "agent.entropy_coef=0.02"),
)


def make(env_class, *words, kind=Agent, seed=0):
    config = flat_config("algo=ppo", *WORDS, *words)
    set_global_seeds(seed)
    torch.set_num_threads(1)
    env = RecordEpisodeStatistics(make_vec_env(env_class, config["env.num_env"], seed))
    agent = kind(config, env, "cpu")
    return agent, OnPolicyEngine(config, agent=agent, env=env)


def batch_of(agent, N=41):
    """A minibatch with ratios and values on both sides of the clips, advantages of both signs."""
    rng = np.random.default_rng(1)
    normal = lambda *shape: torch.from_numpy(rng.normal(size=shape).astype(np.float32))
    obs = normal(N, 1)
    is_discrete = hasattr(agent.head, "logits")
    action = torch.from_numpy(rng.integers(2, size=N)) if is_discrete else normal(N, 1)
    with torch.no_grad():
        logprob, _, V = agent.evaluate(obs, action)
    return obs, action, logprob + 0.3 * normal(N), V + 0.5 * normal(N), normal(N), normal(N)


@pytest.mark.parametrize("env_class", [probes.MatchDiscrete, probes.MatchBox])
@pytest.mark.parametrize("value_clip", [0.0, 0.3])
@pytest.mark.parametrize(
    "words", [(), ("agent.hidden_sizes=[]",), ("agent.hidden_sizes=[8,6]", "agent.activation=relu")]
)
def test_steps_are_the_agents(env_class, value_clip, words):
    agent, _ = make(env_class, f"agent.value_clip={value_clip}", *words)
    batch, before = batch_of(agent), copy.deepcopy(agent.state_dict())

    row, logratio = agent.step(*batch)
    vec, grad = agent.to_vec().detach(), agent.flat.grad.clone()
    agent.load_state_dict(before)
    agent.flat.grad.fill_(7.0)
    row_by_hand, logratio_by_hand = ClosedForm(agent).step(*batch)

    assert 0.2 < ((logratio.exp() - 1).abs() > agent.config["agent.clip"]).float().mean() < 0.8
    torch.testing.assert_close(row_by_hand, row, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(logratio_by_hand, logratio, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(agent.flat.grad, grad, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(agent.to_vec().detach(), vec, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("env_class", [probes.MatchDiscrete, probes.MatchBox])
def test_both_ways_end_within_rounding(env_class):
    one, engine = make(env_class)
    row = engine.train(1)
    two, other = make(env_class, "agent.gradient=autograd")
    expected = other.train(1)

    assert not torch.equal(one.to_vec(), two.to_vec())  # two ways indeed
    assert (one.to_vec() - two.to_vec()).abs().max() < 0.02 * one.config["agent.lr"]
    for key, value in expected.items():
        if not key.endswith("_seconds"):
            assert row[key] == pytest.approx(value, rel=1e-3, abs=1e-5, nan_ok=True), key


@pytest.mark.parametrize("gradient", KINDS)
def test_minibatches_cover_the_batch_once_an_epoch(gradient, monkeypatch):
    agent, engine = make(probes.MatchBox, f"agent.gradient={gradient}")
    seen, owner = [], ClosedForm if gradient == "auto" else Agent
    original = owner.step
    agent.choice.until_check = 1.0  # no check in between
    spy = lambda self, *batch: (seen.append(batch[0]), original(self, *batch))[1]
    monkeypatch.setattr(owner, "step", spy)
    D = engine.runner(agent, engine.env, 16)
    agent.learn(D)

    everything = np.sort(np.concatenate([tau.observations[:-1] for tau in D]), axis=None)
    assert [len(x) for x in seen] == [50, 50, 28] * 3  # 8 environments x 16 steps
    for epoch in (seen[:3], seen[3:6], seen[6:]):
        np.testing.assert_array_equal(np.sort(torch.cat(epoch).flatten()), everything)


@pytest.mark.parametrize("gradient", KINDS)
def test_state_goes_on_as_if_nothing_had_happened(gradient):
    words = (f"agent.gradient={gradient}",)
    cartpole = lambda: gymnasium.make("CartPole-v1", disable_env_checker=True)
    agent, engine = make(cartpole, *words)
    engine.train(1), engine.train(2)
    state, random_state = copy.deepcopy(engine.state_dict()), torch.get_rng_state()
    row = engine.train(3)

    again, engine = make(cartpole, *words, seed=9)
    engine.load_state_dict(state)
    torch.set_rng_state(random_state)
    row_again = engine.train(3)  # with a check, as the process is a new one

    assert torch.equal(agent.to_vec(), again.to_vec())
    assert all(row_again[key] == x for key, x in row.items() if not key.endswith("_seconds"))


# The check


class Forgets(Agent):
    def set_extra_state(self, state):
        pass

    def evaluate(self, obs, action):
        torch.rand(3), self.rng.random()
        return super().evaluate(obs, action)


@pytest.mark.parametrize("env_class", [probes.MatchDiscrete, probes.MatchBox])
@pytest.mark.parametrize(("value_clip", "kind"), [(0.0, Agent), (0.3, Agent), (0.0, Forgets)])
def test_a_check_finds_rounding_and_changes_nothing(env_class, value_clip, kind):
    agent, engine = make(env_class, f"agent.value_clip={value_clip}", kind=kind)
    D = engine.runner(agent, engine.env, 16)
    obs = torch.as_tensor(np.concatenate([tau.observations[:-1] for tau in D]))
    action = torch.as_tensor(np.concatenate([tau.actions for tau in D]))
    for trained in (False, True):  # before there is a state of Adam, and after
        before, random_state = copy.deepcopy(agent.state_dict()), torch.get_rng_state()
        errors = [disagreement(agent, obs, action, look) for look in range(3)]

        assert 0 < min(errors) <= max(errors) < 1e-4
        assert str(agent.state_dict()) == str(before), trained
        assert torch.equal(torch.get_rng_state(), random_state)
        agent.learn(D)


class Huber(Agent):
    def value_loss(self, V, V_old, target):
        return torch.nn.functional.huber_loss(V, target)


class ClipHigher(Agent):
    def loss(self, obs, action, logprob_old, V_old, A, target):
        logprob, entropy, V = self.evaluate(obs, action)
        ratio = (logprob - logprob_old).exp()
        policy_loss = -torch.min(ratio * A, ratio.clamp(0.8, 1.28) * A).mean()
        parts = policy_loss, self.value_loss(V, V_old, target), entropy.mean()
        return parts[0] + 0.5 * parts[1] - 0.02 * parts[2], parts, logprob - logprob_old


class LessEntropy(Agent):
    def loss(self, *batch):
        loss, parts, logratio = super().loss(*batch)
        return loss + 0.001 * parts[2], parts, logratio


class Scaled(Agent):
    def evaluate(self, obs, action):
        logprob, entropy, V = super().evaluate(obs, action)
        return logprob, entropy, 1.01 * V


class Unclipped(Agent):
    def clip_grad_norm(self, max_norm):
        return super().clip_grad_norm(10 * max_norm)


class OtherLog(Agent):
    def step(self, *batch):
        row, logratio = super().step(*batch)
        return row + torch.tensor([0.0, 0.0, 0.1, 0.0]), logratio


@pytest.mark.parametrize("env_class", [probes.MatchDiscrete, probes.MatchBox])
@pytest.mark.parametrize("kind", [Huber, ClipHigher, LessEntropy, Scaled, Unclipped, OtherLog])
def test_who_edits_the_step_gets_the_edit_and_a_warning(env_class, kind):
    check_edit_is_used("ppo", lambda *words: make(env_class, *words, kind=kind)[1])


def test_a_disagreement_is_remembered_by_checkpoints():
    agent, _ = make(probes.MatchBox)
    agent.choice.agrees = False
    state = copy.deepcopy(agent.state_dict())
    again, _ = make(probes.MatchBox)
    again.load_state_dict(state)

    assert again.choice(again, None) == again.step
    del state["_extra_state"]["choice"]  # as of older checkpoints
    older, _ = make(probes.MatchBox)
    older.load_state_dict(state)
    assert older.choice.agrees


def test_an_error_at_one_look_is_no_disagreement():
    agent, _ = make(probes.MatchBox)
    looks = []
    errors = lambda look: [1.0, float("nan"), 1e-6][looks.append(look) or look]

    step = agent.choice(agent, errors)

    assert looks == [0, 1, 2]
    assert isinstance(step.__self__, ClosedForm)


def test_checks_come_back_now_and_then(monkeypatch):
    _, engine = make(probes.MatchBox)
    checked = []
    monkeypatch.setattr(by_hand, "_CHECK_EVERY", 15)  # a learn has 3 x 2.56 minibatches
    monkeypatch.setattr(
        "lagom.algorithms.ppo.agent.disagreement", lambda *x: checked.append(n) or 0.0
    )
    for n in range(1, 6):
        engine.train(n)

    assert checked == [1, 3, 5]


@pytest.mark.parametrize(
    "change",
    [
        lambda agent: agent.critic.layers[0].bias.requires_grad_(False),
        lambda agent: agent.double(),
        lambda agent: setattr(agent.actor, "out", Linear(8, 8)),
        lambda agent: agent.register_parameter("more", torch.nn.Parameter(torch.zeros(1))),
        lambda agent: setattr(agent.actor, "activation", torch.sin),
        lambda agent: setattr(agent, "optimizer", torch.optim.SGD([agent.flat], lr=0.1)),
        lambda agent: agent.optimizer.param_groups[0].update(weight_decay=0.1),
        lambda agent: agent.optimizer.register_step_pre_hook(print),
        lambda agent: agent.optimizer.register_step_post_hook(print),
        lambda agent: torch.nn.utils.parametrizations.weight_norm(agent.actor.layers[0]),
    ],
)
def test_other_networks_and_optimizers_are_left_to_autograd(change):
    agent, _ = make(probes.MatchBox)
    assert ClosedForm.applies(agent)

    change(agent)

    assert not ClosedForm.applies(agent)
    assert agent.choice(agent, None) == agent.step


def test_a_shared_network_is_left_to_autograd():
    agent, _ = make(probes.MatchBox, "agent.shared=true")

    assert not ClosedForm.applies(agent)
