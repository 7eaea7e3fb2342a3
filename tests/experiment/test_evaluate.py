import sys
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from configs import TINY
from policies import write_run

from lagom.envs import make_envs
from lagom.experiment import evaluate as module
from lagom.experiment.evaluate import check_module, evaluate, film_rate
from lagom.experiment.policy import _digest, write_policy
from lagom.experiment.storage import read_json, write_json
from lagom.runner import EpisodeRunner
from lagom.utils import random_state


class Count(gymnasium.Env):
    """Episodes of 3 steps, or 5 where the seed is odd; a step pays the square of its number."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    metadata = {"render_modes": ["rgb_array"], "render_fps": 7}  # noqa: RUF012

    def __init__(self, render_mode=None, reward=1.0, picture=True):
        self.render_mode, self.reward, self.picture = render_mode, reward, picture

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.end = 5 if seed % 2 else 3
        self.k = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.k += 1
        done = self.k == self.end
        return np.zeros(2, np.float32), self.reward * self.k**2, done, False, {}

    def render(self):
        return np.full((4, 4, 3), self.k, np.uint8) if self.picture else None


gymnasium.register("Count-v0", Count)
COUNT = {"env.id": "test_evaluate:Count-v0"}


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """This file as a module of the user's, under the name that the ids have."""
    monkeypatch.setitem(sys.modules, "test_evaluate", sys.modules[__name__])


def edit(policy, **values):
    """Change the configuration that a policy names, and its digest."""
    description = read_json(policy / "policy.json")
    description.pop("sha256")
    description["config"] |= {key.replace("__", "."): value for key, value in values.items()}
    write_json(policy / "policy.json", {**description, "sha256": _digest(policy, description)})


def test_returns_and_lengths_by_hand(tmp_path):
    write_run(tmp_path / "0/1", "ppo", "gym", **COUNT)

    out = evaluate(tmp_path / "0/1/policy", episodes=12)

    lengths = [5 if seed % 2 else 3 for seed in out["seeds"]]
    quota = [2, 2] + [1] * 8  # twelve episodes of ten sub-environments
    expected = [x for x, num in zip(lengths, quota, strict=True) for _ in range(num)]
    assert len(set(lengths)) == 2
    assert out["lengths"] == expected
    assert out["returns"] == [14.0 if x == 3 else 55.0 for x in expected]


def test_the_same_as_the_runner_with_the_moments_of_the_policy(tmp_path):
    agent, env = write_run(tmp_path / "0/1", "ppo", "Pendulum-v1", **TINY)
    agent.train()
    EpisodeRunner()(agent, env, 2)  # moments that matter
    write_policy(tmp_path / "0/1/policy", agent.config, agent, env)
    out = evaluate(tmp_path / "0/1/policy", episodes=3)

    config = {**agent.config, "eval.episodes": 3}
    _, eval_env = make_envs(config, module._SEED)
    eval_env.obs_moments.load_state_dict(env.obs_moments.state_dict())
    agent.eval()
    D = EpisodeRunner()(agent, eval_env, 3)
    assert out["returns"] == pytest.approx([tau.rewards.sum() for tau in D], rel=1e-5)
    assert out["lengths"] == [200] * 3


def test_seeds_are_nobody_elses_and_repeat(tmp_path):
    _, env = write_run(tmp_path / "0/1", "cmaes", "CartPole-v1", **{"es.popsize": 4})
    before = random_state()
    first, again = (evaluate(tmp_path / "0/1/policy", 4) for _ in range(2))
    other = evaluate(tmp_path / "0/1/policy", 4, seed=1)

    assert first == again
    assert not set(first["seeds"]) & {*other["seeds"], *env.seeds}
    assert str(random_state()) == str(before)


def test_the_film_sees_every_step(tmp_path):
    write_run(tmp_path / "0/1", "ppo", "gym", **COUNT)
    seen = []

    def film(env, done):
        seen.append((env.get_image(0)[0, 0, 0], bool(done[0])))

    (length,) = evaluate(tmp_path / "0/1/policy", 1, film=film)["lengths"]

    assert seen == [*((k, False) for k in range(length)), (0, True)]


def test_the_camera_of_what_draws_goes_along(tmp_path, monkeypatch):
    write_run(tmp_path / "0/1", "ppo", "HalfCheetah-v2")
    cameras = set()

    def render(self, *args):  # what is asked to draw, whatever the machine can
        cameras.add(self.model.camera(self.camera_id).name if self.camera_id >= 0 else "free")
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr("gymnasium.envs.mujoco.mujoco_rendering.MujocoRenderer.render", render)
    evaluate(tmp_path / "0/1/policy", 1, film=lambda env, done: env.get_image(0))

    assert cameras == {"track"}


def test_an_agent_is_told_where_episodes_begin(tmp_path, monkeypatch):
    agent, _ = write_run(tmp_path / "0/1", "ppo", "gym", **COUNT)
    told = []
    monkeypatch.setattr(type(agent), "begin", lambda self, rows: told.append(rows.tolist()))

    (length, _) = evaluate(tmp_path / "0/1/policy", 2)["lengths"]

    assert told[0] == [True, True]
    assert any(told[1])
    assert length in (3, 5)


def test_keys_that_lagom_has_got_since(tmp_path):
    write_run(tmp_path / "0/1", "ppo", "CartPole-v1")
    description = read_json(tmp_path / "0/1/policy/policy.json")
    description.pop("sha256")
    del description["config"]["env.normalize_obs"], description["config"]["threads"]
    digest = _digest(tmp_path / "0/1/policy", description)
    write_json(tmp_path / "0/1/policy/policy.json", {**description, "sha256": digest})

    assert len(evaluate(tmp_path / "0/1/policy", 1)["returns"]) == 1


def test_what_is_refused(tmp_path):
    write_run(tmp_path / "0/1", "ppo", "CartPole-v1")
    policy = tmp_path / "0/1/policy"
    edit(policy, env__id="Acrobot-v1")
    with pytest.raises(ValueError, match=r"trained with observation_space .*Acrobot-v1 now has"):
        evaluate(policy, 1)
    edit(policy, env__id=None, env__kwargs=3)
    with pytest.raises(ValueError, match="policy refused: no configuration"):
        evaluate(policy, 1)
    write_run(tmp_path / "0/2", "ppo", "gym", **COUNT, **{"env.kwargs": {"reward": float("inf")}})
    with pytest.raises(FloatingPointError, match="a reward that is not finite"):
        evaluate(tmp_path / "0/2/policy", 1)


def test_a_folder_brings_no_code_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = tmp_path / "outputs" / "x"
    folder = experiment / "0/1/policy"
    for path in (experiment / "evil.py", folder / "evil.py", tmp_path / "mine.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("raise SystemExit('ran')")

    check_module("CartPole-v1", folder)
    check_module("mine:A-v0", folder)
    check_module("nowhere:A-v0", folder)
    with pytest.raises(ValueError, match=r"'outputs.x.evil:A-v0' would import .*outputs, from"):
        check_module("outputs.x.evil:A-v0", folder)
    monkeypatch.chdir(folder)
    with pytest.raises(ValueError, match=r"'evil:A-v0' would import .*evil.py"):
        check_module("evil:A-v0", folder)
    monkeypatch.chdir(experiment)
    with pytest.raises(ValueError, match=r"'evil:A-v0' would import .*evil.py"):
        check_module("evil:A-v0", folder)


def test_the_rate_of_a_film(tmp_path):
    write_run(tmp_path / "0/1", "ppo", "CartPole-v1")

    assert film_rate(tmp_path / "0/1/policy") == 50.0


def test_why_there_is_no_film(monkeypatch):
    render = module._render_once
    with pytest.raises(ValueError, match=r"rendering gives no picture \[H, W, 3\]"):
        render("test_evaluate:Count-v0", {"picture": False})
    assert render("test_evaluate:Count-v0", None) == 7.0
    monkeypatch.setitem(sys.modules, "mujoco", None)
    monkeypatch.setenv("MUJOCO_GL", "egl")
    with pytest.raises(ValueError, match="MuJoCo cannot draw here, MUJOCO_GL is 'egl' .*libegl1"):
        render("test_evaluate:Count-v0", {"picture": False})


def test_a_driver_may_end_the_process(tmp_path, monkeypatch):
    class Pool:
        def __init__(self, *args):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *args):
            pass

        def submit(self, *args):
            raise module.BrokenProcessPool

    write_run(tmp_path / "0/1", "ppo", "CartPole-v1")
    monkeypatch.setattr(module, "ProcessPoolExecutor", Pool)
    with pytest.raises(ValueError, match="the process that tried to render died"):
        film_rate(tmp_path / "0/1/policy")


def test_the_camera_goes_with_the_body():
    def env(ncam, config):
        model = SimpleNamespace(
            ncam=ncam, camera=lambda i: SimpleNamespace(name=("side", "track")[i])
        )
        renderer = SimpleNamespace(camera_id=-1, default_cam_config=config)
        return SimpleNamespace(unwrapped=SimpleNamespace(mujoco_renderer=renderer, model=model))

    cameras = []
    for single in (env(2, None), env(1, {}), env(2, {"trackbodyid": 1})):
        module._follow(single)
        cameras.append(single.unwrapped.mujoco_renderer.camera_id)
    module._follow(SimpleNamespace(unwrapped=None))

    assert cameras == [1, -1, -1]
