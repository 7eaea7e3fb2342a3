"""Many simulations of one MuJoCo model, as arrays ``[B, ...]``.

Two classes with one interface.  :class:`Batch` is ``mujoco.batch``, the faster.  It cannot call
``mj_rnePostConstraint`` after a step, which Gymnasium does to know contact forces, so tasks that
read these use :class:`Loop`, as does everything where MuJoCo is older than 3.17.  Both give the
numbers of Gymnasium's ``MujocoEnv``, whatever the number of threads.

Fields other than ``qpos`` and ``qvel`` stand one sub-step behind them, as everywhere in MuJoCo.
"""

from concurrent.futures import ThreadPoolExecutor

import mujoco
import numpy as np

_INTEGRATION = mujoco.mjtState.mjSTATE_INTEGRATION
# What a step reads and may change; the rest of the state is constant without plugins and mocap.
_STATE = ("time", "qpos", "qvel", "act", "qacc_warmstart", "ctrl")


class Batch:
    """Simulations that share the ``MjData`` of a thread, in C++.

    Args:
        model (MjModel): of all of them.
        num (int): ``B``.
        fields (tuple): names of ``MjData`` fields, float64 arrays ``[B, ...]``, which become
            attributes.
        num_substep (int): of one step.
        threads (int): that share the work.

    Attributes:
        qpos (ndarray): ``[B, nq]``; written by the next step.
        qvel (ndarray): ``[B, nv]``; likewise.

    Raises:
        ImportError: if MuJoCo is older than 3.17.
    """

    def __init__(self, model, num, fields, num_substep, threads=1):
        from mujoco.batch import Batch as MujocoBatch

        self._batch = MujocoBatch(model, num, nthread=threads)
        data = mujoco.MjData(model)
        self._state = [name for name in _STATE if np.size(getattr(data, name))]
        self._bound = {name: self._batch.bind(name) for name in {*self._state, *fields}}
        self._fields = [name for name in fields if name not in self._state]
        for name in ("qpos", "qvel"):
            setattr(self, name, self._bound[name])
        for name in self._fields:  # copies: those of the batch are read-only
            setattr(self, name, np.zeros_like(self._bound[name]))
        self._ctrl, self._num_substep = self._bound["ctrl"], num_substep

    def step(self, ctrl, rows=None):
        """Advance simulations, all or ``rows`` of them, with controls ``[B, nu]``."""
        self._ctrl[:] = ctrl
        self._batch.step(rows, nstep=self._num_substep)
        for name in self._fields:
            np.copyto(getattr(self, name), self._bound[name])

    def load(self, b, data):
        """Bring simulation ``b`` where the ``MjData`` stands."""
        for name in self._state:
            self._bound[name][b] = getattr(data, name)
        for name in self._fields:
            getattr(self, name)[b] = getattr(data, name)

    def dump(self, b, data):
        """Bring the ``MjData`` where simulation ``b`` stands: its state, and the fields."""
        for name in self._state:
            value = self._bound[name][b]
            setattr(data, name, value.item() if name == "time" else value)
        for name in self._fields:
            getattr(data, name)[:] = getattr(self, name)[b]


class Loop:
    """Simulations with an ``MjData`` each, stepped in turn, contact forces included.

    Arguments and attributes are those of :class:`Batch`.  Threads are Python's; MuJoCo lets others
    run while it computes.
    """

    def __init__(self, model, num, fields, num_substep, threads=1):
        self._model, self._num_substep = model, num_substep
        self._datas = [mujoco.MjData(model) for _ in range(num)]
        self._fields = list(dict.fromkeys(("qpos", "qvel", *fields)))
        self._rows, self._flat = {}, {}
        for name in self._fields:
            # Arrays over the simulator's own memory, looked up once.
            self._rows[name] = [getattr(data, name) for data in self._datas]
            array = np.array(self._rows[name])  # [B, ...]
            setattr(self, name, array)
            self._flat[name] = array.reshape(-1, *array.shape[2:])
        self._ctrls = [data.ctrl for data in self._datas]
        self._chunks = _dealt(range(num), min(threads, num))
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def step(self, ctrl, rows=None):
        """Advance simulations, all or ``rows`` of them, with controls ``[B, nu]``."""
        chunks = self._chunks if rows is None else _dealt(rows.tolist(), len(self._chunks))
        if self._pool is None:
            self._advance(chunks[0], ctrl)
        else:
            list(self._pool.map(self._advance, chunks, [ctrl] * len(chunks)))
        for name, flat in self._flat.items():
            np.concatenate(self._rows[name], out=flat)

    def _advance(self, chunk, ctrl):
        model, num_substep = self._model, self._num_substep
        for b in chunk:
            data = self._datas[b]
            self._ctrls[b][:] = ctrl[b]
            mujoco.mj_step(model, data, nstep=num_substep)
            mujoco.mj_rnePostConstraint(model, data)

    def load(self, b, data):
        """Bring simulation ``b`` where the ``MjData`` stands."""
        _copy_state(self._model, data, self._datas[b])
        for name in self._fields:
            getattr(self, name)[b] = getattr(data, name)

    def dump(self, b, data):
        """Bring the ``MjData`` where simulation ``b`` stands: its state, and the fields."""
        _copy_state(self._model, self._datas[b], data)
        for name in self._fields:
            getattr(data, name)[:] = getattr(self, name)[b]


def _dealt(rows, num):
    return [rows[i::num] for i in range(num)]


def _copy_state(model, source, target):
    state = np.empty(mujoco.mj_stateSize(model, _INTEGRATION))
    mujoco.mj_getState(model, source, state, _INTEGRATION)
    mujoco.mj_setState(model, target, state, _INTEGRATION)
