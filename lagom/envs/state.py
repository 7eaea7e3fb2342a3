"""The exact state of one environment, as plain numbers and arrays.

Known are Gymnasium's classic control and MuJoCo tasks and lagom's own, in the wrappers that
``gymnasium.make`` adds; for others nothing is guessed.
"""

import gymnasium
import numpy as np
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from lagom.envs.masked import MaskObservation

# What changes from step to step; None is left out and comes back as None.
_WRAPPERS = {
    OrderEnforcing: ("_has_reset",),
    PassiveEnvChecker: (),
    MaskObservation: (),
    TimeLimit: ("_elapsed_steps",),
}
_CLASSIC = {
    "acrobot:AcrobotEnv": ("state",),
    "cartpole:CartPoleEnv": ("state", "steps_beyond_terminated"),
    "continuous_mountain_car:Continuous_MountainCarEnv": ("state",),
    "mountain_car:MountainCarEnv": ("state",),
    "pendulum:PendulumEnv": ("state", "last_u"),
}


def can_capture(env) -> bool:
    """Whether :func:`capture` knows this environment and all its wrappers."""
    *wrappers, core = layers(env)
    known_core = _attributes(core) is not None or _is_mujoco(core)
    return known_core and all(type(wrapper) in _WRAPPERS for wrapper in wrappers)


def capture(env) -> dict:
    """Return all that decides how ``env`` goes on: nested dict of numbers, strings and arrays.

    Args:
        env (Env): a Gymnasium environment.

    Raises:
        NotImplementedError: if the environment, or one of its wrappers, is not a known one.
    """
    if not can_capture(env):
        raise NotImplementedError(
            f"capture: the state of {env} cannot be saved; expected Gymnasium's classic control or "
            "MuJoCo in the wrappers of gymnasium.make"
        )
    *wrappers, core = layers(env)
    state = {
        "id": name(core),
        "wrappers": [name(wrapper) for wrapper in wrappers],
        "counters": [_get(wrapper, _WRAPPERS[type(wrapper)]) for wrapper in wrappers],
        "action_space": capture_rng(env.action_space),
        "core": _get(core, _attributes(core) or ()),
    }
    if core._np_random is not None:
        state["np_random"] = core.np_random.bit_generator.state
        state["np_random_seed"] = core.np_random_seed
    if _is_mujoco(core):
        state["physics"] = _get_physics(core)
    return state


def restore(env, state: dict) -> None:
    """Make ``env`` go on exactly where ``state`` was captured.

    Args:
        env (Env): made in the same way as the captured one; it need not have been reset.
        state (dict): what :func:`capture` returned.

    Raises:
        ValueError: if the state is of another environment.
    """
    *wrappers, core = layers(env)
    names = [name(layer) for layer in (*wrappers, core)]
    if [*state["wrappers"], state["id"]] != names:
        raise ValueError(
            f"restore: the state is of {state['id']} in {state['wrappers']}; "
            f"expected {names[-1]} in {names[:-1]}"
        )
    for wrapper, values in zip(wrappers, state["counters"], strict=True):
        _set(wrapper, _WRAPPERS[type(wrapper)], values)
        if type(wrapper) is PassiveEnvChecker:
            # It compares first steps with what a reset returned, which is not there any more.
            wrapper.checked_reset = wrapper.checked_step = wrapper.checked_data_reuse = True
    restore_rng(env.action_space, state["action_space"])
    _set(core, _attributes(core) or (), state["core"])
    if "np_random" in state:
        core.np_random = np.random.Generator(np.random.PCG64(0))
        core.np_random.bit_generator.state = state["np_random"]
        core._np_random_seed = state["np_random_seed"]
    if "physics" in state:
        _set_physics(core, state["physics"])


def capture_rng(space) -> dict:
    """Return the state of the generator a space samples with; empty if it never had one."""
    return {} if space._np_random is None else space.np_random.bit_generator.state


def restore_rng(space, state: dict) -> None:
    """Let a space sample on from ``state``."""
    if state:
        space.np_random.bit_generator.state = state


def layers(env):
    """Return the wrappers from outside in, then the environment itself."""
    layers = [env]
    while isinstance(layers[-1], gymnasium.Wrapper):
        layers.append(layers[-1].env)
    return layers


def name(core):
    """Return ``module:Class``, which tables are keyed by."""
    return f"{type(core).__module__}:{type(core).__qualname__}"


def _attributes(core):
    """What ``step`` of a classic control task reads; ``None`` for anything else."""
    return _CLASSIC.get(name(core).removeprefix("gymnasium.envs.classic_control."))


def _is_mujoco(core):
    module = type(core).__module__
    return module.startswith("gymnasium.envs.mujoco.") or module == "lagom.envs.mujoco_v2"


def _get(thing, names):
    values = {name: getattr(thing, name, None) for name in names}
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _set(thing, names, values):
    for name in names:
        value = values.get(name)
        setattr(thing, name, value.copy() if isinstance(value, np.ndarray) else value)


def _plain(value):
    """A number as it is, anything of NumPy's (or a tuple) as a fresh array of its dtype."""
    return value if type(value) in (bool, int, float) else np.array(value)


def _get_physics(core):
    import mujoco

    kind = mujoco.mjtState.mjSTATE_INTEGRATION
    integration = np.empty(mujoco.mj_stateSize(core.model, kind))
    mujoco.mj_getState(core.model, core.data, integration, kind)
    # Positions of bodies lag one sub-step behind the state, and rewards are computed from them.
    data = core.data
    return {"integration": integration, "xpos": data.xpos.copy(), "xipos": data.xipos.copy()}


def _set_physics(core, physics):
    import mujoco

    kind = mujoco.mjtState.mjSTATE_INTEGRATION
    mujoco.mj_setState(core.model, core.data, physics["integration"], kind)
    core.data.xpos[:], core.data.xipos[:] = physics["xpos"], physics["xipos"]
