"""What td3, ddpg, tqc, crossq and sac_discrete have in common."""

import os
import signal
from pkgutil import resolve_name

import numpy as np
import probes
import pytest
import torch
from configs import TINY_REPLAY, compose, flat_config
from gymnasium.spaces import Box
from lagom.algorithms import off_policy
from lagom.algorithms.adam import adam
from replay_sample import make_agent, make_sample

from lagom.engine import OffPolicyEngine
from lagom.envs import RecordEpisodeStatistics, make_envs, make_vec_env
from lagom.experiment import job
from lagom.experiment.guard import execute
from lagom.experiment.journal import read_logs
from lagom.experiment.policy import read_policy
from lagom.utils import set_global_seeds

CONTINUOUS = ("td3", "ddpg", "tqc", "crossq")
SMALL = (
    *("agent.gamma=0.5", "agent.hidden_sizes=[16]", "agent.batch_size=32", "agent.lr=0.01"),
    *("train.warmup=100", "train.num_step=200", "train.timestep=500"),
)
OWN = {  # beside those
    "td3": ("agent.tau=0.2", "agent.noise_scale=0.3"),
    "ddpg": ("agent.tau=0.2", "agent.noise_scale=0.3"),
    "tqc": ("agent.tau=0.2", "agent.alpha=1e-4", "agent.num_quantile=5", "agent.drop=1"),
    "crossq": ("agent.alpha=1e-4", "agent.critic_sizes=[16]", "agent.renorm_warmup=100"),
    "sac_discrete": ("agent.tau=0.2", "agent.alpha=1e-4", "train.timestep=700"),
}


class Continuous:
    """A probe's observations and rewards, with an action that does not matter."""

    def __init__(self, env_class):
        self.env_class = env_class

    def __call__(self):
        env = self.env_class()
        env.action_space = probes.MatchBox().action_space
        return env


def train(algo, env_class, *words, seed=0):
    env_id = "Pendulum-v1" if algo in CONTINUOUS else "CartPole-v1"
    config = flat_config(f"algo={algo}", f"env={env_id}", *SMALL, *OWN[algo], *words)
    set_global_seeds(seed)
    torch.set_num_threads(1)
    env = RecordEpisodeStatistics(make_vec_env(env_class, 1, seed))
    agent = resolve_name(config["algo.agent"])(config, env, "cpu")
    engine = OffPolicyEngine(config, agent=agent, env=env)
    rows = []
    while engine.timestep < config["train.timestep"]:
        rows.append(engine.train(len(rows) + 1))
    return agent, rows


@torch.no_grad()
def values(agent, observations):
    """``[num_critic, N]``, of action 0."""
    obs = torch.tensor(observations)[:, None]
    critics = agent.critic if hasattr(agent, "critic") else agent.critics
    name = agent.config["algo.name"]
    if name == "sac_discrete":
        return [Q[:, 0].numpy() for Q in critics(obs)]
    Q = critics(obs, torch.zeros(len(obs), 1))
    return [(x.mean(-1) if name == "tqc" else x).numpy() for x in Q]


@pytest.mark.parametrize("algo", OWN)
@pytest.mark.parametrize(
    ("env_class", "observations", "expected"),
    [
        (probes.DelayedReward, [0.0, 1.0], [0.5, 1.0]),  # gamma, 1
        (probes.Forever, [0.0], [2.0]),  # 1 / (1 - gamma): a clock is not the end
    ],
)
def test_critics_find_the_value(algo, env_class, observations, expected):
    """With a temperature, where there is one, so small that entropy is worth nothing."""
    agent, _ = train(algo, Continuous(env_class) if algo in CONTINUOUS else env_class)

    for Q in values(agent, observations):
        np.testing.assert_allclose(Q, expected, atol=0.1)


@pytest.mark.parametrize("algo", CONTINUOUS)
def test_policy_matches_observations(algo):
    agent, rows = train(algo, probes.MatchBox, "train.timestep=900", seed=1)

    obs = np.linspace(-1, 1, 5, dtype=np.float32)[:, None]
    action = agent.eval().choose_action(obs)["action"]

    np.testing.assert_allclose(action, 0.5 * obs, atol=0.22)
    assert rows[-1]["return"] > rows[0]["return"]


def test_discrete_policy_matches_observations():
    agent, rows = train("sac_discrete", probes.MatchDiscrete)

    greedy = agent.eval().choose_action(np.array([[-1.0], [1.0]], np.float32))["action"]
    assert greedy.tolist() == [0, 1]
    assert rows[-1]["return"] > 0.9


def test_the_temperature_finds_the_entropy_wanted():
    words = ("agent.alpha=auto", "agent.entropy_share=0.5", "train.timestep=900")
    agent, rows = train("sac_discrete", probes.MatchDiscrete, *words)

    assert agent.target_entropy == pytest.approx(0.5 * np.log(2))  # half of a uniform policy's
    assert rows[-1]["entropy"] == pytest.approx(agent.target_entropy, abs=0.05)
    assert rows[-1]["alpha"] < rows[0]["alpha"]


@pytest.mark.parametrize("algo", ["dqn", "sac", *OWN])
def test_gradients_of_before_do_not_count(algo):
    """Two agents, the gradients of one spoilt before each update."""
    discrete = algo in ("dqn", "sac_discrete")
    words = ["agent.critic_sizes=[8]"] if algo == "crossq" else []
    env_class = probes.MatchDiscrete if discrete else probes.MatchBox
    agents = [make_agent(algo, *words, env_class=env_class) for _ in range(2)]
    before = {key: x.clone() for key, x in agents[0].named_parameters()}
    for spoilt, agent in enumerate(agents):
        for seed in range(6):
            for optimizer in agent.optimizers.values() if spoilt else ():
                optimizer.param_groups[0]["params"][0].grad = None  # zero, or none
                for module in agent.children():
                    module.flat.grad.fill_(7.0)
            torch.manual_seed(seed)
            agent.learn(make_sample(discrete))

    moved = [not torch.equal(x, before[key]) for key, x in agents[0].named_parameters()]
    assert all(moved)
    for x, y in zip(*(agent.parameters() for agent in agents), strict=True):
        assert torch.equal(x, y)


# Jobs

JOBS = {
    "td3": {"agent.noise": "ou"},
    "ddpg": {"agent.noise": "ou"},
    "tqc": {},
    "crossq": {"agent.critic_sizes": [8], "agent.renorm_warmup": 10},
    "sac": {"agent.sde": True, "agent.sde_every": 7},
    "sac_discrete": {},
}


@pytest.mark.parametrize("algo", JOBS)
def test_stopped_and_resumed_equals_uninterrupted(tmp_path, monkeypatch, algo):
    """Twice, at different places; noise, buffer and running moments included."""
    env = "CartPole-v1" if algo == "sac_discrete" else "Pendulum-v1"
    config = compose(algo, env, **TINY_REPLAY | JOBS[algo])
    assert execute(job.run, config, 1, "cpu", tmp_path / "whole")[0] == "done"

    report, count = job.report, [0]

    def stop_at_three_and_five(logdir, force=False, **fields):
        report(logdir, force, **fields)
        count[0] += not force
        if count[0] in (3, 5) and not force:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(job, "report", stop_at_three_and_five)
    ends = [execute(job.run, config, 1, "cpu", tmp_path / "parts")[0] for _ in range(3)]

    assert ends == ["stopped", "stopped", "done"]
    for name in ("train.journal", "eval.journal", "policy/policy.safetensors"):
        whole, parts = (tmp_path / run / name for run in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes(), name
    assert read_logs(tmp_path / "whole", "train")[0]["timestep"][-1] == 128


@pytest.mark.parametrize("algo", JOBS)
def test_policy_acts_as_the_agent_did(tmp_path, algo):
    env = "CartPole-v1" if algo == "sac_discrete" else "Pendulum-v1"
    config = compose(algo, env, **TINY_REPLAY | {"train.timestep": 40} | JOBS[algo])
    assert execute(job.run, config, 1, "cpu", tmp_path)[0] == "done"
    train_env, _ = make_envs(config, 0)
    obs = np.random.default_rng(0).normal(size=(3, len(train_env.reset()[0][0])))

    first, second = (
        read_policy(tmp_path / "policy")[0].choose_action(obs)["action"] for _ in range(2)
    )

    assert np.array_equal(first, second)
    assert np.abs(first).sum() > 0


# Shared parts


@pytest.mark.parametrize("algo", CONTINUOUS)
def test_discrete_actions_are_refused_with_what_serves_them(algo):
    config = flat_config(f"algo={algo}", "env=CartPole-v1")
    env, _ = make_envs(config, 0)
    with pytest.raises(ValueError, match=rf"{algo}: action space is Discrete.*use algo=dqn, algo="):
        resolve_name(config["algo.agent"])(config, env, "cpu")


def test_continuous_actions_are_refused_by_the_discrete_one():
    config = flat_config("algo=sac_discrete", "env=Pendulum-v1")
    env, _ = make_envs(config, 0)
    with pytest.raises(ValueError, match=r"sac_discrete: action space is Box.*use algo=sac"):
        resolve_name(config["algo.agent"])(config, env, "cpu")


def test_critics_are_networks_of_their_own():
    space = Box(-1.0, 1.0, (2,), np.float32)
    critics = off_policy.Critics(space, 1, [4], "relu", num_critic=3, out_features=2)
    x, a = torch.randn(5, 2), torch.randn(5, 1)

    out = critics(x, a)

    assert [tuple(Q.shape) for Q in out] == [(5, 2)] * 3
    torch.testing.assert_close(out[1], critics.Q[1](torch.cat([x, a], 1)))
    assert not torch.allclose(out[0], out[1])
    (first,) = critics(x, a, num=1)
    assert torch.equal(first, out[0])


@pytest.mark.parametrize("algo", ["dqn", "ddpg", "td3", "sac", "sac_discrete", "tqc", "crossq"])
def test_networks_begin_as_the_option_says(algo):
    """Only orthogonal ones have no biases at first."""
    sizes = ["agent.critic_sizes=[8]"] if algo == "crossq" else []
    space = probes.MatchDiscrete if algo in ("dqn", "sac_discrete") else probes.MatchBox
    for init in ("orthogonal", "uniform"):
        agent = make_agent(algo, f"agent.init={init}", *sizes, env_class=space)
        linear = [x for x in agent.modules() if isinstance(x, torch.nn.Linear)]
        hidden = [x for x in linear if x.out_features == 8]
        assert len(hidden) >= 2
        assert {bool(x.bias.any()) for x in hidden} == {init == "uniform"}


def test_deterministic_actor_is_the_same_on_arrays():
    space = Box(-1.0, 1.0, (2,), np.float32)
    actor = off_policy.DeterministicActor(space, [8], 3, activation="relu")
    with torch.no_grad():
        actor.flat.mul_(5)
    obs = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)

    np.testing.assert_allclose(actor.numpy(obs), actor(torch.tensor(obs)).detach(), atol=1e-6)


def test_actions_at_their_bounds_find_back():
    x = torch.tensor([20.0, -20.0, 20.0, -20.0, 0.3, 0.3], requires_grad=True)
    action = off_policy.Squash.apply(x)
    action.backward(torch.tensor([2.0, -2.0, -2.0, 2.0, 2.0, -2.0]))  # of a loss that is to fall

    assert torch.equal(action, x.tanh())
    slope = 1 - np.tanh(0.3) ** 2
    np.testing.assert_allclose(x.grad, [0.2, -0.2, 0, 0, 2 * slope, -2 * slope], rtol=1e-6)


@pytest.mark.parametrize("kind", ["gaussian", "ou"])
def test_noise(kind):
    config = {"agent.noise": kind, "agent.noise_scale": 0.2, "agent.ou_theta": 0.15}
    noise = off_policy.Noise(config | {"agent.ou_dt": 1.0})
    rng, zeros = np.random.default_rng(0), np.zeros((500, 2), np.float32)
    x = [noise(zeros, rng) for _ in range(60)]

    assert x[0].dtype == np.float32
    # of ou: sigma / sqrt(1 - (1 - theta)^2), and a correlation of 1 - theta from step to step
    assert np.std(x[-1]) == pytest.approx(0.2 if kind == "gaussian" else 0.380, abs=0.03)
    correlation = np.corrcoef(x[-2].ravel(), x[-1].ravel())[0, 1]
    assert correlation == pytest.approx(0.0 if kind == "gaussian" else 0.85, abs=0.08)
    assert noise(zeros + 1, rng).max() <= 1
    assert noise(zeros - 1, rng).min() >= -1


def test_gaussian_noise_has_no_state():
    noise = off_policy.Noise({"agent.noise": "gaussian", "agent.noise_scale": 0.2})
    noise.load_state_dict(noise.state_dict())

    assert noise.state_dict() == {}


def test_the_short_way_to_the_fused_kernel_is_that_of_torch():
    """With a state loaded in between; what it saves is torch's own."""
    gradients = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    kwargs = {"lr": 0.01, "betas": (0.5, 0.99)}

    def run(make):
        x = torch.nn.Parameter(torch.ones(5))
        optimizer = make(x)
        for n, gradient in enumerate(gradients):
            if n == 4:
                state, optimizer = optimizer.state_dict(), make(x)
                optimizer.load_state_dict(state)
            x.grad = gradient.clone()
            optimizer.step()
        return x.detach(), optimizer.state_dict()

    x, state = run(lambda x: adam(x, **kwargs))
    y, expected = run(lambda x: torch.optim.Adam([x], fused=True, **kwargs))

    assert torch.equal(x, y)
    assert state["param_groups"] == expected["param_groups"]
    for key, value in expected["state"][0].items():
        assert torch.equal(state["state"][0][key], value)


def test_losses_may_be_computed_in_the_step():
    x = torch.nn.Parameter(torch.ones(2))
    optimizer, calls = adam(x, 0.1), []

    def closure():
        calls.append(1)
        x.grad = torch.ones(2)
        return torch.tensor(3.0)

    assert [optimizer.step(closure).item() for _ in range(3)] == [3.0] * 3
    assert len(calls) == 3
    assert x.tolist() == pytest.approx([0.7, 0.7], abs=1e-4)


# Learning


@pytest.mark.parametrize("algo", [*CONTINUOUS, "sac", "dqn", "sac_discrete"])
def test_learning_rates_fall_to_zero_or_stay(algo):
    discrete = algo in ("dqn", "sac_discrete")
    kind = probes.MatchDiscrete if discrete else probes.MatchBox
    for decay, expected in ((True, 0.005), (False, 0.02)):
        words = (f"agent.lr_decay={decay}", "agent.lr=0.02", "train.timestep=8000")
        agent = make_agent(algo, *words, env_class=kind)
        assert len(agent.optimizers) == {"dqn": 1, "td3": 2, "ddpg": 2}.get(algo, 3)
        agent.learn(make_sample(discrete), timestep=6000)
        rates = [x.param_groups[0]["lr"] for x in agent.optimizers.values()]
        assert rates == pytest.approx([expected] * len(rates))


@pytest.mark.slow
@pytest.mark.timeout(1800)  # three seeds, of up to 110 s on a quiet machine
@pytest.mark.parametrize("algo", CONTINUOUS)
def test_solves_pendulum(algo):
    returns = []
    for seed in (1, 2, 3):
        words = ["agent.lr=1e-3"] if algo == "tqc" else []
        config = flat_config(f"algo={algo}", "env=Pendulum-v1", "train.timestep=10000", *words)
        set_global_seeds(seed)
        torch.set_num_threads(1)
        env, eval_env = make_envs(config, seed)
        agent = resolve_name(config["algo.agent"])(config, env, "cpu")
        engine = OffPolicyEngine(config, agent=agent, env=env, eval_env=eval_env)
        while engine.timestep < config["train.timestep"]:
            engine.train()
        returns.append(engine.eval()["return"])
    assert np.median(returns) >= -220
