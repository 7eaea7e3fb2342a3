import gymnasium
import numpy as np
import pytest
from envs.count_env import CountEnv
from gymnasium.spaces import Box, Discrete

from lagom.envs.image import FrameSkip, FrameStack, Grayscale, Resize, area_weights


class Pictures(gymnasium.Env):
    """Step k shows random bytes of the seed 100 + k and gives reward k; it ends at step ``n``."""

    action_space = Discrete(2)

    def __init__(self, shape=(6, 5, 3), n=10):
        self.observation_space, self.n = Box(0, 255, shape, np.uint8), n
        self.buffer = np.zeros(shape, np.uint8)  # one for ever: callers must copy

    def reset(self, *, seed=None, options=None):
        self.k = 0
        return self.show(), {}

    def show(self):
        self.buffer[:] = self.picture(self.k)
        return self.buffer

    def picture(self, k):
        return np.random.default_rng(100 + k).integers(0, 256, self.buffer.shape, np.uint8)

    def step(self, action):
        self.k += 1
        return self.show(), self.k, self.k == self.n, False, {"k": self.k}


def test_skipped_frames():
    env = Pictures(n=7)
    skip = FrameSkip(env, 3)
    skip.reset()
    obs, reward, terminated, _, info = skip.step(0)

    assert (reward, terminated, info["k"]) == (6.0, False, 3)
    assert (obs == np.maximum(env.picture(2), env.picture(3))).all()
    skip.step(0)
    obs, reward, terminated, _, info = skip.step(0)  # ends at its first frame
    assert (reward, terminated, info["k"]) == (7.0, True, 7)
    assert (obs == env.picture(7)).all()


def test_an_end_at_the_second_frame():
    env = Pictures(n=2)
    skip = FrameSkip(env, 3)
    skip.reset()
    obs, reward, terminated, *_ = skip.step(0)

    assert (reward, terminated) == (3.0, True)
    assert (obs == np.maximum(env.picture(1), env.picture(2))).all()


def test_one_frame_is_no_skip():
    env = Pictures()
    skip = FrameSkip(env, 1)
    skip.reset()
    assert (skip.step(0)[0] == env.picture(1)).all()


def test_luminance():
    env = Grayscale(Pictures())
    obs, _ = env.reset()
    r, g, b = np.moveaxis(env.unwrapped.picture(0).astype(float), -1, 0)

    assert env.observation_space == Box(0, 255, (6, 5), np.uint8)
    assert (obs == np.round(0.299 * r + 0.587 * g + 0.114 * b)).all()


def test_areas():
    for old, new in ((6, 3), (5, 3), (7, 7), (210, 84), (4, 1)):
        weights = np.zeros((new, old))
        for i in range(new * old * 100):  # in hundredths of what divides both
            weights[i // (old * 100), i // (new * 100)] += 1 / (old * 100)
        np.testing.assert_allclose(area_weights(old, new), weights, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
def test_shrunk_pictures_are_means_of_areas(shape):
    env = Resize(Pictures(shape), [3, 2])
    obs, _ = env.reset()
    picture = env.unwrapped.picture(0).astype(float)

    assert env.observation_space == Box(0, 255, (3, 2, *shape[2:]), np.uint8)
    halves = [[1, 1, 0.5, 0, 0], [0, 0, 0.5, 1, 1]]
    for i in range(3):
        for j in range(2):
            area = picture[2 * i : 2 * i + 2] * np.reshape(halves[j], (1, 5, *[1] * len(shape[2:])))
            expected = area.sum((0, 1)) / 5
            np.testing.assert_allclose(obs[i, j], expected, atol=0.51)


def test_the_same_size_is_the_same_picture():
    env = Resize(Pictures(), [6, 5])
    assert (env.reset()[0] == env.unwrapped.picture(0)).all()


@pytest.mark.parametrize(
    ("shape", "stacked"), [((6, 5), (4, 6, 5)), ((6, 5, 3), (6, 5, 12)), ((7,), (28,))]
)
def test_stacks(shape, stacked):
    env = FrameStack(Pictures(shape), 4)
    picture = env.unwrapped.picture
    join = np.stack if len(shape) == 2 else lambda x: np.concatenate(x, -1)
    first, _ = env.reset()
    second, reward, *_ = env.step(0)

    assert env.observation_space == Box(0, 255, stacked, np.uint8)
    assert (first == join([picture(0)] * 4)).all()
    assert (second == join([picture(0)] * 3 + [picture(1)])).all()
    assert reward == 1
    for _ in range(3):
        last = env.step(0)[0]
    assert (last == join([picture(k) for k in (1, 2, 3, 4)])).all()
    again, _ = env.reset()
    assert (again == first).all()
    assert (last == join([picture(k) for k in (1, 2, 3, 4)])).all()  # a copy


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="FrameSkip: skip is 0; expected at least 1"):
        FrameSkip(Pictures(), 0)
    with pytest.raises(
        ValueError, match=r"Grayscale: got Box.*; expected bytes of shape \[H, W, 3"
    ):
        Grayscale(Pictures((6, 5)))
    with pytest.raises(ValueError, match=r"Resize: got Box.*; expected bytes of shape"):
        Resize(CountEnv(3), [2, 2])
    for size in ([7, 5], [0, 5], [3, 6]):
        with pytest.raises(ValueError, match=r"Resize: size is .* at most the old ones"):
            Resize(Pictures(), size)
    with pytest.raises(ValueError, match="FrameStack: num is 0 for observations of shape"):
        FrameStack(CountEnv(3), 0)
    env = CountEnv(3)
    env.observation_space = Discrete(3)
    for wrapper in (FrameSkip, FrameStack):
        with pytest.raises(ValueError, match=rf"{wrapper.__name__}: observation space is Discrete"):
            wrapper(env, 2)
