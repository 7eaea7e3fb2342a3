"""Agents on observations and actions of every kind: they learn, they are saved, they go on."""

import copy
from pkgutil import resolve_name

import numpy as np
import pytest
import torch
from configs import flat_config
from envs import tiny
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from lagom import RandomAgent
from lagom.data import ReplayBuffer, Trajectory
from lagom.envs import RescaleAction, VecEnv, make_envs
from lagom.envs.game import ActionMask
from lagom.experiment.checkpoint import read_checkpoint, write_checkpoint
from lagom.experiment.policy import read_policy, write_policy
from lagom.utils import Seeder, load_random_state, nested, random_state, set_global_seeds

PPO = ("algo=ppo", "agent.lr=0.01", "agent.lr_decay=false", "agent.batch_size=64")
DQN = ("algo=dqn", "train.warmup=64", "agent.batch_size=32", "replay.capacity=600")
OFF_POLICY = ("train.warmup=64", "agent.batch_size=32", "agent.tau=0.2", "agent.lr=0.01")
PARTS = Dict(
    go=Discrete(2), more=Tuple([MultiBinary(2), MultiDiscrete([2, 2])]), last=MultiBinary(1)
)


def build(make_env, *words, seed=1):
    """An agent and an engine on 4 environments."""
    torch.set_num_threads(1)
    config = flat_config(*words, "agent.hidden_sizes=[16]", "train.num_step=16")
    set_global_seeds(seed)
    env = VecEnv([make_env] * 4, seeds=Seeder(seed)(4))
    env.pop_episodes = lambda: []
    agent = resolve_name(config["algo.agent"])(config, env, "cpu")
    return agent, resolve_name(config["algo.engine"])(config, agent=agent, env=env, eval_env=env)


def greedy_share(agent, space):
    """The mean reward of the greedy policy over both goals."""
    env = VecEnv([lambda: tiny.Match(space)] * 20, seeds=Seeder(5)(20))
    obs, _ = env.reset()
    assert {*obs["goal"]} == {0, 1}
    return env.step(agent.eval().choose_action(obs)["action"])[1].mean()


@pytest.mark.parametrize(
    "space", [Discrete(2), MultiDiscrete([2, 2]), MultiBinary(2), PARTS], ids=str
)
def test_ppo_finds_every_part_of_an_action(space):
    agent, engine = build(lambda: tiny.Match(space), *PPO)
    assert greedy_share(agent.eval(), space) < 0.9
    for n in range(12):
        row = engine.train(n)

    assert np.isfinite([row["policy_loss"], row["entropy"], row["grad_norm"]]).all()
    assert greedy_share(agent, space) == 1.0


@pytest.mark.parametrize("algo", [("algo=vpg", "agent.lr=0.02"), DQN])
def test_others_find_it_too(algo):
    agent, engine = build(lambda: tiny.Match(Discrete(2)), *algo)
    for n in range(12):
        engine.train(n)

    assert greedy_share(agent, Discrete(2)) == 1.0


@pytest.mark.parametrize("words", [(), ("agent.shared=true",)])
def test_ppo_takes_pictures_and_all_the_rest(words):
    agent, engine = build(lambda: RescaleAction(tiny.Kinds()), *PPO, *words)
    before = agent.to_vec().detach().clone()
    row = engine.train(1)

    assert np.isfinite([row["policy_loss"], row["value_loss"], row["entropy"]]).all()
    assert (agent.to_vec() != before).any()
    assert len([*agent.critic.parameters()]) == (2 if words else 12)


class Go(tiny.Match):
    """Match with one number for its action: 1 if it is positive."""

    def __init__(self):
        super().__init__(Box(-1.0, 1.0, (1,), np.float32))

    def step(self, action):
        return super().step(int(action[0] > 0))


@pytest.mark.parametrize("algo", ["sac", "td3", "ddpg", "tqc"])
def test_numbers_follow_what_dictionaries_say(algo):
    agent, engine = build(Go, f"algo={algo}", *OFF_POLICY)
    for n in range(3):
        engine.train(n)

    obs = {"goal": np.array([0, 1]), "vector": (np.array([[-1.0], [1.0]], np.float32),)}
    assert (agent.eval().choose_action(obs)["action"][:, 0] > 0).tolist() == [False, True]


@pytest.mark.parametrize("algo", ["sac", "td3", "sac_discrete"])
def test_replayed_pictures_train_every_network(algo):
    class Pictures(tiny.Kinds):
        action_space = Discrete(2) if algo == "sac_discrete" else Go().action_space

    agent, engine = build(Pictures, f"algo={algo}", *OFF_POLICY, "train.timestep=100")
    before = {name: p.detach().clone() for name, p in agent.named_parameters()}
    row = engine.train(1)

    assert np.isfinite([row["critic_loss"], row["actor_loss"]]).all()
    convolutions = [name for name in before if "parts" in name and "target" not in name]
    assert {name.split(".")[0] for name in convolutions} == {"actor", "critics"}
    for name, p in agent.named_parameters():
        if name in convolutions and name.endswith("weight"):
            assert (p != before[name]).any(), name


def masked():
    return ActionMask(tiny.MaskedMethod())


SAC = ("algo=sac_discrete", *OFF_POLICY)


@pytest.mark.parametrize(
    "algo", [PPO, DQN, ("algo=vpg",), SAC], ids=["ppo", "dqn", "vpg", "sac_discrete"]
)
def test_forbidden_actions_are_never_taken(algo):
    """The environment asserts it, in 4 x 16 x 4 random, explored and greedy steps."""
    agent, engine = build(masked, *algo)
    for n in range(3):
        engine.train(n)
    agent.eval()
    obs, _ = engine.env.reset()
    for _ in range(20):
        obs, *_ = engine.env.step(agent.choose_action(obs)["action"])


def test_random_actions_respect_masks_of_several_factors():
    class Two(tiny.MaskedMethod):
        action_space = MultiDiscrete([2, 3])

    env = VecEnv([lambda: ActionMask(Two())] * 2)
    mask = np.array([[0, 1, 1, 0, 1], [1, 0, 0, 1, 0]], np.int8)
    agent = RandomAgent(None, env, "cpu")
    drawn = [agent.choose_action({"action_mask": mask})["action"] for _ in range(40)]

    assert {tuple(row) for row, _ in drawn} == {(1, 0), (1, 2)}
    assert {tuple(row) for _, row in drawn} == {(0, 1)}


def test_forbidden_actions_are_no_targets():
    """The best action is worth 1 and forbidden in what follows: targets take the other's 0.5."""
    agent, _ = build(masked, *DQN, "agent.dueling=false", "agent.gamma=0.5")
    for network in (agent.Q, agent.Q_target):
        for p in network.parameters():
            p.data.zero_()
        network.advantage.bias.data[:] = torch.tensor([1.0, 0.5, 0.25, 0.0, 0.0])
    mask = np.array([[0, 1, 1, 0, 0]], np.int8)
    obs = {"observation": np.zeros((1, 1), np.float32), "action_mask": mask}
    D = {
        "observation": obs,
        "next_observation": obs,
        "action": np.array([1]),
        "reward": np.zeros(1, np.float32),
        "discount": np.array([0.5], np.float32),
        "terminated": np.array([False]),
    }
    for double in (True, False):
        agent.config = {**agent.config, "agent.double": double}
        out = agent.learn({**copy.deepcopy(D), "weight": np.ones(1, np.float32)})
        assert out["td_error"].item() == pytest.approx(0.25 - 0.5, abs=2e-3)


def test_masks_that_do_not_fit_are_refused():
    class Wrong(tiny.Match):
        observation_space = Dict(x=Discrete(2), action_mask=MultiBinary(3))

    with pytest.raises(ValueError, match=r"action_mask: got MultiBinary\(3\) for actions Discrete"):
        build(lambda: Wrong(Discrete(2)), *PPO)


def test_replay_keeps_every_leaf_once_and_as_it_is():
    replay = ReplayBuffer(100, n_step=2, gamma=0.5)
    replay.allocate(tiny.KINDS, tiny.ACTIONS)
    tiny.KINDS.seed(0), tiny.ACTIONS.seed(0)
    obs = nested.stack([tiny.KINDS.sample() for _ in range(4)])
    actions = nested.stack([tiny.ACTIONS.sample() for _ in range(3)])
    replay.add([Trajectory(obs, actions, np.array([1.0, 2.0, 4.0]), terminated=True)])
    D = replay.sample(50)

    assert 101 * 72 < replay.nbytes < 101 * (72 + 130)
    picture, more = D["observation"]["picture"], D["next_observation"]["inner"][0]
    assert (picture.dtype, more.dtype) == (np.uint8, np.float64)
    for i in range(50):
        t = int(D["index"][i])
        then = min(t + 2, 3)
        for key, x in (("observation", nested.index(obs, t)), ("action", nested.index(actions, t))):
            got = nested.index(D[key], i)
            assert all(nested.flat(nested.map_leaves(np.array_equal, x, got)))
        got = nested.index(D["next_observation"], i)
        assert all(nested.flat(nested.map_leaves(np.array_equal, nested.index(obs, then), got)))
        assert D["reward"][i] == [2.0, 4.0, 4.0][t]
    wrong = Trajectory(obs["picture"], actions, np.zeros(3))
    with pytest.raises(ValueError, match=r"ReplayBuffer.add: got .*; expected \['observation.bits"):
        replay.add([wrong])


def test_a_trajectory_of_nested_lists():
    replay = ReplayBuffer(10)
    obs = [{"x": np.array([float(i)])} for i in range(3)]
    replay.add([Trajectory(obs, [(0, 1), (2, 3)], [1.0, 2.0])])
    D = replay.sample(20)

    assert (D["action"][0] == 2 * D["observation"]["x"][:, 0]).all()


@pytest.mark.parametrize("algo", [PPO, DQN], ids=["ppo", "dqn"])
def test_resumed_is_uninterrupted_with_dictionaries(tmp_path, algo):
    """Through the files of a checkpoint: the same parameters to the last bit."""
    make_env = lambda: tiny.Match(Discrete(2))
    agent, engine = build(make_env, *algo)
    engine.train(1)
    state = {"engine": engine.state_dict(), "random": random_state()}
    write_checkpoint(tmp_path, 1, state, 1)
    seeds = [11, 12, 13, 14]
    engine.restart(seeds)
    row = engine.train(2)

    again, engine = build(make_env, *algo, seed=9)
    state, _ = read_checkpoint(tmp_path)
    engine.load_state_dict(state["engine"])
    load_random_state(state["random"])
    engine.restart(seeds)
    row_again = engine.train(2)

    assert torch.equal(agent.to_vec(), again.to_vec())
    assert all(row_again[k] == x for k, x in row.items() if not k.endswith("_seconds") and x == x)


def test_policies_of_every_kind_are_saved(tmp_path):
    torch.set_num_threads(1)
    words = "env.normalize_obs=true", "env.num_env=2", "agent.batch_size=8", "train.num_step=8"
    config = flat_config("algo=ppo", "env=gym", "env.id=envs.tiny:Kinds-v0", *words)
    set_global_seeds(0)
    env, _ = make_envs(config, 0)
    agent = resolve_name(config["algo.agent"])(config, env, "cpu").eval()
    obs, _ = env.reset()
    for _ in range(5):
        obs, *_ = env.step(agent.choose_action(obs)["action"])
    raw = VecEnv([tiny.Kinds] * 2, seeds=[0, 1]).reset()[0]
    write_policy(tmp_path, config, agent, env)
    back, normalize = read_policy(tmp_path)

    moments = env.obs_moments["inner"][0]
    expected = (raw["inner"][0] - moments.mean) / np.sqrt(moments.var + 1e-8)
    normalized = normalize(raw)
    np.testing.assert_allclose(normalized["inner"][0], expected.clip(-5, 5), rtol=1e-6)
    assert (normalized["picture"] == raw["picture"]).all()
    assert back.observation_space == agent.observation_space
    assert back.action_space == agent.action_space
    assert agent.action_space["go"][1] == Box(-1.0, 1.0, (2,), np.float32)  # rescaled
    actions = [a.choose_action(normalized)["action"] for a in (agent, back)]
    assert all(nested.flat(nested.map_leaves(np.array_equal, *actions)))


@pytest.mark.slow
def test_ppo_learns_to_catch_from_pixels():
    words = "train.timestep=12000", "agent.lr=1e-3", "agent.shared=true", "agent.num_epoch=4"
    config = flat_config("algo=ppo", "env=gym", "env.id=envs.tiny:Catch-v0", *words)
    torch.set_num_threads(1)
    set_global_seeds(1)
    env, eval_env = make_envs({**config, "eval.episodes": 50}, 1)
    agent = resolve_name(config["algo.agent"])(config, env, "cpu")
    engine = resolve_name(config["algo.engine"])(config, agent=agent, env=env, eval_env=eval_env)
    while engine.timestep < config["train.timestep"]:
        engine.train()

    assert engine.eval()["return"] >= 0.9
