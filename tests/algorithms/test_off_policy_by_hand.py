"""Steps of off-policy algorithms by hand: the same as the readable ones, or not used."""

import copy

import gymnasium
import numpy as np
import probes
import pytest
import torch
from configs import flat_config
from edits import check_edit_is_used
from gymnasium.spaces import Dict
from lagom.algorithms import by_hand
from lagom.algorithms.crossq.agent import Agent as CrossQ
from lagom.algorithms.ddpg.agent import Agent as DDPG
from lagom.algorithms.dqn.agent import Agent as DQN
from lagom.algorithms.off_policy_check import disagreement
from lagom.algorithms.sac.agent import Agent as SAC
from lagom.algorithms.td3.agent import Agent as TD3
from lagom.algorithms.tqc.agent import Agent as TQC
from replay_sample import make_agent, make_sample

from lagom.engine import OffPolicyEngine
from lagom.envs import RecordEpisodeStatistics, make_vec_env
from lagom.networks import MLP, Linear, backprop
from lagom.networks.batch_renorm import BatchRenorm, RenormMLP
from lagom.utils import set_global_seeds, set_num_threads, threads

CASES = [
    ("dqn", ()),
    ("dqn", ("agent.dueling=false", "agent.double=false")),
    ("dqn", ("agent.hidden_sizes=[8,6]", "agent.activation=tanh", "agent.max_grad_norm=0.01")),
    ("dqn", ("agent.hidden_sizes=[]",)),
    ("sac", ()),
    ("sac", ("agent.hidden_sizes=[8,6]", "agent.activation=tanh", "agent.alpha=0.3")),
    ("sac", ("agent.hidden_sizes=[]",)),
    ("td3", ("agent.policy_delay=1",)),
    ("td3", ("agent.hidden_sizes=[8,6]", "agent.activation=tanh", "agent.target_noise=0.6")),
    ("ddpg", ()),
    ("ddpg", ("agent.hidden_sizes=[8,6]", "agent.activation=tanh")),
    ("tqc", ("agent.num_quantile=5", "agent.drop=1")),
    ("tqc", ("agent.hidden_sizes=[8,6]", "agent.activation=tanh", "agent.num_critic=3")),
    ("crossq", ("agent.policy_delay=2",)),
    ("crossq", ("agent.hidden_sizes=[8,6]", "agent.critic_sizes=[6,7]", "agent.policy_delay=1")),
    ("crossq", ("agent.renorm_warmup=0", "agent.activation=tanh", "agent.alpha=0.3")),
    ("crossq", ("agent.hidden_sizes=[]", "agent.critic_sizes=[]", "agent.renorm_warmup=1")),
]
KINDS = {"dqn": DQN, "sac": SAC, "td3": TD3, "ddpg": DDPG, "tqc": TQC, "crossq": CrossQ}
OWN_WORDS = {"crossq": ("agent.critic_sizes=[8]",)}


def make(algo, *words):
    torch.set_num_threads(1)
    words = OWN_WORDS.get(algo, ()) + words
    return make_agent(
        algo, *words, env_class=probes.MatchDiscrete if algo == "dqn" else probes.MatchBox
    )


def sample(algo):
    D = make_sample(algo == "dqn")
    D["reward"] *= 3  # errors on both sides of 1
    return D | {"weight": np.linspace(0.2, 1.2, 6, dtype=np.float32)}


def everything(agent):
    return copy.deepcopy(agent.state_dict()), torch.get_rng_state()


def put_back(agent, state):
    agent.load_state_dict(copy.deepcopy(state[0]))
    torch.set_rng_state(state[1])


def numbers(agent):
    """Parameters, buffers, counters of minibatches, and what the optimizers remember."""
    states = [state for x in agent.optimizers.values() for state in x.state.values()]
    counts = [torch.tensor(m.num_batch) for m in agent.modules() if isinstance(m, BatchRenorm)]
    moments = [x for state in states for x in state.values()]
    return [*agent.parameters(), *agent.buffers(), *counts, *moments]


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize(("algo", "words"), CASES)
def test_steps_are_the_agents(algo, words, is_large, monkeypatch):
    if is_large:  # kernels of torch instead
        monkeypatch.setattr(backprop, "_MANY", 0)
        monkeypatch.setattr(backprop, "_LARGE", 0)
        monkeypatch.setattr(threads, "_num_blas", None)
    agent, D = make(algo, *words), sample(algo)
    agent.step(D)  # so that moments are there
    assert agent.choice.closed_form.applies(agent)
    state = everything(agent)

    expected = agent.step(D)
    state_after = [x.detach().clone() for x in numbers(agent)]
    extra, random_state = agent.get_extra_state()["rng"], torch.get_rng_state()
    put_back(agent, state)
    for net in agent.children():
        net.flat.grad.fill_(7.0)  # overwritten, not added to
    out = agent.choice.closed_form(agent).step(D)

    assert list(out) == list(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(out[key], value, rtol=1e-4, atol=1e-5, err_msg=key)
    for x, y in zip(numbers(agent), state_after, strict=True):
        torch.testing.assert_close(x.detach(), y, rtol=1e-4, atol=1e-5)
    assert agent.get_extra_state()["rng"] == extra
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("algo", ["td3", "ddpg"])
@pytest.mark.parametrize("bias", [-9.0, 9.0])
def test_steps_are_the_agents_where_actions_are_at_their_bounds(algo, bias):
    agent, D = make(algo, *(["agent.policy_delay=1"] if algo == "td3" else [])), sample(algo)
    agent.step(D)
    with torch.no_grad():
        agent.actor.net.out.bias.fill_(bias)
        for net in agent.critics.Q if algo == "td3" else agent.critic.Q:
            W = net.layers[0].weight
            W[::2, -1] *= -3  # values rise with some actions, and fall with others
    state = everything(agent)

    agent.step(D)
    grad, moved = agent.actor.net.out.bias.grad.clone(), agent.actor.to_vec().detach()
    put_back(agent, state)
    agent.choice.closed_form(agent).step(D)

    torch.testing.assert_close(agent.actor.net.out.bias.grad, grad)
    torch.testing.assert_close(agent.actor.to_vec().detach(), moved, rtol=1e-4, atol=1e-5)
    assert agent.actor.numpy(D["observation"])[0] * bias > 8.9


@pytest.mark.parametrize(("algo", "words"), CASES)
def test_a_check_finds_rounding_and_changes_nothing(algo, words):
    agent, D = make(algo, *words), sample(algo)
    for trained in (False, True):
        state = everything(agent)
        errors = [disagreement(agent, D, look) for look in range(3)]

        assert max(errors) < 1e-4
        assert str(agent.state_dict()) == str(state[0]), trained
        assert torch.equal(torch.get_rng_state(), state[1])
        agent.learn(D)


def engine_of(algo, *words, kind=None, seed=0):
    env_id = "CartPole-v1" if algo == "dqn" else "Pendulum-v1"
    small = ("agent.hidden_sizes=[8]", "agent.batch_size=16", "train.warmup=40")
    sizes = ("train.num_step=60", "train.timestep=400", "train.replay_ratio=0.5")
    own = (*OWN_WORDS[algo], "agent.renorm_warmup=3") if algo == "crossq" else ()
    config = flat_config(f"algo={algo}", f"env={env_id}", *small, *sizes, *own, *words)
    set_global_seeds(seed)
    torch.set_num_threads(1)
    make_env = lambda: gymnasium.make(env_id, disable_env_checker=True)
    env = RecordEpisodeStatistics(make_vec_env(make_env, 1, seed))
    agent = (kind or KINDS[algo])(config, env, "cpu")
    return OffPolicyEngine(config, agent=agent, env=env)


@pytest.mark.parametrize("prioritized", [False, True])
@pytest.mark.parametrize("algo", KINDS)
def test_both_ways_end_within_rounding(algo, prioritized):
    # Larger weights than uniform ones: from those, the two ways differ by less than can be seen
    words = (f"replay.prioritized={prioritized}", "agent.lr=1e-4", "agent.init=orthogonal")
    one = engine_of(algo, *words)
    row = one.train(1)
    two = engine_of(algo, *words, "agent.gradient=autograd")  # torch's stream begins anew
    expected = two.train(1)

    assert one.agent.choice.made is not None
    assert two.agent.choice.made is None
    difference = (one.agent.to_vec() - two.agent.to_vec()).abs().max()
    assert 0 < difference < 1e-5
    for key, value in expected.items():
        if not key.endswith("_seconds"):
            assert row[key] == pytest.approx(value, rel=1e-3, abs=1e-4, nan_ok=True), key


@pytest.mark.parametrize("algo", KINDS)
def test_state_goes_on_as_if_nothing_had_happened(algo):
    engine = engine_of(algo)
    engine.train(1), engine.train(2)
    state, random_state = copy.deepcopy(engine.state_dict()), torch.get_rng_state()
    row = engine.train(3)

    for again in (engine_of(algo, seed=9), engine):  # in a new process; in this one
        again.load_state_dict(copy.deepcopy(state))
        torch.set_rng_state(random_state)
        row_again = again.train(3)

        assert torch.equal(engine.agent.to_vec(), again.agent.to_vec())
        assert all(row_again[key] == x for key, x in row.items() if not key.endswith("_seconds"))


# Edits


class NoEnd(TD3):
    def step(self, D):
        return super().step(D | {"terminated": np.zeros(len(D["reward"]), bool)})


class Twice(DDPG):
    def step(self, D):
        super().step(D)
        return super().step(D)


class LowTemperature(SAC):
    def step(self, D):
        with torch.no_grad():
            self.log_alpha -= 0.01
        return super().step(D)


class OtherLog(SAC):
    def step(self, D):
        out = super().step(D)
        return out | {"entropy": out["entropy"] + 0.1}


class SlowTarget(DDPG):
    def step(self, D):
        before = self.actor_target.flat.detach().clone()
        out = super().step(D)
        with torch.no_grad():
            self.actor_target.flat.lerp_(before, 0.1)
        return out


class FewMoments(CrossQ):
    def step(self, D):
        before = self.critics.Q[1].norms[0].var.clone()
        out = super().step(D)
        self.critics.Q[1].norms[0].var.lerp_(before, 0.1)
        return out


@pytest.mark.parametrize("kind", [NoEnd, Twice, LowTemperature, OtherLog, SlowTarget, FewMoments])
def test_who_edits_the_step_gets_the_edit_and_a_warning(kind):
    algo = next(name for name, parent in KINDS.items() if issubclass(kind, parent))
    check_edit_is_used(algo, lambda *words: engine_of(algo, *words, kind=kind))


class Noisy(Linear):
    """A layer of one's own."""


@pytest.mark.parametrize(
    ("algo", "words", "change"),
    [
        ("sac", ("agent.sde=true",), None),
        ("sac", (), lambda agent: agent.actor.trunk.layers[0].bias.requires_grad_(False)),
        ("sac", (), lambda agent: agent.alpha_optimizer.param_groups[0].update(amsgrad=True)),
        ("dqn", (), lambda agent: agent.double()),
        ("dqn", (), lambda agent: agent.optimizer.register_step_pre_hook(print)),
        ("td3", (), lambda agent: setattr(agent.critics.Q[0], "activation", torch.sin)),
        ("ddpg", (), lambda agent: setattr(agent, "more", torch.nn.Linear(2, 2))),
        ("dqn", (), lambda agent: setattr(agent.Q, "advantage", Noisy(64, 2))),
        ("dqn", (), lambda agent: setattr(agent.Q.value, "bias", None)),
        ("sac", (), lambda agent: setattr(agent.actor, "trunk", RenormMLP(1, [8]))),
        ("crossq", (), lambda agent: setattr(agent.actor, "trunk", MLP(1, [8]))),
    ],
)
def test_other_networks_and_optimizers_are_left_to_autograd(algo, words, change):
    agent = make(algo, *words)
    if change is not None:
        assert agent.choice.closed_form.applies(agent)
        change(agent)

    assert not agent.choice.closed_form.applies(agent)
    assert agent.choice(agent, None) == agent.step


def test_who_is_left_to_autograd_is_not_looked_at_with_each_minibatch(monkeypatch):
    agent, looks = make("sac", "agent.sde=true"), []
    monkeypatch.setattr(by_hand, "_CHECK_EVERY", 4)
    monkeypatch.setattr(agent.choice.closed_form, "applies", lambda agent: looks.append(1))
    for _ in range(10):
        assert agent.choice(agent, None) == agent.step

    assert len(looks) == 3


@pytest.mark.parametrize("algo", KINDS)
def test_a_deep_copy_learns_by_itself(algo):
    agent, D = make(algo), sample(algo)
    agent.learn(D)
    other, random_state = copy.deepcopy(agent), torch.get_rng_state()
    before = agent.to_vec().clone()
    other.learn(D)

    assert torch.equal(agent.to_vec(), before)
    torch.set_rng_state(random_state)
    agent.learn(D)
    assert torch.equal(agent.to_vec(), other.to_vec())
    assert not torch.equal(agent.to_vec(), before)


class DictMatch(probes.MatchBox):
    """Observations in a dictionary."""

    def __init__(self):
        super().__init__()
        self.observation_space = Dict({"x": self.observation_space})


def test_other_observations_are_left_to_autograd():
    for algo in ("sac", "td3", "ddpg"):
        agent = make_agent(algo, env_class=DictMatch)
        assert not agent.choice.closed_form.applies(agent), algo


def test_checks_come_back_now_and_then(monkeypatch):
    agent, D, checked = make("ddpg"), sample("ddpg"), []
    monkeypatch.setattr(by_hand, "_CHECK_EVERY", 4)
    monkeypatch.setattr(
        "lagom.algorithms.ddpg.agent.disagreement",
        lambda agent, D, look: checked.append(D["n"]) or 0.0,
    )
    for n in range(10):
        agent.learn(D | {"n": n})

    assert checked == [0, 4, 8]


def test_steps_by_hand_have_the_threads_for_numpy_and_others_for_torch(monkeypatch):
    monkeypatch.setattr(threads, "_num", None)  # and put back in the end
    agent, autograd = make("sac"), make("sac", "agent.gradient=autograd")
    set_num_threads(2)
    try:
        agent.learn(sample("sac"))
        assert (torch.get_num_threads(), threads.numpy_has_the_threads()) == (1, True)

        set_num_threads(2)
        autograd.learn(sample("sac"))
        assert (torch.get_num_threads(), threads.numpy_has_the_threads()) == (2, False)
    finally:
        set_num_threads(1)
