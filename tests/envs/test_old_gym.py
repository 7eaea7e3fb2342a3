import sys
import types

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from lagom.envs import VecEnv, make
from lagom.envs.old_gym import OldGymEnv, adapt, convert_space, find


class Discrete:
    """Looks like old gym's."""

    def __init__(self, n):
        self.n = n


class Box:
    def __init__(self, low, high, dtype=np.float32):
        self.low, self.high = np.asarray(low, dtype), np.asarray(high, dtype)
        self.dtype, self.shape = np.dtype(dtype), self.low.shape


class MultiDiscrete:
    def __init__(self, nvec):
        self.nvec = nvec


class MultiBinary:
    n = 3


class Dict:
    def __init__(self, **parts):
        self.spaces = parts


class Tuple:
    def __init__(self, *parts):
        self.spaces = parts


class Gym21:
    """As of 2021: four values, ``seed``, ``render(mode)``; over after ``n`` steps."""

    observation_space, action_space = Box([-1.0, -1.0], [9.0, 9.0]), Discrete(2)
    metadata = {"render.modes": ["rgb_array"], "video.frames_per_second": 25}  # noqa: RUF012
    colour = "red"

    def __init__(self, n=3, flag=False):
        self.n, self.flag, self.closed = n, flag, False
        self.rng = np.random.default_rng(0)

    def seed(self, seed=None):
        self.rng = np.random.default_rng(seed)
        return [seed]

    def reset(self):
        self.k = 0
        return self.look()

    def look(self):
        return np.array([self.k, self.rng.random()], np.float32)

    def step(self, action):
        self.k += 1
        info = {"TimeLimit.truncated": True} if self.flag and self.k == self.n else {}
        return self.look(), 0.5 * action, self.k == self.n, info

    def render(self, mode="human"):
        return np.full((2, 2, 3), 7, np.uint8) if mode == "rgb_array" else None

    def close(self):
        self.closed = True


class Gym26(Gym21):
    """As of 2022: five values, ``reset`` takes a seed and returns an info, ``render()``."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012

    def __init__(self, n=3, render_mode=None):
        super().__init__(n)
        self.render_mode = render_mode

    def seed(self, seed=None):
        raise AssertionError("nobody calls this any more")

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        return super().reset(), {"options": options}

    def step(self, action):
        *out, done, info = super().step(action)
        return *out, done, False, info

    def render(self):
        return np.full((2, 2, 3), 8, np.uint8) if self.render_mode == "rgb_array" else None


def test_spaces_are_converted():
    nested = Dict(a=Tuple(Box([0], [255], np.uint8), MultiBinary()), b=MultiDiscrete([2, 3]))

    assert convert_space(nested) == spaces.Dict(
        a=spaces.Tuple([spaces.Box(0, 255, (1,), np.uint8), spaces.MultiBinary(3)]),
        b=spaces.MultiDiscrete([2, 3]),
    )
    three = Discrete(3)
    three.start = -1
    assert convert_space(three) == spaces.Discrete(3, start=-1)
    assert convert_space(spaces.Discrete(2)) == spaces.Discrete(2)
    with pytest.raises(ValueError, match="OldGymEnv: space 3 is unknown; expected Box, Discrete"):
        convert_space(3)


def test_four_values_and_a_seed_apart():
    env = OldGymEnv(Gym21())
    first, info = env.reset(seed=5)
    rng = np.random.default_rng(5)

    np.testing.assert_array_equal(first, np.array([0, rng.random()], np.float32))
    assert info == {}
    for k in (1, 2, 3):
        observation, reward, terminated, truncated, info = env.step(1)
        np.testing.assert_array_equal(observation, np.array([k, rng.random()], np.float32))
        assert (reward, terminated, truncated, info) == (0.5, k == 3, False, {})
    second, _ = env.reset()  # goes on with the same stream
    np.testing.assert_array_equal(second, np.array([0, rng.random()], np.float32))


def test_a_clock_in_info_is_truncation():
    env = OldGymEnv(Gym21(n=1, flag=True))
    env.reset()
    assert env.step(0)[2:] == (False, True, {"TimeLimit.truncated": True})


def test_five_values_and_a_seed_in_reset():
    env = OldGymEnv(Gym26(n=1))
    first, info = env.reset(seed=5, options={"size": 2})

    assert first[1] == np.float32(np.random.default_rng(5).random())
    assert info == {"options": {"size": 2}}
    assert env.step(1)[1:] == (0.5, True, False, {})


class PairEnv(Gym21):
    observation_space = Tuple(Discrete(2), Dict(a=Discrete(2)))

    def reset(self):
        return 1, {"a": 0}


def test_an_observation_that_looks_like_one_with_info():
    assert OldGymEnv(PairEnv()).reset() == ((1, {"a": 0}), {})


class ThreeValues(Gym21):
    def step(self, action):
        return super().step(action)[:3]


def test_other_numbers_of_values_are_refused():
    env = OldGymEnv(ThreeValues())
    env.reset()
    with pytest.raises(ValueError, match="step returned 3 values; expected 4 or 5"):
        env.step(0)


def test_metadata_pictures_and_attributes():
    old, new = OldGymEnv(Gym21(), "rgb_array"), OldGymEnv(Gym26(render_mode="rgb_array"))

    assert (old.metadata["render_modes"], old.metadata["render_fps"]) == (["rgb_array"], 25)
    assert (new.metadata["render_modes"], new.metadata["render_fps"]) == (["rgb_array"], 30)
    assert (old.render().max(), new.render().max()) == (7, 8)
    assert old.colour == "red"
    with pytest.raises(AttributeError, match="no attribute '_colour'"):
        _ = old._colour
    old.close()
    assert old.env.closed


@pytest.mark.parametrize("kind", [Gym21, Gym26])
def test_ids_of_gymnasium_that_make_old_environments(monkeypatch, kind):
    spec = gymnasium.envs.registration.EnvSpec(
        "Old-v0", entry_point=f"old_things:{kind.__name__}", max_episode_steps=4, kwargs={"n": 9}
    )
    monkeypatch.setitem(gymnasium.registry, "Old-v0", spec)
    module = types.ModuleType("old_things")
    monkeypatch.setitem(sys.modules, "old_things", module)
    setattr(module, kind.__name__, kind)

    env = VecEnv([lambda: make("Old-v0", render_mode="rgb_array")] * 2, seeds=[1, 2])
    observations, _ = env.reset()

    assert observations.tolist() == [
        [0.0, np.float32(np.random.default_rng(seed).random())] for seed in (1, 2)
    ]
    for k in range(4):
        *_, terminated, truncated, info = env.step(np.array([0, 1]))
        assert not terminated.any()
        assert truncated.all() == (k == 3)  # the time limit is not the end
    np.testing.assert_array_equal([x[0] for x in info["final_obs"]], [4, 4])
    assert env.get_images().shape == (2, 2, 2, 3)
    assert env.spec.id == "Old-v0"


def test_other_specs_stay_as_they_are():
    for spec in (
        gymnasium.spec("CartPole-v1"),
        gymnasium.envs.registration.EnvSpec("A-v0", entry_point="no_such_module:Env"),
        gymnasium.envs.registration.EnvSpec("A-v0", entry_point="envs.count_env:CountEnv"),
        gymnasium.envs.registration.EnvSpec("A-v0", entry_point=lambda: None),
    ):
        assert adapt(spec) is spec


class Spec21:
    """As gym 0.21 has them."""

    entry_point, reward_threshold, max_episode_steps, _kwargs = Gym21, 3.0, 2, {"n": 9}


def test_registries_of_two_ages(monkeypatch):
    monkeypatch.delitem(sys.modules, "gym", raising=False)
    assert find("Thing-v0") is None
    registry = types.SimpleNamespace(env_specs={"Thing-v0": Spec21})
    gym = types.SimpleNamespace(envs=types.SimpleNamespace(registry=registry))
    monkeypatch.setitem(sys.modules, "gym", gym)

    env = make("Thing-v0")
    env.reset()
    assert [env.step(0)[2:4] for _ in range(2)] == [(False, False), (False, True)]
    assert (env.spec.reward_threshold, env.unwrapped.n) == (3.0, 9)
    gym.envs.registry = {"Thing-v0": Spec21}
    assert find("Thing-v0").max_episode_steps == 2
    with pytest.raises(ValueError, match="no environment 'Thing-v1'"):
        make("Thing-v1")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_gym_itself():
    pytest.importorskip("gym")
    ours = VecEnv([lambda: make("gym:CartPole-v1")] * 2, seeds=[1, 2])
    theirs = VecEnv([lambda: make("CartPole-v1")] * 2, seeds=[1, 2])

    assert isinstance(ours[0].unwrapped, OldGymEnv)
    assert type(ours[0].unwrapped.env).__module__.startswith("gym.")
    np.testing.assert_array_equal(ours.reset()[0], theirs.reset()[0])
    for _ in range(60):
        actions = theirs.action_space.sample()
        a, b = ours.step(actions), theirs.step(actions)
        for x, y in zip(a[:4], b[:4], strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-6)


MODULE = """
import gym

class Env(gym.Env):
    observation_space = gym.spaces.Box(-1.0, 9.0, (1,))
    action_space = gym.spaces.Discrete(2)

    def seed(self, seed=None):
        self.start = seed % 2

    def reset(self):
        self.k = 0
        return self.observation_space.low * 0 + self.start

    def step(self, action):
        self.k += 1
        return self.observation_space.low * 0 + self.k, 1.0, False, {}

gym.register("OldThing-v0", Env, max_episode_steps=5)
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_users_module_that_registers_with_gym(tmp_path, monkeypatch):
    pytest.importorskip("gym")
    (tmp_path / "old_module.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    env = VecEnv([lambda: make("old_module:OldThing-v0")] * 2, seeds=[4, 5])

    assert env.reset()[0].tolist() == [[0.0], [1.0]]
    for _ in range(5):
        *_, terminated, truncated, _ = env.step(np.array([0, 1]))
    assert (terminated.any(), truncated.all()) == (False, True)
