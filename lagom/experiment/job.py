"""A job: one configuration, one seed, one folder.

:func:`run` trains; :func:`execute` runs any such function under guard, so that whatever happens is
in the folder's ``status.json`` and ``job.log``, and reaches nobody else.
"""

import hashlib
import math
import os
import random
import signal
import sys
import time
import traceback
import warnings
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib import metadata
from itertools import count
from pathlib import Path
from pkgutil import resolve_name

import numpy as np

from lagom.experiment import storage
from lagom.logger import Logger

_STATUS_SECONDS = 0.5  # between two updates of status.json while a job runs


class Stopped(Exception):
    """The job was asked to stop, and has saved its state."""


def run(config, seed, device, logdir):
    """Build what ``config`` names, train until the budget is spent, leave everything in ``logdir``.

    A checkpoint in ``logdir`` is continued.

    Raises:
        FloatingPointError: a reward, an observation or a metric is not finite.
        Stopped: a signal asked for it; a checkpoint was written.
    """
    import torch

    from lagom.envs import make_envs
    from lagom.experiment.policy import write_policy
    from lagom.utils import Seeder, set_global_seeds

    torch.set_num_threads(config["threads"])
    set_global_seeds(seed)
    env, eval_env = make_envs(config, seed)
    agent = resolve(config, "algo.agent")(config, env, device)
    engine = resolve(config, "algo.engine")(config, agent=agent, env=env, eval_env=eval_env)
    logs, first, restart_seeds = _Logs(logdir), 1, Seeder(seed + 1)

    state, complaints = storage.read_checkpoint(logdir / "checkpoints")
    for complaint in complaints:
        print(f"checkpoint passed over: {complaint}")
    if state is not None:
        first = state["iteration"] + 1
        engine.load_state_dict(state["engine"])
        logs.load_state_dict(state["logs"])
        restart_seeds.load_state_dict(state["restart_seeds"])
        print(f"resumed at timestep {engine.timestep}")

    def save(n):
        logs.save()
        state = {
            "iteration": n,
            "engine": engine.state_dict(),
            "logs": logs.state_dict(),
            "restart_seeds": restart_seeds.state_dict(),
            "random": random_state(),
        }
        keep = config["checkpoint.keep"]
        storage.write_checkpoint(logdir / "checkpoints", engine.timestep, state, keep)

    def restart():
        if not env.can_capture:  # the uninterrupted run begins new episodes here too
            engine.restart(restart_seeds()[0])

    budget = config["train.timestep"]
    if state is not None:
        load_random_state(state["random"])
        if engine.timestep < budget:
            restart()
    with closing(env), closing(eval_env), logs, _stop_signals() as asked:
        for n in count(first):
            if engine.timestep >= budget:
                break
            before = engine.timestep
            row = engine.train(n)
            _refuse_nonfinite(row)
            logs.write("train", row)
            done = engine.timestep >= budget
            eval_seconds = 0.0
            if done or _crossed(before, engine.timestep, config["eval.every"]):
                undisturbed = random_state()
                evaluation = engine.eval(n)
                load_random_state(undisturbed)  # with evaluations or without: the same training
                eval_seconds = evaluation["eval_seconds"]
                logs.write("eval", evaluation)
            logs.write_timing(row, engine.timestep - before, eval_seconds)
            report(logdir, timestep=engine.timestep, **logs.latest())
            if done or _crossed(before, engine.timestep, config["checkpoint.every"]):
                save(n)
                if not done:
                    restart()
            elif asked:
                save(n)
            if asked and not done:
                raise Stopped(asked[0])
    write_policy(logdir / "policy", config, agent, env)
    report(logdir, force=True, timestep=engine.timestep, **logs.latest())


def probe(config):
    """Build and reset what ``config`` names, without training.

    Raises:
        Exception: whatever is wrong with the environment, or does not fit the algorithm.
    """
    import torch

    from lagom.envs import make_envs

    if torch.device(config["device"]).type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device: {config['device']} is not available here; use device=cpu")
    env, eval_env = make_envs(config, 0)
    agent = resolve(config, "algo.agent")(config, env, config["device"])
    resolve(config, "algo.engine")(config, agent=agent, env=env, eval_env=eval_env)
    obs, _ = env.reset()
    env.step(agent.choose_action(obs)["action"])
    env.close()
    eval_env.close()


def resolve(config, key):
    """The class that ``config[key]``, ``package.module:Class``, names.

    Raises:
        ValueError: it cannot be imported.
    """
    try:
        return resolve_name(config[key])
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{key}: cannot import {config[key]!r} ({error}); expected 'package.module:Class'"
        ) from None


# The guard ----------------------------------------------------------------------------------------


def execute(run, config, seed, device, logdir, redirect=False):
    """Call ``run`` with its folder locked, its status kept and its failures caught.

    Args:
        run (callable): ``run(config, seed, device, logdir)``.
        config (dict): flat configuration.
        seed (int): seed of the job.
        device (torch.device or str): where to compute.
        logdir (Path): the job's folder; made if missing.
        redirect (bool): send this process's output to ``job.log``.

    Returns:
        tuple: the status (``done``, ``failed``, ``diverged`` or ``stopped``), and what ``run``
        returned, or the exception.
    """
    logdir = Path(logdir)
    logdir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(storage.lock(logdir))
        storage.remove_leftovers(logdir)
        log = stack.enter_context(open(logdir / "job.log", "a", buffering=1))
        if redirect:
            sys.stdout.flush()
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("default")
        status = {
            "status": "running",
            "timestep": 0,
            "budget": config.get("train.timestep"),
            "started": time.time(),
            "pid": os.getpid(),
            "host": os.uname().nodename,
            "error": None,
        }
        _reports[logdir] = [time.monotonic(), status]
        result = None
        try:
            storage.write_json(logdir / "fingerprint.json", fingerprint(config))
            report(logdir, force=True)
            result = run(config, seed, device, logdir)
            outcome = "done"
        except Stopped as stopped:
            outcome, result = "stopped", stopped
        except KeyboardInterrupt:
            outcome, result = "stopped", Stopped(signal.SIGINT)
        except FloatingPointError as error:
            outcome, result = "diverged", error
        except (Exception, SystemExit) as error:
            outcome, result = "failed", error
        if outcome in ("failed", "diverged"):
            log.write("".join(traceback.format_exception(result)))
            status["error"] = f"{type(result).__name__}: {result}"
            status["storage_full"] = isinstance(result, OSError) and storage.is_storage_full(result)
        status["status"] = outcome
        try:
            report(logdir, force=True)
        except OSError as error:  # not even the status could be written
            outcome, result = "failed", error
        del _reports[logdir]
    return outcome, result


_reports = {}  # logdir -> [when status.json was last written, its content]


def report(logdir, force=False, **fields):
    """Update ``status.json``, at most every half second unless forced."""
    entry = _reports.get(Path(logdir))
    if entry is None:  # run was called without a guard
        return
    entry[1].update(fields)
    if force or time.monotonic() - entry[0] > _STATUS_SECONDS:
        entry[0] = time.monotonic()
        storage.write_json(
            Path(logdir) / "status.json", {**entry[1], "updated": time.time()}, force
        )


@contextmanager
def _stop_signals():
    """A list that receives the signals that ask for a stop; the second of a kind acts at once."""
    asked, previous = [], {}

    def ask(number, frame):
        asked.append(number)
        signal.signal(number, previous[number])

    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            previous[number] = signal.signal(number, ask)
    except ValueError:  # not the main thread: whoever owns it decides
        yield asked
        return
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def fingerprint(config):
    """What the numbers of a job may depend on beside its configuration and seed."""
    names = ("lagom", "torch", "numpy", "scipy", "gymnasium", "mujoco", "cma")
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "sources": sources_digest(),
        "versions": {"python": sys.version.split()[0], **versions},
        "git": _git(),
        "machine": {
            "system": " ".join(os.uname()[:3:2]),
            "cpu": os.uname().machine,
            "cores": os.cpu_count(),
        },
        "threads": config.get("threads"),
    }


def sources_digest():
    """A digest of the source files of lagom and its algorithms."""
    import lagom.algorithms

    digest = hashlib.sha256()
    for root in (Path(lagom.__file__).parent, Path(lagom.algorithms.__file__).parent):
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _git():
    """Commit of the checkout that lagom runs from, and a digest of its uncommitted changes."""
    import subprocess

    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        run = lambda *words: (
            subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, timeout=10, check=True
            ).stdout
        )
        diff = run("diff", "HEAD")
        return {
            "commit": run("rev-parse", "HEAD").decode().strip(),
            "diff": hashlib.sha256(diff).hexdigest() if diff else None,
        }
    except (OSError, subprocess.SubprocessError):
        return None


# Random streams -----------------------------------------------------------------------------------


def random_state():
    """The state of the global generators of torch, NumPy and Python, as plain data."""
    import torch

    version, internal, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "numpy": np.random.get_state(legacy=False),  # noqa: NPY002
        "python": [version, np.array(internal, np.uint32), gauss],
    }


def load_random_state(state):
    """Restore what :func:`random_state` gave."""
    import torch

    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal.tolist()), gauss))


# Logs ---------------------------------------------------------------------------------------------


class _Logs:
    """The three logs of a job: a journal and a Logger each; open as a context manager."""

    names = ("train", "eval", "timing")

    def __init__(self, logdir):
        self.logdir = Path(logdir)
        self.loggers = {name: Logger() for name in self.names}
        self.journals = {}
        self.num_row = dict.fromkeys(self.names, 0)

    def __enter__(self):
        """Open the journals, cut back to the rows that the loggers hold."""
        for name in self.names:
            self.journals[name] = storage.Journal(
                self.logdir / f"{name}.journal", self.num_row[name]
            )
        return self

    def __exit__(self, kind, *exc):
        """Close the journals; after an exception, first bring the pickles up to date."""
        if kind is not None:
            with suppress(OSError):  # the exception matters more
                self.save()
        for journal in self.journals.values():
            journal.close()

    def write(self, name, row):
        """Append ``row`` without its wall-clock columns."""
        self._append(name, {k: v for k, v in row.items() if not k.endswith("_seconds")})

    def write_timing(self, row, num_step, eval_seconds):
        """Append the wall-clock columns of an iteration."""
        seconds = {k: v for k, v in row.items() if k.endswith("_seconds")}
        self._append(
            "timing",
            {
                "timestep": row["timestep"],
                **seconds,
                "eval_seconds": eval_seconds,
                "steps_per_second": num_step / max(sum(seconds.values()), 1e-9),
            },
        )

    def _append(self, name, row):
        row = {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
        logs = self.loggers[name].logs
        if logs and row.keys() != logs.keys():
            raise KeyError(
                f"{name} log: got columns {sorted(row)}; expected {sorted(logs)}; an engine "
                "returns the same keys at every iteration"
            )
        self.journals[name].append(row)
        for key, value in row.items():
            self.loggers[name](key, value)

    def latest(self):
        """The return to show while the job runs: of the last evaluation, else of training."""
        for name in ("eval", "train"):
            values = self.loggers[name].logs.get("return", [])
            if values and not math.isnan(values[-1]):
                return {"return": values[-1]}
        return {}

    def save(self):
        """Write the Logger pickles, and wait until the journals are on the disk."""
        for name, logger in self.loggers.items():
            logger.save(self.logdir / f"{name}_logs")
            self.journals[name].sync()

    def state_dict(self):
        """How many rows each log has; the rows themselves are in the journals."""
        return {name: journal.num_row for name, journal in self.journals.items()}

    def load_state_dict(self, state):
        """Read back as many rows as ``state`` says."""
        self.num_row = state
        for name, num_row in state.items():
            rows, _ = storage.read_journal(self.logdir / f"{name}.journal")
            for row in rows[:num_row]:
                for key, value in row.items():
                    self.loggers[name](key, value)


def _refuse_nonfinite(row):
    bad = [
        key
        for key, value in row.items()
        if isinstance(value, float | np.floating)
        and key not in ("return", "length")
        and not math.isfinite(value)
    ]
    if bad:
        raise FloatingPointError(
            f"iteration {row['iteration']}, timestep {row['timestep']}: {', '.join(bad)} not finite"
        )


def _crossed(before, now, every):
    """Whether a multiple of ``every`` lies in ``(before, now]``; 0 has none."""
    return every > 0 and now // every > before // every
