"""Which of the vectorized environments steps a given environment."""

from lagom.envs import classic
from lagom.envs import state as env_state
from lagom.envs.classic import ClassicVecEnv
from lagom.envs.vec_env import VecEnv

BACKENDS = ("auto", "serial", "mujoco", "classic", "async")


def vectorize(make_env, num_env, seeds, backend="auto", threads=1, workers=None, timeout=60.0):
    """Return ``num_env`` environments as one; what they return does not depend on the backend.

    Args:
        make_env (function): makes one of them, without arguments.
        num_env (int): how many.
        seeds (list): one for each.
        backend (str): ``"serial"`` steps them one after another; ``"mujoco"`` and ``"classic"``
            step known tasks as a batch; ``"async"`` steps them in other processes; ``"auto"`` is
            the fastest of the first three that can.
        threads (int): for MuJoCo's simulations.
        workers (int): processes, with ``"async"``.
        timeout (float): seconds to wait for one of them.

    Raises:
        ValueError: if ``backend`` is none of these, or cannot step this environment.
    """
    if backend not in BACKENDS:
        expected = ", ".join(map(repr, BACKENDS))
        raise ValueError(f"env.backend: got {backend!r}; expected one of {expected}")
    if threads < 1:
        raise ValueError(f"env.threads: got {threads!r}; expected at least 1")
    if backend == "async":
        from lagom.envs.async_env import AsyncVecEnv

        return AsyncVecEnv([make_env] * num_env, seeds, workers=workers, timeout=timeout)
    first = make_env()
    if _is_for("classic", backend, classic.find_task(first), num_env):
        return ClassicVecEnv(make_env, num_env, seeds, template=first)
    if _is_for("mujoco", backend, _find_mujoco_task(first), num_env):
        from lagom.envs.mujoco import MujocoVecEnv

        return MujocoVecEnv(make_env, num_env, seeds, threads=threads, template=first)
    if backend in ("auto", "serial"):
        return VecEnv([lambda: first, *[make_env] * (num_env - 1)], seeds=seeds)
    families = {"classic": "classic control", "mujoco": "MuJoCo tasks (v2, v4, v5)"}
    raise ValueError(
        f"env.backend: {backend!r} cannot step {first}; expected one of Gymnasium's "
        f"{families[backend]} without other wrappers; use env.backend=auto"
    )


def _is_for(name, backend, task, num_env):
    """Whether the batch called ``name`` is to step environments of ``task``, if there is one."""
    pays = task is not None and num_env >= task.pays_from
    return pays if backend == "auto" else task is not None and backend == name


def _find_mujoco_task(env):
    core = env_state.layers(env)[-1]
    if "mujoco" not in type(core).__module__:
        return None  # known without loading MuJoCo
    from lagom.envs.mujoco import find_task

    return find_task(env)
