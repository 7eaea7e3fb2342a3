"""A saved policy, played greedily: on seeds of its own, with a film of it if that is wanted."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from lagom.experiment import storage
from lagom.experiment.policy import complete, read_policy
from lagom.utils import set_global_seeds, set_num_threads, undisturbed_random_state

_SEED = 2**30  # far from what jobs are given


def evaluate(folder, episodes=10, seed=0, film=None):
    """Play whole episodes with the policy in ``folder``, always the likeliest action.

    Environments begin with seeds that neither training nor its evaluations used, the same for all
    policies: differences between two of them are not those of their starts.  The normalizer of
    observations is that of the policy, and does not move.

    Args:
        folder (Path): as :func:`~lagom.experiment.policy.write_policy` left it.
        episodes (int): how many; sub-environment ``b`` of ``B`` (ten at most) plays ``N // B``,
            and one more if ``b < N % B``.
        seed (int): another one plays other episodes.
        film (callable): called with the environment ``[B]`` and a bool array ``[B]``, whose episode
            has just ended, after each reset and step; the environments then render pictures.

    Returns:
        dict: ``returns`` and ``lengths`` (steps), lists in the order of sub-environments and time;
        ``seeds`` of the sub-environments.

    Raises:
        ValueError: the policy is refused, its environment cannot be made, or has changed.
        FileNotFoundError: there is no policy.
        FloatingPointError: a reward is not finite.
    """
    from lagom.envs import make_envs

    agent, normalize = read_policy(folder)
    with undisturbed_random_state():
        config = {**_config(folder, {"config": agent.config}), "eval.episodes": episodes}
        if film is not None:
            config["env.kwargs"]["render_mode"] = "rgb_array"
        set_num_threads(int(config["threads"]))
        set_global_seeds(_SEED + seed)
        env, eval_env = make_envs(config, _SEED + seed)
        env.close()
        with closing(eval_env):
            _check_spaces(folder, agent, eval_env)
            if film is not None:
                # Those that draw: iterating over a batch would make copies.
                for single in getattr(eval_env.unwrapped, "envs", ()):
                    _follow(single)
            agent.env = eval_env
            returns, lengths = _play(agent, normalize, eval_env, episodes, film)
            return {"returns": returns, "lengths": lengths, "seeds": list(eval_env.seeds)}


def _config(folder, description):
    """The configuration in ``policy.json``, for environments that are neither many nor normalized.

    Evaluation has the policy's own moments.
    """
    try:
        config = {
            **complete(description["config"]),
            "env.num_env": 1,
            "env.normalize_obs": False,
            "env.normalize_reward": False,
        }
        check_module(config["env.id"], folder)
        return {**config, "env.kwargs": dict(config["env.kwargs"] or {})}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder}: policy refused: no configuration ({error!r})") from None


def check_module(env_id, folder):
    """Refuse an id whose module would come out of the folder that names it.

    ``my_module:MyEnv-v0`` imports the user's own module, by design.  A folder from elsewhere may
    bring a module along: what it holds is data, and is not run.

    Args:
        env_id (str): as in ``env.id``.
        folder (Path): of the policy that names it.

    Raises:
        ValueError: the module lies in the experiment's folder, or the folder in the module's.
    """
    module = str(env_id).rpartition(":")[0].split(".")[0]
    if not module:
        return
    folder = Path(folder).resolve()
    experiment = folder
    if folder.name == "policy":  # <name>/<ID>/<seed>/policy
        experiment = folder.parents[min(2, len(folder.parents) - 1)]
    for place in _places(module):
        if place.is_relative_to(experiment) or folder.is_relative_to(place):
            raise ValueError(
                f"{folder}: policy refused: its environment {env_id!r} would import {place}, from "
                "the same folders; expected a module of your own elsewhere"
            )


def _places(module):
    """Whatever importing ``module`` could find, on the path or in the working directory."""
    bases = [Path(base).resolve() for base in (*sys.path, Path.cwd())]
    paths = (base / name for base in bases for name in (module, f"{module}.py"))
    return [path.resolve() for path in dict.fromkeys(paths) if path.exists()]


def _check_spaces(folder, agent, env):
    for name in ("observation_space", "action_space"):
        trained, here = getattr(agent, name), getattr(env, f"single_{name}")
        if type(trained) is not type(here) or trained.shape != here.shape:
            raise ValueError(
                f"{folder}: the policy was trained with {name} {trained}; {agent.config['env.id']} "
                f"now has {here}; expected the same"
            )


def _follow(env):
    """Let the camera go with the body: Gymnasium's stays behind where a model's own would not."""
    renderer = getattr(env.unwrapped, "mujoco_renderer", None)
    if renderer is None or "trackbodyid" in (renderer.default_cam_config or {}):
        return
    names = [env.unwrapped.model.camera(i).name for i in range(env.unwrapped.model.ncam)]
    if renderer.camera_id == -1 and "track" in names:
        renderer.camera_id = names.index("track")


def _play(agent, normalize, env, episodes, film):
    """Returns and lengths of finished episodes; a quota each, as in ``EpisodeRunner``.

    Nothing but the sums is kept: a hundred episodes of pictures would fill the memory.
    """
    B = env.num_envs
    quota = np.array([episodes // B + (b < episodes % B) for b in range(B)])
    rows = [[] for _ in range(B)]
    returns, lengths = np.zeros(B), np.zeros(B, int)
    obs, _ = env.reset(seed=env.seeds)
    agent.begin(np.ones(B, bool))
    if film is not None:
        film(env, np.zeros(B, bool))
    while quota.any():
        out = agent.choose_action(normalize(obs))
        obs, rewards, terminated, truncated, _ = env.step(out["action"])
        returns, lengths, done = returns + rewards, lengths + 1, terminated | truncated
        if film is not None:
            film(env, done)
        if done.any():
            agent.begin(done)
        for b in np.flatnonzero(done):
            if quota[b]:
                rows[b].append((float(returns[b]), int(lengths[b])))
                quota[b] -= 1
            returns[b], lengths[b] = 0.0, 0
    finished = [row for row_of_b in rows for row in row_of_b]
    if not np.isfinite([total for total, _ in finished]).all():
        raise FloatingPointError("evaluate: the environment gave a reward that is not finite")
    return [total for total, _ in finished], [length for _, length in finished]


def film_rate(folder):
    """Make the environment of a policy and render it once, in a process of its own.

    Whether pictures can be had depends on graphics drivers, which may end a process or leave it
    half-broken; afterwards, this one still can evaluate.

    Args:
        folder (Path): of the policy.

    Returns:
        float: pictures a second for a film at the speed of life; 30 where nobody says.

    Raises:
        ValueError: there are no pictures; the message says why, and what may help.
    """
    config = _config(folder, storage.read_json(Path(folder) / "policy.json"))
    if not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        # Otherwise SDL, which draws classic control, complains that there is no screen.
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    try:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return pool.submit(_render_once, config["env.id"], config["env.kwargs"]).result()
    except BrokenProcessPool:
        raise ValueError("the process that tried to render died") from None


def _render_once(env_id, kwargs):
    from lagom.envs import make

    kwargs = {"disable_env_checker": True, **(kwargs or {}), "render_mode": "rgb_array"}
    try:
        with closing(make(env_id, **kwargs)) as env:
            env.reset(seed=0)
            if np.ndim(env.render()) != 3:
                raise ValueError("rendering gives no picture [H, W, 3]")
            return float(env.metadata.get("render_fps") or 30)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if any(name.split(".")[0] == "mujoco" for name in sys.modules):
            gl = os.environ.get("MUJOCO_GL")
            reason = (
                f"MuJoCo cannot draw here, MUJOCO_GL is {gl!r} ({reason}); without a display it "
                "takes MUJOCO_GL=egl and apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri"
            )
        raise ValueError(reason) from None
