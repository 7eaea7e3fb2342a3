"""Checks of how an environment lives: seeds, episodes, clocks, processes, states, pictures."""

import random
from itertools import islice
from time import perf_counter

import numpy as np

from lagom.envs import state as env_state
from lagom.envs.async_env import AsyncVecEnv
from lagom.envs.check_api import NUM_STEP, Failed, action_space, walk
from lagom.envs.vec_env import VecEnv
from lagom.utils import nested

_SPEED_SECONDS = 1.0
_MAX_STEP = 20_000  # steps that an episode may take to end by itself
_MAX_SECONDS = 10.0
_SUSPICIOUS = 10  # steps; shorter tasks may well have one length
_SLOW_STEP = 500e-6  # seconds; measured: processes pay from here on


class Noted(Exception):
    """Nothing is wrong, but there is something to know: what, and what follows."""

    def __init__(self, detail, advice):
        super().__init__(detail)
        self.detail, self.advice = detail, advice


def seeding(make):
    """The same seed gives the same numbers, in two environments and after other episodes."""
    a, b = _steps(make(), 1), _steps(make(), 1)
    place = _first_difference(a, b)
    if place is not None:
        raise Failed(
            f"two environments with seed 1 and the same actions differ at {place}",
            "draw from self.np_random only, which super().reset(seed=seed) seeds",
        )
    env = make()
    _steps(env, 2)
    place = _first_difference(a, _steps(env, 1))
    if place is not None:
        raise Failed(
            f"reset(seed=1) after other episodes begins something else: they differ at {place}",
            "let reset set everything that step changes",
        )
    if _first_difference(a, _steps(make(), 2)) is None:
        raise Noted("seeds make no difference", "fine for a deterministic environment")
    return f"equal over {NUM_STEP} steps"


def randomness(make):
    """The global random streams of NumPy and Python are left alone."""
    env, python = make(), random.getstate()
    numpy = np.random.get_state(legacy=False)["state"]  # noqa: NPY002
    _steps(env, 1)
    after = np.random.get_state(legacy=False)["state"]  # noqa: NPY002
    touched = ["random"] * (random.getstate() != python)
    if after["pos"] != numpy["pos"] or (after["key"] != numpy["key"]).any():
        touched.append("np.random")
    if touched:
        raise Failed(
            f"it draws from the global stream of {' and '.join(touched)}",
            "draw from self.np_random: other code moves the global streams, too",
        )
    return "of its own"


def independence(make):
    """Two environments side by side do not disturb each other."""
    alone, a, b = _steps(make(), 1), [], make()
    others = walk(b, 7, policy_seed=7)
    for taken in islice(walk(make(), 1), NUM_STEP):
        a.append(taken)
        next(others)
    place = _first_difference(alone, a)
    if place is not None:
        raise Failed(
            f"it goes on differently while another one is stepped: they differ at {place}",
            "keep state in self, not in the class or the module",
        )
    return "two side by side"


def episodes(make):
    """Episodes end, and those that a clock ends are truncated, not terminated."""
    env, ends, start, num_step, length = make(), [], perf_counter(), 0, 0
    for k in range(4):
        steps = walk(env, k, policy_seed=k)
        for length, (_, out) in enumerate(steps):
            if length and (out[2] or out[3]):
                ends.append((length, bool(out[2]), bool(out[3])))
                break
            if length >= _MAX_STEP or perf_counter() - start > _MAX_SECONDS:
                break
        num_step += length
    limit = env.spec.max_episode_steps if env.spec else None
    if not ends and limit is None:
        raise Failed(
            f"no episode ended in {num_step} steps, and there is no time limit",
            "register it with max_episode_steps=..., or give env.kwargs.max_episode_steps=1000",
        )
    if not ends:
        raise Noted(f"none ended in {num_step} steps; time limit {limit}", "nothing to do")
    lengths = sorted({length for length, *_ in ends})
    clock = len(ends) > 2 and len(lengths) == 1 and lengths[0] >= _SUSPICIOUS
    if clock and all(terminated for _, terminated, _ in ends):
        raise Failed(
            f"every episode is terminated after exactly {lengths[0]} steps",
            "if that is a clock, return truncated=True, or leave it to max_episode_steps: "
            "values are cut off at terminated states",
        )
    num = sum(terminated for _, terminated, _ in ends)
    text = f"{lengths[0]} steps" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]} steps"
    return f"{text}; {num} terminated, {len(ends) - num} truncated of {len(ends)}"


def autoreset(make):
    """In ``VecEnv`` episodes follow each other, and the last observation is handed over."""
    env, ends, start = VecEnv([make] * 2, seeds=[1, 2]), 0, perf_counter()
    actions = [action_space(env[0], b) for b in range(2)]
    env.reset()
    for _ in range(_MAX_STEP):
        *_, info = env.step([space.sample() for space in actions])
        ends += "final_obs" in info
        if ends == 3 or perf_counter() - start > _MAX_SECONDS:
            break
    env.close()
    if not ends:
        raise Noted("no episode ended in time", "nothing to do")
    return f"{ends} ends"


def travel(make):
    """A worker process makes the same environment, as ``env.backend=async`` needs."""
    here, numbers = VecEnv([make], seeds=[1]), []
    with AsyncVecEnv([make], seeds=[1], workers=1, timeout=60.0) as there:
        space = action_space(here[0], 0)
        numbers += [here.reset()[0], there.reset()[0]]
        for _ in range(20):
            action = [space.sample()]
            for env in (here, there):
                observations, rewards, *_ = env.step(action)
                numbers.append({"o": observations, "r": rewards})
    here.close()
    if not all(_equal(a, b) for a, b in zip(numbers[::2], numbers[1::2], strict=True)):
        raise Failed(
            "in another process the same seed and actions give other numbers",
            "let nothing depend on the process: its id, the time, hash() of a string, a global",
        )
    return "the same in another process"


def capture(make):
    """The state can be saved and restored exactly, if lagom knows how."""
    env = make()
    if not env_state.can_capture(env):
        raise Noted(
            "lagom does not know its state",
            "a run with checkpoints begins new, seeded episodes at each, resumed or not",
        )
    actions = action_space(env, 0)
    env.reset(seed=1)
    for _ in range(5):
        if any(env.step(actions.sample())[2:4]):
            env.reset()
    other = make()
    env_state.restore(other, env_state.capture(env))
    for _ in range(50):
        action = actions.sample()
        a, b = env.step(action), other.step(action)
        if not (_equal(a[0], b[0]) and a[1:4] == b[1:4]):
            raise Failed("restored from its state, it goes on differently", "report it to lagom")
        if a[2] or a[3]:
            break
    return "exact"


def speed(make):
    """How many steps a second a random policy takes."""
    env = make()
    steps, num = walk(env, 0), 0
    next(steps)
    start = perf_counter()
    while (seconds := perf_counter() - start) < _SPEED_SECONDS:
        next(steps)
        num += 1
    if num and seconds / num > _SLOW_STEP:
        raise Noted(
            f"{num / seconds:.0f} steps/s, {1e3 * seconds / num:.1f} ms each",
            "slow: env.backend=async may pay",
        )
    return f"{num / seconds:.0f} steps/s"


def rendering(make):
    """``render`` gives pictures ``[H, W, 3]`` uint8."""
    try:
        env = make(render_mode="rgb_array")
    except ValueError as error:
        raise Failed(f"{error}", "take render_mode in the constructor") from error
    env.reset(seed=0)
    picture = env.render()
    env.close()
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[-1] != 3:
        found = f"{array.dtype} of shape {array.shape}" if array.ndim else repr(picture)
        raise Failed(f"render returned {found}", "return an array [height, width, 3] of np.uint8")
    return f"{array.shape[1]} x {array.shape[0]} pixels"


def close(make):
    """``close`` may be called, also twice and before the first reset."""
    env = make()
    env.close()
    env.close()
    return "twice"


def _steps(env, seed):
    return list(islice(walk(env, seed), NUM_STEP))


def _first_difference(a, b):
    """Where two walks part, in words; ``None`` if they do not."""
    for k, ((_, x), (_, y)) in enumerate(zip(a, b, strict=True)):
        for name, left, right in zip(("observation", "reward"), x, y, strict=False):
            if len(x) == 2 and name == "reward":  # of a reset: the info
                continue
            if not _equal(left, right):
                return f"the {name} of {'the reset' if k == 0 else f'step {k}'}"
        if len(x) != len(y) or (len(x) == 5 and x[2:4] != y[2:4]):
            return f"the end of an episode at step {k}"
    return None


def _equal(a, b):
    flat = nested.flat(a), nested.flat(b)
    return len(flat[0]) == len(flat[1]) and all(map(np.array_equal, *flat))


NAMES = (
    *("seeding", "randomness", "independence", "episodes", "autoreset", "travel", "capture"),
    *("speed", "close"),
)
