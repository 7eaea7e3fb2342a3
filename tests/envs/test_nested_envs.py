"""Observations and actions of every kind, through all that stands around environments."""

import numpy as np
import pytest
from envs.tiny import ACTIONS, KINDS, Kinds
from gymnasium.spaces import Box, Dict, Discrete, Tuple
from gymnasium.vector import SyncVectorEnv

from lagom import EpisodeRunner, RandomAgent, StepRunner
from lagom.envs import (
    NormalizeObservation,
    RecordEpisodeStatistics,
    RescaleAction,
    TimeStepEnv,
    VecEnv,
)
from lagom.utils import nested


def same(a, b):
    leaf = lambda x, y: np.asarray(x).dtype == np.asarray(y).dtype and np.array_equal(x, y)
    return nested.names(a) == nested.names(b) and all(nested.flat(nested.map_leaves(leaf, a, b)))


def make(num=2, seeds=(3, 4), **kwargs):
    return VecEnv([lambda: Kinds(**kwargs)] * num, seeds=list(seeds)[:num])


def test_batches_are_structures_of_arrays():
    env = make()
    obs, _ = env.reset()

    assert list(obs) == ["bits", "inner", "many", "picture"]  # the order of the space
    assert obs in env.observation_space
    assert obs["inner"][0].dtype == np.float32  # it was float64
    assert env.single_observation_space["inner"][0].dtype == np.float32
    assert obs["picture"].shape == (2, 8, 9, 1)
    actions = nested.stack([ACTIONS.sample() for _ in range(2)])
    obs, *_, info = env.step(actions)

    assert obs["picture"].max() == obs["many"].max() == 1
    assert "final_obs" not in info
    assert [same(row.actions[0], nested.index(actions, b)) for b, row in enumerate(env)]


def test_what_an_episode_ended_on():
    env = VecEnv([Kinds, lambda: Kinds(length=9)], seeds=[3, 4])
    env.reset()
    for _ in range(3):
        actions = [ACTIONS.sample() for _ in range(2)]  # a list of actions is taken, too
        obs, *_, info = env.step(actions)

    assert info["final_obs"][1] is None
    last = info["final_obs"][0]
    assert last in env.single_observation_space
    assert (last["picture"].max(), last["inner"][1], last["many"].tolist()) == (3, 5, [0, 3])
    assert obs["picture"].max(axis=(1, 2, 3)).tolist() == [0, 3]


def test_the_same_as_gymnasiums():
    env, other = make(), SyncVectorEnv([Kinds, Kinds], autoreset_mode="SameStep")
    obs, _ = env.reset(seed=[5, 6])
    expected, _ = other.reset(seed=[5, 6])
    rng = np.random.default_rng(0)
    for _ in range(12):
        as_float32 = lambda x: x.astype(np.float32) if x.dtype == np.float64 else x
        assert same(obs, nested.map_leaves(as_float32, {key: expected[key] for key in obs}))
        ACTIONS.seed(int(rng.integers(1000)))
        actions = nested.stack([ACTIONS.sample(), ACTIONS.sample()])
        obs, reward, terminated, *_ = env.step(actions)
        expected, reward_, terminated_, *_ = other.step(actions)
        assert (reward == reward_).all()
        assert (terminated == terminated_).all()


def test_wrong_number_of_nested_actions():
    env = make()
    env.reset()
    with pytest.raises(ValueError, match=r"VecEnv.step: got 1 actions; expected 2"):
        env.step(nested.stack([ACTIONS.sample()]))


def test_entries_of_floats_have_moments_of_their_own():
    env = NormalizeObservation(make(), clip=2.0)
    raw = make()
    obs, _ = env.reset()
    values = [raw.reset()[0]["inner"][0]]
    for _ in range(7):
        actions = [ACTIONS.sample() for _ in range(2)]
        before = env.obs_moments["inner"][0].mean
        obs, *_, info = env.step(actions)
        expected, *_, raw_info = raw.step(actions)
        values.append(expected["inner"][0])
        moments = env.obs_moments["inner"][0]
        normalize = lambda x, m=moments: np.clip((x - m.mean) / np.sqrt(m.var + 1e-8), -2, 2)

        assert (before != moments.mean).any()
        np.testing.assert_allclose(obs["inner"][0], normalize(expected["inner"][0]), rtol=1e-6)
        assert same(obs["picture"], expected["picture"])
        finals = (x.get("final_obs", ()) for x in (info, raw_info))
        for last, raw_last in zip(*finals, strict=True):
            np.testing.assert_allclose(last["inner"][0], normalize(raw_last["inner"][0]), rtol=1e-6)
            assert same(last["many"], raw_last["many"])
    stacked = np.concatenate(values).astype(np.float64)
    np.testing.assert_allclose(moments.mean, stacked.mean(0), rtol=1e-3, atol=1e-3)
    assert env.obs_moments["picture"] is env.obs_moments["inner"][1] is None
    assert env.single_observation_space["inner"][0] == Box(-2.0, 2.0, (2,), np.float32)
    assert env.single_observation_space["many"] == KINDS["many"]
    assert obs in env.observation_space

    frozen = NormalizeObservation(make(), moments=env.obs_moments)
    frozen.reset()
    assert env.obs_moments["inner"][0].n == 16
    with pytest.raises(ValueError, match=r"NormalizeObservation: got moments of shape .*expected"):
        NormalizeObservation(make(), moments={"inner": None})


def test_constant_moments_of_entries():
    nothing = dict.fromkeys(["bits", "many", "picture"])
    mean, var = ({**nothing, "inner": (x, None)} for x in (np.ones(2), np.full(2, 4.0)))
    obs, _ = NormalizeObservation(make(), constant_moments=(mean, var)).reset()

    assert obs["inner"][0][0, 0] == pytest.approx(-0.5)  # (0 - 1) / 2


def test_actions_in_boxes_are_stretched_and_the_others_pass():
    env = RescaleAction(make(1))
    env.reset()
    action = {
        "bits": np.array([[1, 0]], np.int8),
        "go": (np.array([2]), np.array([[-1.0, 3.0]], np.float32)),
        "many": np.array([[1, 2]]),
    }
    env.step(action)
    env.step(nested.rows(action))

    assert env.single_action_space["go"][1] == Box(-1.0, 1.0, (2,), np.float32)
    assert env.single_action_space["many"] == ACTIONS["many"]
    for got in env[0].actions:
        assert got["go"][1].tolist() == [-2.0, 6.0]
        assert got["go"][0] == 2
        assert (got["bits"].tolist(), got["many"].tolist()) == ([1, 0], [1, 2])
    with pytest.raises(ValueError, match=r"RescaleAction: action space is Dict.*; expected a Box"):
        RescaleAction(VecEnv([lambda: _with_actions(Dict(a=Discrete(2)))]))


def _with_actions(space):
    env = Kinds()
    env.action_space = space
    return env


def test_state_goes_on():
    wrap = lambda: NormalizeObservation(RescaleAction(make()))
    env, again = wrap(), wrap()
    env.reset()
    env.step([ACTIONS.sample()] * 2)
    again.load_state_dict(env.state_dict())

    for a, b in zip(*(nested.flat(e.obs_moments) for e in (env, again)), strict=True):
        assert (a is None and b is None) or (a.n == b.n == 4 and (a.mean == b.mean).all())


def test_single_environments():
    env = TimeStepEnv(NormalizeObservation(RecordEpisodeStatistics(RescaleAction(Kinds()))))
    first = env.reset(seed=0)
    last = [env.step(env.action_space.sample()) for _ in range(3)][-1]

    assert first.observation["picture"].shape == (8, 9, 1)
    assert first.observation in env.observation_space
    assert last.last()
    assert last.info["episode"]["return"] == 6.0
    assert last.observation["inner"][0].dtype == np.float32


@pytest.mark.parametrize("runner", [StepRunner(), EpisodeRunner()])
def test_runners(runner):
    env = VecEnv([Kinds, lambda: Kinds(length=9)], seeds=[0, 1])
    D = runner(RandomAgent(None, env, "cpu"), env, 7)

    for tau in D:
        shown = tau.observations["picture"][:, 0, 0, 0]
        start = int(shown[0])
        assert shown.tolist() == [*range(start, start + tau.T + 1)]
        assert tau.observations["inner"][1].tolist() == [2 + k % 4 for k in shown]
        assert tau.rewards.tolist() == [*range(start + 1, start + tau.T + 1)]
        assert len(tau) == tau.T + 1 == len(tau[:])
        assert tau[1].observation["many"].tolist() == [shown[1] % 3, shown[1] % 4]
        before, action, after, reward, _ = tau.transitions[0]
        assert action in ACTIONS
        assert (before["picture"].max() + 1, reward) == (after["picture"].max(), start + 1)
    assert sum(tau.T for tau in D if tau.stream == 1) >= 7


def test_observations_that_are_not_finite_are_found_in_entries():
    class Broken(Kinds):
        def observe(self):
            obs = super().observe()
            return {**obs, "inner": (obs["inner"][0] * np.nan, obs["inner"][1])}

    env = VecEnv([Broken], seeds=[0])
    for runner in (StepRunner(), EpisodeRunner()):
        with pytest.raises(FloatingPointError, match="not finite"):
            runner(RandomAgent(None, env, "cpu"), env, 2)


def test_tuples_at_the_top():
    class Pair(Kinds):
        observation_space = Tuple([Discrete(9), Box(0.0, 9.0, (1,), np.float32)])

        def observe(self):
            return self.k, np.array([self.k], np.float32)

    env = VecEnv([Pair, Pair], seeds=[0, 1])
    [tau, *_] = StepRunner()(RandomAgent(None, env, "cpu"), env, 3)

    assert tau.observations[0].tolist() == [0, 1, 2, 3]
    assert tau.observations[1].tolist() == [[0], [1], [2], [3]]
