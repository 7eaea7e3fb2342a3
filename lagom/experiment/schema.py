"""Checks of a configuration: keys and types as in its YAML defaults, ranges, fields that must fit.

A flat configuration is a plain dictionary with dotted keys.  Values are brought to the type of
their default (``1e6`` for a whole number is 1000000), and all problems are found at once.
"""

import difflib
import math

FREE = ("env.kwargs", "es.opts")  # dictionaries whose keys belong to somebody else

_CHOICES = {
    "env.backend": ["auto", "serial", "mujoco", "classic", "async"],
    "env.normalize_obs": [True, False, "auto"],
    "env.normalize_reward": [True, False, "auto"],
    "agent.activation": ["tanh", "relu"],
    "agent.init": ["orthogonal", "uniform"],
    "es.executor": ["process", "ray"],
    "agent.cnn": ["auto", "nature", "impala", "small"],
    "agent.noise": ["gaussian", "ou"],
    "agent.optimizer": ["rmsprop", "adam"],
    "agent.gradient": ["auto", "autograd"],
    "agent.cell": ["lstm", "lnlstm"],
}
_ANY = {"name", "seeds", "seed", "experiment", "sweep", "env.size"}
_OPTIONAL_INT = {"es.popsize", "env.workers"}
_AUTO = {"agent.alpha"}  # a number, or the word auto
_RANGES = {  # key -> (text, condition)
    **dict.fromkeys(
        [
            *("threads", "checkpoint.keep", "eval.episodes", "problem.dim"),
            *("env.num_env", "env.threads", "env.workers", "env.skip", "env.stack"),
            *("train.timestep", "train.num_step", "train.every", "es.episodes", "es.workers"),
            *("replay.capacity", "replay.n_step"),
            *("agent.batch_size", "agent.num_epoch", "agent.policy_delay", "agent.num_critic"),
            *("agent.num_cg_step", "agent.num_backtrack", "agent.memory_size", "agent.sequence"),
        ],
        ("at least 1", lambda x: x >= 1),
    ),
    **dict.fromkeys(["es.popsize", "agent.num_quantile"], ("at least 2", lambda x: x >= 2)),
    **dict.fromkeys(
        [
            *("eval.every", "checkpoint.every", "train.warmup", "env.noop"),
            *("agent.entropy_coef", "agent.value_coef", "agent.value_clip", "agent.target_kl"),
            *("agent.noise_scale", "agent.target_noise", "agent.renorm_warmup", "agent.drop"),
            *("agent.lag", "agent.damping", "agent.sde_every"),
        ],
        ("at least 0", lambda x: x >= 0),
    ),
    **dict.fromkeys(
        [
            *("env.timeout", "train.replay_ratio", "es.sigma0"),
            *("agent.lr", "agent.critic_lr", "agent.clip", "agent.std0", "agent.max_grad_norm"),
            *("agent.max_kl", "agent.target_clip", "agent.ou_theta", "agent.ou_dt"),
        ],
        ("greater than 0", lambda x: x > 0),
    ),
    **dict.fromkeys(
        [
            *("agent.gamma", "agent.lam", "agent.epsilon", "agent.entropy_share"),
            *("replay.alpha", "replay.beta"),
        ],
        ("in [0, 1]", lambda x: 0 <= x <= 1),
    ),
    **dict.fromkeys(["agent.tau", "agent.exploration"], ("in (0, 1]", lambda x: 0 < x <= 1)),
    "agent.backtrack": ("in (0, 1)", lambda x: 0 < x < 1),
    "agent.beta1": ("in [0, 1)", lambda x: 0 <= x < 1),
    "agent.alpha": ("auto, or greater than 0", lambda x: x == "auto" or x > 0),
    "env.size": (
        "[height, width], whole numbers of at least 1",
        lambda x: isinstance(x, list) and len(x) == 2 and all(type(n) is int and n > 0 for n in x),
    ),
    **dict.fromkeys(
        ["agent.hidden_sizes", "agent.critic_sizes"],
        (
            "a list of whole numbers of at least 1",
            lambda sizes: all(type(n) is int and n >= 1 for n in sizes),
        ),
    ),
}


def flatten(tree, prefix=""):
    """A nested dictionary as a flat one with dotted keys; those in ``FREE`` stay whole."""
    flat = {}
    for key, value in tree.items():
        key = f"{prefix}{key}"
        if isinstance(value, dict) and key not in FREE:
            flat.update(flatten(value, f"{key}."))
        else:
            flat[key] = value
    return flat


def nearest(word, known, n=2):
    """``word``'s nearest neighbours among ``known``, as ``; did you mean a or b?``, or nothing."""
    known = [str(k) for k in known]
    close = difflib.get_close_matches(str(word), known, n=n, cutoff=0.6)
    if not close and "." not in str(word):  # lr -> agent.lr
        close = [k for k in known if k.split(".")[-1] == word][:n]
    return f"; did you mean {' or '.join(close)}?" if close else ""


def check(config, defaults):
    """Bring ``config`` to the types of ``defaults`` and check it.

    Args:
        config (dict): flat configuration; its values are replaced where only the type differs.
        defaults (dict): the flat configuration of the same groups before the user's words.

    Returns:
        list: complaints, one line each; empty if all is well.
    """
    complaints = []
    for key, value in config.items():
        if key not in defaults:
            complaints.append(f"no such key: {key}{nearest(key, defaults)}")
        elif value == "???":
            complaints.append(f"{key} is missing; give it, for example {key}=...")
        else:
            config[key], complaint = _convert(key, value, defaults[key])
            if complaint is None and key in _RANGES and config[key] is not None:
                text, holds = _RANGES[key]
                if not holds(config[key]):
                    complaint = f"got {value!r}; expected {text}"
            if complaint:
                complaints.append(f"{key}: {complaint}")
    complaints += [f"no such key: {key}; it was removed" for key in defaults if key not in config]
    return complaints or _cross_checks(config)


def _convert(key, value, default):
    """(value in the type of ``default``, complaint or None)."""
    if key in _CHOICES:
        if any(type(value) is type(x) and value == x for x in _CHOICES[key]):  # 1 is not true
            return value, None
        names = ", ".join(str(choice).lower() for choice in _CHOICES[key])
        return value, f"got {value!r}; expected one of: {names}{nearest(value, _CHOICES[key])}"
    if key in _ANY or (key in _OPTIONAL_INT and value is None):
        return value, None
    kind = int if key in _OPTIONAL_INT else type(default)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key in _AUTO and value != "auto":
        kind = float
    if kind is float and number:
        if math.isfinite(value):
            return float(value), None
    elif kind is int and number:
        if math.isfinite(value) and value == int(value):
            return int(value), None
    elif kind is type(None) or type(value) is kind:
        return value, None
    names = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}
    return value, f"got {value!r}; expected {names.get(kind, f'a {kind.__name__}')}"


def _cross_checks(config):
    complaints = []
    if "agent.batch_size" in config and "replay.capacity" not in config:
        size = config["env.num_env"] * config["train.num_step"]
        if config["agent.batch_size"] > size:
            complaints.append(
                f"agent.batch_size: got {config['agent.batch_size']}; expected at most "
                f"env.num_env x train.num_step = {size}, the transitions of one iteration"
            )
    return complaints
