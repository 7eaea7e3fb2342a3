import gymnasium
import numpy as np
import pytest
from envs.count_env import CountEnv
from envs.tiny import Masked, MaskedMethod
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

from lagom.envs import VecEnv, make
from lagom.envs.game import ActionMask, ClipReward, EpisodicLife, NoopStart
from lagom.envs.preprocess import preprocessed


class Lives(gymnasium.Env):
    """Three lives, one lost at each third step."""

    observation_space, action_space = Box(0, 99, (1,), np.float32), Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.k = 0
        return self.show()

    def show(self):
        return np.array([self.k], np.float32), {"lives": 3 - self.k // 3}

    def step(self, action):
        self.k += 1
        obs, info = self.show()
        return obs, 1.0, info["lives"] == 0, False, info


def test_a_lost_life_ends_an_episode_but_not_the_game():
    env = EpisodicLife(Lives())
    env.reset(seed=0)
    ends = [env.step(0)[2] for _ in range(3)]
    obs, _ = env.reset()

    assert ends == [False, False, True]
    assert obs.item() == 4  # the game went on, by a step of doing nothing
    assert [env.step(0)[2] for _ in range(2)] == [False, True]
    env.reset()
    assert [env.step(0)[2] for _ in range(2)] == [False, True]  # the last one, and the game
    assert env.reset()[0].item() == 0
    assert env.reset(seed=3)[0].item() == 0  # seeded: from the beginning


def test_a_game_that_ends_at_the_step_in_between():
    class Short(Lives):
        def step(self, action):
            obs, reward, _, _, info = super().step(action)
            return obs, reward, self.k == 4, False, info

    env = EpisodicLife(Short())
    env.reset()
    for _ in range(3):
        env.step(0)
    assert env.reset()[0].item() == 0


def test_no_lives_left_is_not_yet_the_end():
    class Lingers(Lives):
        def step(self, action):
            obs, reward, _, _, info = super().step(action)
            return obs, reward, self.k == 12, False, info  # three steps without a life

    env = EpisodicLife(Lingers())
    env.reset(seed=0)
    assert [env.step(0)[2] for _ in range(12)] == [k in (3, 6, 12) for k in range(1, 13)]


def test_beginnings_of_doing_nothing():
    env = NoopStart(CountEnv(100), 5)
    starts = [int(env.reset(seed=7 if i == 0 else None)[0][0]) for i in range(200)]
    again = NoopStart(CountEnv(100), 5)

    assert {*starts} == {1, 2, 3, 4, 5}
    assert [int(again.reset(seed=7 if i == 0 else None)[0][0]) for i in range(200)] == starts
    assert {*env.unwrapped.actions} == {0}
    short = NoopStart(CountEnv(2), 9)
    assert all(short.reset(seed=s)[0][0] < 2 for s in range(20))  # an end in between: anew


def test_signs_of_rewards():
    class Loud(CountEnv):
        def step(self, action):
            obs, _, *rest = super().step(action)
            return obs, [-7.0, 0.0, 0.5][self.k - 1], *rest

    env = ClipReward(VecEnv([lambda: Loud(9)]))
    env.reset()
    assert [env.step([0])[1].tolist() for _ in range(3)] == [[-1.0], [0.0], [1.0]]


@pytest.mark.parametrize("cls", [Masked, MaskedMethod])
def test_masks_become_observations(cls):
    env = ActionMask(cls())
    obs, _ = env.reset(seed=0)

    assert env.observation_space["action_mask"] == MultiBinary(5)
    for _ in range(4):
        assert obs in env.observation_space
        assert obs["action_mask"].tolist() == env.unwrapped.mask.astype(int).tolist()
        obs, *_ = env.step(int(obs["action_mask"].argmax()))
    assert list(obs) == ["observation", "action_mask"]


def test_masks_join_what_a_dictionary_has():
    class Rich(MaskedMethod):
        observation_space = Dict(x=Masked.observation_space)
        action_space = MultiDiscrete([2, 3])

        def draw(self):
            obs, _ = super().draw()
            return {"x": obs}, {}

    env = ActionMask(Rich())
    assert sorted(env.reset(seed=0)[0]) == ["action_mask", "x"]
    assert env.reset(seed=0)[0] in env.observation_space


def test_wrong_masks_and_actions():
    env = CountEnv(3)
    with pytest.raises(
        ValueError, match=r"ActionMask: got a mask of shape \(0,\); expected \(2,\)"
    ):
        ActionMask(env).reset()
    with pytest.raises(ValueError, match="NoopStart: num is 0; expected at least 1"):
        NoopStart(env, 0)
    env.action_space = Box(0.0, 1.0, (2,))
    with pytest.raises(ValueError, match=r"ActionMask: action space is Box.*; expected Discrete"):
        ActionMask(env)
    env.action_space = Discrete(2, start=1)
    for wrapper in (lambda env: NoopStart(env, 3), EpisodicLife):
        with pytest.raises(ValueError, match=r"action space is Discrete\(2, start=1\); expected"):
            wrapper(env)


def test_environments_with_the_method_show_their_masks():
    assert "action_mask" in make("envs.tiny:MaskedMethod-v0").observation_space.spaces
    assert make("envs.tiny:Masked-v0").observation_space == Masked.observation_space


def test_the_configuration_says_what_is_put_around():
    make_env = lambda: make("envs.tiny:Catch-v0", disable_env_checker=True)
    config = {"env.skip": 1, "env.stack": 1, "env.gray": False, "env.size": None, "env.noop": 0}

    assert preprocessed(make_env, config, True) is preprocessed(make_env, {}, True) is make_env
    config |= {"env.skip": 2, "env.stack": 3, "env.size": [12, 8], "env.noop": 2}
    config |= {"env.episodic_life": True}
    env, eval_env = (preprocessed(make_env, config, mode)() for mode in (True, False))
    assert str(env).startswith("<FrameStack<Resize<EpisodicLife<FrameSkip<NoopStart<")
    assert str(eval_env).startswith("<FrameStack<Resize<FrameSkip<NoopStart<")
    assert env.observation_space == Box(0, 255, (3, 12, 8), np.uint8)
    masked = preprocessed(Masked, {"env.info_mask": True}, False)()
    assert "action_mask" in masked.observation_space.spaces
