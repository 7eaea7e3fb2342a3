import gymnasium
import pytest
from envs.count_env import CountEnv
from gymnasium.wrappers import TransformReward

from lagom.envs import VecEnv, make
from lagom.envs.backend import vectorize
from lagom.envs.classic import ClassicVecEnv
from lagom.envs.mujoco import MujocoVecEnv


def vec(id, num_env=16, seeds=None, make_env=None, **kwargs):
    make_env = make_env or (lambda: make(id, disable_env_checker=True))
    env = vectorize(make_env, num_env, seeds or list(range(num_env)), **kwargs)
    env.close()
    return type(env)


@pytest.mark.parametrize(
    ("id", "num_env", "expected"),
    [
        ("CartPole-v1", 2, VecEnv),
        ("CartPole-v1", 3, ClassicVecEnv),
        ("Pendulum-v1", 1, VecEnv),
        ("Pendulum-v1", 2, ClassicVecEnv),
        ("MountainCarContinuous-v0", 11, VecEnv),
        ("MountainCarContinuous-v0", 12, ClassicVecEnv),
        ("Acrobot-v1", 4, ClassicVecEnv),
        ("MountainCar-v0", 4, ClassicVecEnv),
        ("HalfCheetah-v2", 1, MujocoVecEnv),
        ("Ant-v5", 2, MujocoVecEnv),
        ("InvertedPendulum-v4", 1, VecEnv),
        ("InvertedPendulum-v4", 2, MujocoVecEnv),
        ("Reacher-v2", 1, VecEnv),
    ],
)
def test_auto_takes_the_fastest(id, num_env, expected):
    assert vec(id, num_env) is expected


@pytest.mark.parametrize(
    "make_env",
    [
        lambda: CountEnv(3),
        lambda: gymnasium.make("CartPole-v1"),  # with the checker
        lambda: TransformReward(make("Hopper-v5", disable_env_checker=True), lambda r: 2 * r),
        lambda: make("CartPole-v1", disable_env_checker=True, render_mode="human"),
    ],
)
def test_auto_leaves_what_it_does_not_know_to_the_serial_one(make_env, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert vec(None, make_env=make_env) is VecEnv


def test_what_is_asked_for_is_taken():
    assert vec("CartPole-v1", backend="serial") is VecEnv
    assert vec("CartPole-v1", 1, backend="classic") is ClassicVecEnv
    assert vec("Hopper-v5", 1, backend="serial") is VecEnv
    assert vec("Hopper-v5", 1, backend="mujoco", threads=2) is MujocoVecEnv


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        (
            {"backend": "warp"},
            "env.backend: got 'warp'; expected one of 'auto', 'serial', 'mujoco'",
        ),
        ({"threads": 0}, "env.threads: got 0; expected at least 1"),
        ({"backend": "mujoco"}, r"'mujoco' cannot step .*CartPole.*; expected one of .*MuJoCo"),
        (
            {"backend": "classic", "make_env": lambda: CountEnv(3)},
            r"env.backend: 'classic' cannot step .*CountEnv.*; use env.backend=auto",
        ),
    ],
)
def test_what_cannot_be_is_refused(kwargs, match):
    with pytest.raises(ValueError, match=match):
        vec("CartPole-v1", **kwargs)


def test_equations_that_somebody_changed_are_left_alone():
    def make_env():
        env = make("CartPole-v1", disable_env_checker=True)
        env.unwrapped.kinematics_integrator = "semi-implicit"
        return env

    def make_acrobot():
        env = make("Acrobot-v1", disable_env_checker=True)
        env.unwrapped.torque_noise_max = 0.1
        return env

    assert vec(None, make_env=make_env) is vec(None, make_env=make_acrobot) is VecEnv
