"""A job: one configuration, one seed, one folder."""

import math
from contextlib import closing
from itertools import count
from time import perf_counter

import numpy as np

from lagom.experiment.checkpoint import read_checkpoint, remove_old, write_checkpoint
from lagom.experiment.guard import Stopped, report, stop_signals
from lagom.experiment.logs import JobLogs
from lagom.experiment.row_files import RowFiles
from lagom.utils import (
    Seeder,
    import_from_here,
    load_random_state,
    random_state,
    set_global_seeds,
    set_num_threads,
    undisturbed_random_state,
)


def run(config, seed, device, logdir):
    """Build what ``config`` names, train until the budget is spent, leave everything in ``logdir``.

    A checkpoint in ``logdir`` is continued.

    Raises:
        FloatingPointError: a reward, an observation or a metric is not finite.
        Stopped: a signal asked for it; a checkpoint was written.
    """
    from lagom.envs import make_envs
    from lagom.experiment.policy import write_policy

    set_num_threads(config["threads"])
    set_global_seeds(seed)
    env, eval_env = make_envs(config, seed)
    agent = resolve(config, "algo.agent")(config, env, device)
    engine = resolve(config, "algo.engine")(config, agent=agent, env=env, eval_env=eval_env)
    if hasattr(engine, "replay"):
        once = ", each frame kept once" if getattr(engine.replay, "stack", 1) > 1 else ""
        print(f"replay buffer: at most {engine.replay.nbytes / 1e6:.0f} MB{once}")
    logs, first, restart_seeds = JobLogs(logdir), 1, Seeder(seed ^ 1)

    row_files = RowFiles(logdir / "checkpoints" / "rows")
    state, complaints = read_checkpoint(logdir / "checkpoints", row_files)
    for complaint in complaints:
        print(f"checkpoint passed over: {complaint}")
    if state is not None:
        first = state["iteration"] + 1
        engine.load_state_dict(state["engine"])
        logs.load_state_dict(state["logs"])
        restart_seeds.load_state_dict(state["restart_seeds"])
        print(f"resumed at timestep {engine.timestep}")
        report(logdir, force=True, resumed=engine.timestep)

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
        write_checkpoint(logdir / "checkpoints", engine.timestep, state, keep, row_files)

    def restart():
        if not env.can_capture:  # the uninterrupted run begins new episodes here too
            engine.restart(restart_seeds()[0])

    budget = config["train.timestep"]
    if state is not None:
        load_random_state(state["random"])
        if engine.timestep < budget:
            restart()
    with closing(env), closing(eval_env), logs, stop_signals() as asked:
        for n in count(first):
            if engine.timestep >= budget:
                break
            before = engine.timestep
            row = engine.train(n)
            logs.write("train", row)
            _refuse_nonfinite(row)
            done = engine.timestep >= budget
            eval_seconds = 0.0
            if done or _crossed(before, engine.timestep, config["eval.every"]):
                with undisturbed_random_state():  # with evaluations or without: the same training
                    evaluation = engine.eval(n)
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
                if not env.can_capture:
                    print(
                        f"stopped at timestep {engine.timestep}, between scheduled checkpoints: "
                        "resuming begins new episodes here, an uninterrupted run does not"
                    )
            if asked and not done:
                raise Stopped(asked[0])
    # A killed process may have written the last checkpoint, and not come to this.
    remove_old(logdir / "checkpoints", config["checkpoint.keep"], row_files)
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


def pace(config, seconds=2.0):
    """How long training takes: a little of it, without a trace.

    Args:
        config (dict): flat configuration.
        seconds (float): how long to train for the estimate, after a first iteration that warms up.

    Returns:
        tuple: seconds for an environment step in training, and for one evaluation.
    """
    from lagom.envs import make_envs

    set_num_threads(config["threads"])
    set_global_seeds(0)
    env, eval_env = make_envs(config, 0)
    agent = resolve(config, "algo.agent")(config, env, config["device"])
    engine = resolve(config, "algo.engine")(config, agent=agent, env=env, eval_env=eval_env)
    with closing(env), closing(eval_env):
        engine.train(1)
        timestep, start = engine.timestep, perf_counter()
        for n in count(2):
            engine.train(n)
            trained = perf_counter() - start
            if trained > seconds:
                break
        return trained / (engine.timestep - timestep), engine.eval(n)["eval_seconds"]


def resolve(config, key):
    """The class that ``config[key]``, ``package.module:Class``, names.

    The module may be the user's own, in the working directory.

    Raises:
        ValueError: it cannot be imported.
    """
    module, _, name = str(config[key]).partition(":")
    try:
        return getattr(import_from_here(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{key}: cannot import {config[key]!r} ({error}); expected 'package.module:Class'"
        ) from None


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
