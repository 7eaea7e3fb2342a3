import importlib
import os
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from lagom.envs import SPECS, make, registry


def test_classic_control():
    env = make("CartPole-v1", max_episode_steps=7)

    assert env.spec.id == "CartPole-v1"
    assert env.spec.max_episode_steps == 7


def test_our_table_answers_gymnasium_too():
    assert all(gymnasium.spec(id) is spec for id, spec in SPECS.items())


def test_importing_environments_does_not_import_mujoco():
    code = "import sys, lagom.envs; sys.exit('mujoco' in sys.modules or 'torch' in sys.modules)"

    assert os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", code) == 0


MODULE = """
import gymnasium
from gymnasium.envs.classic_control import PendulumEnv
class MyEnv(PendulumEnv):
    def __init__(self, render_mode=None, size=1):
        super().__init__(render_mode)
        self.size = size
gymnasium.register("MyEnv-v0", entry_point=MyEnv, max_episode_steps=5)
"""


@pytest.fixture
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    yield tmp_path
    gymnasium.registry.pop("MyEnv-v0", None)


def test_modules_in_the_working_folder(working_folder):
    (working_folder / "my_module_a.py").write_text(MODULE)

    env = make("my_module_a:MyEnv-v0", size=3)

    assert type(env.unwrapped).__name__ == "MyEnv"
    assert env.unwrapped.size == 3
    assert sys.path[-1] == str(working_folder)


def test_modules_that_cannot_be_imported(working_folder):
    with pytest.raises(ValueError, match=r"needs module 'no_such', .*expected it on the path"):
        make("no_such:MyEnv-v0")
    (working_folder / "my_module_b.py").write_text("import no_such_either")
    with pytest.raises(ValueError, match="cannot be imported .*no_such_either"):
        make("my_module_b:MyEnv-v0")


def test_modules_that_register_something_else(working_folder):
    (working_folder / "my_module_c.py").write_text(MODULE)
    with pytest.raises(ValueError, match=r"there is no environment 'MyEnv-v1'.*MyEnv-v0"):
        make("my_module_c:MyEnv-v1")


@pytest.mark.parametrize(
    ("id", "nearest"),
    [
        ("CartPol-v1", "CartPole-v1"),
        ("CartPole", "CartPole-v1"),
        ("Pendulum-v0", "Pendulum-v1"),
        ("LunarLander-v2", "LunarLander-v3"),
        ("Ants-v2", "Ant-v2"),
    ],
)
def test_unknown_names_get_near_ones(id, nearest):
    with pytest.raises(ValueError, match=f"there is no environment '{id}'.*nearest are.*{nearest}"):
        make(id)


def test_nothing_near():
    with pytest.raises(ValueError, match=r"^make: there is no environment 'qqqqqqqq'$"):
        make("qqqqqqqq")


def test_retired_names_get_near_ones():
    with pytest.raises(ValueError, match=r"'Hopper-v3' cannot be made.*retired.*Hopper-v"):
        make("Hopper-v3")


def test_families_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ale_py", None)
    with pytest.raises(ValueError, match=r"'ALE/Pong-v9' needs a package.*lagom\[atari\]"):
        make("ALE/Pong-v9")
    monkeypatch.setitem(sys.modules, "gym", None)
    with pytest.raises(ValueError, match=r"'gym:CartPole-v1' needs old gym; .*lagom\[gym\]"):
        make("gym:CartPole-v1")


@pytest.mark.parametrize(
    ("module", "id", "shape"),
    [
        ("ale_py", "ALE/Pong-v5", (210, 160, 3)),
        ("Box2D", "LunarLander-v3", (8,)),
        ("minigrid", "MiniGrid-Empty-5x5-v0", {"direction": (), "image": (7, 7, 3)}),
        ("shimmy", "dm_control/cartpole-swingup-v0", {"position": (3,), "velocity": (2,)}),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # SWIG's: as an error it crashes
def test_extras(module, id, shape):
    pytest.importorskip(module)
    env = make(id)

    observation, _ = env.reset(seed=0)
    observation, reward, *_ = env.step(env.action_space.sample())

    if isinstance(shape, dict):
        assert {key: np.shape(part) for key, part in observation.items()} == shape
    else:
        assert observation.shape == shape
    assert np.isfinite(reward)
    env.close()


def test_a_missing_extra_is_named(monkeypatch):
    def missing(**kwargs):
        raise gymnasium.error.DependencyNotInstalled('run `pip install "gymnasium[box2d]"`')

    monkeypatch.setitem(gymnasium.registry, "Box-v9", EnvSpec("Box-v9", entry_point=missing))
    with pytest.raises(ValueError, match=r"'Box-v9' cannot be made: Box2D.*lagom\[box2d\]"):
        make("Box-v9")


def test_wrong_arguments():
    with pytest.raises(ValueError, match="unexpected keyword argument 'colour'"):
        make("CartPole-v1", colour=3)


def test_other_type_errors_are_bugs_and_pass(monkeypatch):
    def buggy(**kwargs):
        return 1 + "a"

    monkeypatch.setitem(gymnasium.registry, "Bug-v0", EnvSpec("Bug-v0", entry_point=buggy))
    with pytest.raises(TypeError, match="unsupported operand"):
        make("Bug-v0")


@pytest.mark.parametrize(
    ("display", "render_mode", "expected"),
    [({}, "rgb_array", "egl"), ({}, None, None), ({"DISPLAY": ":0"}, "rgb_array", None)],
)
def test_egl_is_the_default_without_a_display(monkeypatch, display, render_mode, expected):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.setenv(name, "")  # so that it is put back, whatever make does
        monkeypatch.delenv(name)
    for name, value in display.items():
        monkeypatch.setenv(name, value)

    make("Reacher-v2", render_mode=render_mode)

    assert os.environ.get("MUJOCO_GL") == expected


@pytest.mark.parametrize("id", ["HalfCheetah-v2", "HalfCheetah-v5"])
def test_mujoco_leaves_no_log_file(id, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    make(id).reset()

    assert list(tmp_path.iterdir()) == []


def test_without_mujoco_other_environments_are_made(monkeypatch):
    monkeypatch.setitem(sys.modules, "lagom.envs.mujoco_v2", None)
    registry._quiet_mujoco()
    with pytest.raises(ImportError, match="mujoco_v2"):
        importlib.import_module("lagom.envs.mujoco_v2")
