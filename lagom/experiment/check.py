"""An environment put to the test, or an algorithm in tiny ones whose best policy is known."""

import copy
import math

from lagom.experiment.job import resolve
from lagom.utils import load_random_state, random_state, set_global_seeds, set_num_threads

# What lets an algorithm learn the probes in seconds: applied where it has the key.
_SMALL = {
    **{"agent.gamma": 0.5, "agent.hidden_sizes": [32], "agent.batch_size": 64, "agent.lr": 0.01},
    **{"env.normalize_obs": False, "env.normalize_reward": False, "env.num_env": 8},
    **{"env.backend": "serial", "eval.episodes": 50, "train.num_step": 16},
    "train.timestep": 12000,
}
_SMALL_REPLAY = {
    **{"agent.tau": 0.2, "agent.batch_size": 32, "replay.n_step": 1, "replay.capacity": 10000},
    **{"agent.hidden_sizes": [16], "agent.critic_sizes": [16], "agent.num_quantile": 5},
    **{"train.warmup": 100, "train.num_step": 100, "train.timestep": 1000, "env.num_env": 1},
}
_SMALL_ES = {"es.episodes": 10, "es.popsize": 10, "train.timestep": 6000, "agent.hidden_sizes": []}
_CAPTURED = {"discrete": "CartPole-v1", "continuous": "Pendulum-v1"}  # their state can be saved


def check_env(id, kwargs, render):
    """What :func:`lagom.envs.check_env` returns, as plain tuples, which travel."""
    from lagom.envs import check_env

    return [tuple(result) for result in check_env(id, kwargs, render)]


def check_algo(config, changed=()):
    """Train ``config["algo.agent"]`` on each probe; compare what it earns with the best.

    Args:
        config (dict): flat configuration.
        changed (iterable): keys that keep their value, whatever would suit the probes.

    Returns:
        list: (name, outcome, detail, advice) of each probe, as
        :class:`~lagom.envs.check.Result` has them.
    """
    set_num_threads(config["threads"])
    small = dict(_SMALL)
    small |= _SMALL_REPLAY if "replay.capacity" in config else {}
    small |= _SMALL_ES if "es.strategy" in config else {}
    kept = {*changed}
    config = config | {k: v for k, v in small.items() if k in config and k not in kept}

    kinds, problems = [], {}
    for kind in ("discrete", "continuous"):
        try:
            _build(_on(config, "ConstantReward", kind))
            kinds.append(kind)
        except ValueError as error:  # as agents say that actions do not suit them
            problems[kind] = str(error).splitlines()[0]
        except Exception as error:  # anything else is a bug of the algorithm
            problems[kind] = f"{type(error).__name__}: {error}"
    rows = [
        ("make", "ok" if kinds else "failed", f"takes {' and '.join(kinds) or 'no'} actions", "")
    ]
    if not kinds:
        reason = "; ".join(f"{kind}: {text}" for kind, text in problems.items())
        return [(*rows[0][:2], reason, "see algorithms/ppo/agent.py for what an agent has")]
    for kind in kinds:
        rows += _probes(config, kind)
    return rows


def _probes(config, kind):
    """Rows of one kind of actions."""
    row = lambda name, function, *args: _row(f"{name}, {kind}", function, *args)
    on = lambda probe: _on(config, probe, kind)
    rows = [
        row("same seed", _same_seed, on("MatchDiscrete")),
        row("resume", _resume, config | {"env.id": _CAPTURED[kind], "env.kwargs": {}}),
        row("match", _earns, on("MatchDiscrete"), 0.95, 1.0),
        row("match later", _earns, on("MatchLater"), 0.95, 1.0),
    ]
    if kind == "continuous":
        rows.append(row("match numbers", _earns, on("MatchBox"), -0.01, 0.0))
    if "es.strategy" not in config:  # which look at returns, not at values
        rows.append(row("clock", _clock, on("Clock")))
    return rows


def _row(name, function, *args):
    try:
        outcome, detail, advice = function(*args)
    except Exception as error:  # whatever the algorithm does
        trace = error.__traceback__
        while trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}"
        return name, "failed", f"{type(error).__name__}: {error}", f"raised in {place}"
    return name, outcome, detail, advice


def _on(config, probe, kind):
    kwargs = {"continuous": True} if kind == "continuous" and probe != "MatchBox" else {}
    return config | {"env.id": f"lagom.envs.probes:{probe}-v0", "env.kwargs": kwargs}


def _build(config):
    from lagom.envs import make_envs

    set_global_seeds(0)
    env, eval_env = make_envs(config, 0)
    agent = resolve(config, "algo.agent")(config, env, config["device"])
    return resolve(config, "algo.engine")(config, agent=agent, env=env, eval_env=eval_env)


def _train(engine, num=None):
    """Rows of ``num`` iterations, or of all that the budget has; refuses what is not finite."""
    rows, budget = [], engine.config["train.timestep"]
    while engine.timestep < budget and len(rows) != num:
        rows.append(engine.train(len(rows) + 1))
        bad = [
            key
            for key, value in rows[-1].items()
            if isinstance(value, float) and not math.isfinite(value)
            if key not in ("return", "length")
        ]
        if bad:
            raise FloatingPointError(f"{', '.join(bad)} not finite at timestep {engine.timestep}")
    return rows


def _earns(config, least, best):
    engine = _build(config)
    _train(engine)
    earned = engine.eval()["return"]
    if earned >= least:
        return "ok", f"return {earned:.3g} of {best:g}", ""
    return (
        "failed",
        f"return {earned:.3g} after {engine.timestep} steps; expected {least:g} or more",
        "look at the sign of the loss, at advantages, and whether parameters move at all",
    )


def _clock(config):
    engine = _build(config)
    _train(engine)
    if engine.eval()["return"] < 0.55:  # of what is cut, 0.5; of what ends, 0.6
        return "ok", "a time limit is not the end", ""
    return (
        "failed",
        "it takes a time limit for the end: it avoids what is worth more, but cut",
        "bootstrap from the last observation unless trajectory.terminated",
    )


def _same_seed(config):
    a, b = (_plain(_train(_build(config), 3)) for _ in range(2))
    if a == b:
        return "ok", f"{len(a)} equal rows", ""
    return (
        "failed",
        "two runs with one seed differ",
        "draw from the agent's generators or torch's global one, not from new ones",
    )


def _resume(config):
    engine = _build(config)
    _train(engine, 2)
    state, streams = copy.deepcopy(engine.state_dict()), random_state()
    expected = _plain([engine.train(3)])
    other = _build(config)
    other.load_state_dict(state)
    load_random_state(streams)
    if _plain([other.train(3)]) == expected:
        return "ok", "the same next row", ""
    return (
        "failed",
        "resumed, it goes on differently",
        "state_dict must hold all that changes: optimizers, targets, generators, counters",
    )


def _plain(rows):
    """Rows without what a clock measured; NaN made equal to itself."""
    return [
        {k: str(v) if v != v else v for k, v in row.items() if not k.endswith("_seconds")}
        for row in rows
    ]
