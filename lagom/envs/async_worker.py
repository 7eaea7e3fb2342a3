"""What a worker process of ``AsyncVecEnv`` does: it steps its share of the environments."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.reduction import recv_handle

from lagom.envs.shared import attach
from lagom.envs.vec_env import VecEnv
from lagom.utils import nested
from lagom.utils.process import pack_failure

CLOSE, STEP = b"", b"s"  # messages; all others are pickles, which begin with 0x80
PLACE = [((2,), "int64")]  # number of the sub-environment at work, how often this has changed
_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


def main(conn, first, parent):
    """Serve one end of a pipe until told to close.

    Args:
        conn (Connection): brings pickled ``(method, *arguments)``, takes an answer to each.
        first (int): number of this worker's first sub-environment.
        parent (int): id of the process whose main thread started this one; the kernel then kills
            this one with it.  0 if another thread did, which may end before its process.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        # The parent decides when to stop.  Not SIG_IGN, which programs started here would inherit.
        signal.signal(number, lambda *_: None)
    orphaned = lambda: (multiprocessing.parent_process().join(), os._exit(1))
    threading.Thread(target=orphaned, daemon=True).start()
    if parent and sys.platform.startswith("linux"):  # a simulator may keep that thread waiting
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    with suppress(EOFError, OSError), conn:
        worker = _Worker(conn, first)
        conn.send_bytes(b"")
        while (message := conn.recv_bytes()) != CLOSE:
            conn.send_bytes(worker.answer(message))
        worker.close()


class _Worker:
    def __init__(self, conn, first):
        self.conn, self.first = conn, first
        (self.place,) = attach(recv_handle(conn), PLACE)
        self.env = None

    def answer(self, message):
        try:
            if message == STEP:
                value = self.step(self.actions.copy())
            else:
                method, *arguments = pickle.loads(message)
                value = getattr(self, method)(*arguments)
            return b"" if value is None else _dumps((True, value))
        except Exception as error:
            return pack_failure(error)

    def make(self, makers, seeds):
        """Make the environments; return what the parent has to know of them."""
        makers = [_note_then_make(self.place, self.first + k, m) for k, m in enumerate(makers)]
        self.env = env = VecEnv(makers, seeds)
        env.envs = _Noting(env.envs)
        env.envs.place, env.envs.first = self.place, self.first
        space = env.single_action_space
        facts = {
            "spec": env.spec,
            "render_mode": env.render_mode,
            "metadata": env.metadata,
            "single_action_space": space,
            "single_observation_space": env.single_observation_space,
            # Of a class, and so of all its environments, in VecEnv.
            "one_action_space": any(
                space is vars(kind).get("action_space") for kind in type(env[0].unwrapped).__mro__
            ),
            "can_capture": env.can_capture,
            "name": type(env[0].unwrapped).__name__,
        }
        return sys.path, _dumps(facts)  # modules found here must be found there

    def share(self, layout):
        """Get the memory through which steps go."""
        rows = slice(self.first, self.first + self.env.num_envs)
        arrays = [array[rows] for array in attach(recv_handle(self.conn), layout)]
        self.actions, self.rewards, self.terminated, self.truncated, *self.observations = arrays

    def reset(self, seeds, options):
        observations, info = self.env.reset(seed=seeds, options=options)
        self._write(observations)
        return info["row_infos"]

    def reset_row(self, b, seed, options):
        """Begin an episode in sub-environment ``b``; ``None`` is another worker's."""
        if b is None:
            return None
        _note(self.place, b)
        obs, row_info = self.env.reset_row(b - self.first, seed=seed, options=options)
        for array, leaf in zip(self.observations, nested.flat(obs), strict=True):
            array[b - self.first] = leaf
        return row_info

    def step(self, actions):
        observations, self.rewards[:], self.terminated[:], self.truncated[:], info = self.env.step(
            actions
        )
        self._write(observations)
        return None if info == {"row_infos": [{}] * self.env.num_envs} else info

    def _write(self, observations):
        for array, leaf in zip(self.observations, nested.flat(observations), strict=True):
            array[:] = leaf

    def get_images(self):
        return self.env.get_images()

    def state_dict(self):
        return self.env.state_dict()["envs"]

    def load_state_dict(self, envs):
        self.env.load_state_dict({"envs": envs, "action_space": {}, "first_seeds": []})

    def close(self):
        if self.env is not None:
            self.env.close()


class _Noting(list):
    """Environments; whoever goes through them leaves word where he is, for the parent to read."""

    def __iter__(self):
        for k, env in enumerate(super().__iter__()):
            _note(self.place, self.first + k)
            yield env


def _note(place, b):
    place[0] = b
    place[1] += 1


def _note_then_make(place, b, maker):
    def make():
        _note(place, b)
        return pickle.loads(maker)()

    return make


def _dumps(answer):
    try:
        return pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
    except Exception:  # a lambda, or a class of a script
        import cloudpickle

        return cloudpickle.dumps(answer)
