import json
import os
import random

import numpy as np
import pytest
from configs import TINY, compose
from gymnasium import spaces

from lagom.envs import make_envs
from lagom.experiment import checkpoint, storage
from lagom.experiment.job import resolve
from lagom.experiment.policy import _digest, load_parameters, read_policy, write_policy
from lagom.runner import StepRunner
from lagom.utils import set_global_seeds


def trained(config):
    """An agent, and its environment after some steps, so that moments are not the initial ones."""
    set_global_seeds(3)
    env, _ = make_envs(config, 3)
    agent = resolve(config, "algo.agent")(config, env, "cpu")
    agent.from_vec(np.random.default_rng(0).normal(size=agent.num_params))
    StepRunner()(agent, env, 40)
    return agent, env


@pytest.mark.parametrize(
    "config",
    [
        compose("ppo", "CartPole-v1", **TINY),
        compose("ppo", "Pendulum-v1", **TINY),
        compose("cmaes", "CartPole-v1"),
        compose("ppo", "gym", **TINY, **{"env.id": "configs:Drift-v0"}),
    ],
    ids=["ppo discrete", "ppo continuous", "cmaes", "unbounded"],
)
def test_policy_acts_as_the_agent_did(tmp_path, config):
    agent, env = trained(config)
    write_policy(tmp_path / "policy", config, agent, env)
    back, normalize = read_policy(tmp_path / "policy")

    raw = np.random.default_rng(1).normal(0, 20, (64, *agent.observation_space.shape))
    obs = raw.astype(np.float32)
    moments = getattr(env, "obs_moments", None)
    expected = obs
    if moments is not None:
        expected = np.clip((obs - moments.mean) / np.sqrt(moments.var + 1e-8), -5, 5)
    expected = expected.astype(np.float32)
    assert normalize(obs).dtype == np.float32
    assert (normalize(obs) == expected).all()
    assert (moments is None) == (config["env.id"] == "CartPole-v1")
    agent.eval()
    action = agent.choose_action(expected)["action"]
    assert (back.choose_action(normalize(obs))["action"] == action).all()
    assert len(np.unique(action)) > 1
    assert back.observation_space == agent.observation_space
    assert back.action_space == agent.action_space


@pytest.fixture
def policy(tmp_path):
    config = compose("ppo", "Pendulum-v1", **TINY)
    agent, env = trained(config)
    write_policy(tmp_path / "policy", config, agent, env)
    return tmp_path / "policy"


def rewrite(folder, **fields):
    """Change what a policy says of itself, with the right digest: not damaged, but foreign."""
    description = json.loads((folder / "policy.json").read_text())
    del description["sha256"]
    description |= fields
    digest = _digest(folder, description)
    storage.write_json(folder / "policy.json", {**description, "sha256": digest})


def test_equal_policies_are_equal_files(policy, tmp_path):
    config = compose("ppo", "Pendulum-v1", **TINY)
    agent, env = trained(config)
    write_policy(tmp_path / "again", config, agent, env)
    for name in ("policy.json", "policy.safetensors"):
        assert (policy / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert sorted(os.listdir(policy)) == ["policy.json", "policy.safetensors"]


def test_every_flipped_bit_is_refused_by_name(policy):
    rng = random.Random(0)
    for name in ("policy.json", "policy.safetensors"):
        data = (policy / name).read_bytes()
        for _ in range(60):
            damaged = bytearray(data)
            damaged[rng.randrange(len(data) - 1)] ^= 1 << rng.randrange(8)
            (policy / name).write_bytes(damaged)
            with pytest.raises(ValueError, match=str(policy)):
                read_policy(policy)
        (policy / name).write_bytes(data)
    read_policy(policy)


@pytest.mark.parametrize("name", ["policy.json", "policy.safetensors"])
def test_missing_file(policy, name):
    (policy / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        read_policy(policy)


@pytest.mark.parametrize(
    "agent",
    [
        "os:system",
        "my_agents:Agent",
        "lagom.experiment.storage:shutil.rmtree",
        "lagom.algorithms.ppo.agent:np.save",
        "lagom.algorithms.ppo.agent:nn.Linear",
        "lagom.algorithms.nowhere:Agent",
    ],
)
def test_agent_that_is_not_lagoms_is_refused_and_never_called(policy, tmp_path, agent):
    victim = tmp_path / "victim"
    victim.mkdir()
    rewrite(policy, agent=agent, config=str(victim))
    with pytest.raises(ValueError, match=f"{policy}: policy refused: .*{agent.split(':')[0]}"):
        read_policy(policy)
    assert victim.is_dir()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"agent": 3}, "AttributeError"),
        ({"config": {}}, "KeyError"),
        ({"format": storage.FORMAT + 1}, "written by a newer lagom"),
        ({"observation_space": {"type": "Text"}}, "unknown space 'Text'; expected Box, Disc"),
        ({"action_space": None}, "TypeError"),
        ({"action_space": {"type": "Discrete", "n": 4, "start": 0}}, "policy: head"),
        ({"normalizer": {"clip": "x"}}, "could not convert"),
    ],
)
def test_policy_that_says_nonsense_is_refused_by_name(policy, fields, message):
    rewrite(policy, **fields)
    with pytest.raises(ValueError, match=f"{policy}: policy refused: .*{message}"):
        read_policy(policy)


@pytest.mark.parametrize("algo", ["sac", "dqn"])
def test_keys_that_the_algorithm_has_got_since(tmp_path, algo):
    config = compose(algo, "Pendulum-v1" if algo == "sac" else "CartPole-v1")
    agent, env = trained(config)
    policy = tmp_path / "policy"
    write_policy(policy, config, agent, env)
    kept = {key: x for key, x in config.items() if key not in ("agent.init", "agent.gradient")}
    rewrite(policy, config=kept)

    back, _ = read_policy(policy)
    assert set(config) <= set(back.config)
    assert {key: back.config[key] for key in config} == config
    assert (back.to_vec() == agent.to_vec()).all()
    del kept["algo.name"]
    rewrite(policy, config=kept)
    with pytest.raises(ValueError, match="policy refused: KeyError"):
        read_policy(policy)


def test_what_a_policy_says_comes_before_defaults(policy):
    config = read_policy(policy)[0].config | {"algo.name": "../config", "agent.lr": 7.0}
    rewrite(policy, config=config)
    assert read_policy(policy)[0].config == config


def test_moments_must_be_there(policy):
    path = policy / "policy.safetensors"
    arrays = checkpoint.read_arrays(path)
    checkpoint.write_arrays(path, {k: x for k, x in arrays.items() if "normalizer" not in k})
    rewrite(policy, normalizer={"clip": 5.0})
    with pytest.raises(ValueError, match=f"{policy}: policy refused: .*moments are missing"):
        read_policy(policy)


def test_parameters_must_fit(policy):
    agent, _ = read_policy(policy)
    arrays = checkpoint.read_arrays(policy / "policy.safetensors")
    arrays = {k.removeprefix("agent."): v for k, v in arrays.items() if k.startswith("agent.")}
    load_parameters(agent, arrays)
    key = "actor.layers.0.bias"
    with pytest.raises(ValueError, match=rf"policy: {key} has shape None; expected \(8,\)"):
        load_parameters(agent, {k: v for k, v in arrays.items() if k != key})
    with pytest.raises(ValueError, match=rf"policy: {key} has shape \(3,\); expected \(8,\)"):
        load_parameters(agent, {**arrays, key: np.zeros(3)})
    with pytest.raises(ValueError, match=r"policy: more has shape \(1,\); expected None"):
        load_parameters(agent, {**arrays, "more": np.zeros(1)})


def test_other_spaces_cannot_be_described(tmp_path):
    agent, env = trained(compose("cmaes"))
    agent.action_space = spaces.Text(2)
    with pytest.raises(ValueError, match="cannot describe Text.*expected Box, Discrete"):
        write_policy(tmp_path, compose("cmaes"), agent, env)
