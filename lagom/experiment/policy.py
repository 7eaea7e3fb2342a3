"""The policy artefact: parameters as safetensors, everything else that acting needs as JSON.

No optimizer, no random streams: what is needed to resume is in the checkpoints.
"""

import hashlib
import json
from importlib import resources
from pathlib import Path

import numpy as np
from gymnasium import spaces

from lagom.experiment import storage
from lagom.experiment.checkpoint import read_arrays, write_arrays
from lagom.experiment.schema import flatten
from lagom.utils import nested


def write_policy(folder, config, agent, env):
    """Save what ``agent`` acts with: parameters, spaces, normalizer, configuration.

    Args:
        folder (Path): made if missing; ``policy.safetensors`` and ``policy.json`` are replaced.
        config (dict): flat configuration.
        agent (BaseAgent): its ``state_dict`` without extra state.
        env (VecEnv): the training environment, for the moments of its observations.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v for k, v in agent.state_dict().items() if not k.endswith("_extra_state")}
    arrays = {f"agent.{key}": x.detach().cpu().numpy() for key, x in state.items()}
    normalizer, moments = None, getattr(env, "obs_moments", None)
    tree = nested.simple_spaces(agent.observation_space)
    entries = (nested.flat(x) for x in (moments, nested.names(tree, "normalizer"), tree))
    for part, name, space in zip(*entries, strict=True) if moments is not None else ():
        if part is not None:
            arrays[f"{name}.mean"], arrays[f"{name}.var"] = map(np.asarray, (part.mean, part.var))
            # The bounds of normalized observations are where they are clipped.
            normalizer = {"clip": float(space.high.flat[0])}
    write_arrays(folder / "policy.safetensors", arrays)
    description = {
        "format": storage.FORMAT,
        "agent": config["algo.agent"],
        "observation_space": _describe(agent.observation_space),
        "action_space": _describe(agent.action_space),
        "normalizer": normalizer,
        "config": config,
    }
    digest = _digest(folder, description)
    storage.write_json(folder / "policy.json", {**description, "sha256": digest})


def read_policy(folder, device="cpu"):
    """The agent saved in ``folder``, in evaluation mode, and its normalizer of observations.

    Only agents of lagom itself are built: a folder from elsewhere names no code of its own.

    Returns:
        tuple: the agent, and a function from observations ``[B, *obs]`` to what the agent expects.

    Raises:
        ValueError: the files are damaged, or name an agent outside lagom; the message names the
            folder.
        FileNotFoundError: there is no policy.
    """
    folder = Path(folder)
    description = storage.read_json(folder / "policy.json")
    arrays = read_arrays(folder / "policy.safetensors")
    try:
        if description["format"] > storage.FORMAT:
            raise ValueError("written by a newer lagom")
        if description.pop("sha256") != _digest(folder, description):
            raise ValueError("damaged, the hash differs")
        env = _Spaces(description["observation_space"], description["action_space"])
        agent = _agent_class(description["agent"])(complete(description["config"]), env, device)
        state = {k.removeprefix("agent."): v for k, v in arrays.items() if k.startswith("agent.")}
        load_parameters(agent, state)
        agent.eval()
        if description["normalizer"] is None:
            return agent, lambda obs: obs
        normalize = _normalizer(env.observation_space, arrays, description["normalizer"]["clip"])
    except Exception as error:  # a file from elsewhere can be wrong in any way
        reason = error if isinstance(error, ValueError) else repr(error)
        raise ValueError(f"{folder}: policy refused: {reason}") from error
    return agent, normalize


def complete(config):
    """A flat ``config`` as it was saved, with keys that lagom has got since at their defaults."""
    conf = Path(str(resources.files("lagom.conf")))
    named = {path.stem: path for path in (conf / "algo").glob("*.yaml")}
    files = [conf / "config.yaml", named.get(config["algo.name"])]
    defaults = (flatten(storage.read_yaml(path)) for path in files if path is not None)
    return {key: value for each in (*defaults, config) for key, value in each.items()}


def _normalizer(space, arrays, clip):
    """A function from observations of ``space`` to normalized ones."""
    names, clip = nested.names(nested.simple_spaces(space), "normalizer"), float(clip)
    if not any(f"{name}.mean" in arrays for name in nested.flat(names)):
        raise ValueError("observations are to be normalized, but their moments are missing")

    def normalize(name, x):
        if f"{name}.mean" not in arrays:
            return x
        mean, std = arrays[f"{name}.mean"], np.sqrt(arrays[f"{name}.var"] + 1e-8)
        return np.clip((x - mean) / std, -clip, clip).astype(np.float32)

    return lambda obs: nested.map_leaves(normalize, names, obs)


def _agent_class(name):
    """The agent of lagom's own called ``name``; nothing else that a module holds will be called."""
    from lagom.agent import BaseAgent
    from lagom.experiment.job import resolve

    own = name.startswith("lagom.algorithms.")
    agent = resolve({"algo.agent": name}, "algo.agent") if own else None
    if not (isinstance(agent, type) and issubclass(agent, BaseAgent)):
        raise ValueError(f"agent {name!r} is not one of lagom's; expected lagom.algorithms...")
    return agent


def _digest(folder, description):
    """A digest of ``policy.safetensors`` and of what ``policy.json`` says."""
    arrays = (folder / "policy.safetensors").read_bytes()
    return hashlib.sha256(arrays + json.dumps(description).encode()).hexdigest()


def load_parameters(agent, arrays):
    """Copy named arrays into the parameters and buffers of ``agent``.

    Raises:
        ValueError: names or shapes differ.
    """
    import torch

    own = {k: v for k, v in agent.state_dict().items() if not k.endswith("_extra_state")}
    for key in sorted(own.keys() | arrays.keys()):
        file, here = arrays.get(key), own.get(key)
        if file is None or here is None or file.shape != tuple(here.shape):
            shapes = [None if x is None else tuple(x.shape) for x in (file, here)]
            raise ValueError(f"policy: {key} has shape {shapes[0]}; expected {shapes[1]}")
        here.copy_(torch.from_numpy(file))


_KNOWN = "Box, Discrete, MultiDiscrete, MultiBinary, or Dict and Tuple of these"


class _Spaces:
    """Stands in for an environment where only its spaces are needed."""

    def __init__(self, observation_space, action_space):
        self.single_observation_space = self.observation_space = _restore(observation_space)
        self.single_action_space = self.action_space = _restore(action_space)


def _describe(space):
    """A space as plain data."""
    if isinstance(space, spaces.Box):
        low, high = space.low.tolist(), space.high.tolist()
        return {"type": "Box", "low": low, "high": high, "dtype": str(space.dtype)}
    if isinstance(space, spaces.Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        nvec, start = space.nvec.tolist(), space.start.tolist()
        return {"type": "MultiDiscrete", "nvec": nvec, "start": start, "dtype": str(space.dtype)}
    if isinstance(space, spaces.MultiBinary):
        return {"type": "MultiBinary", "n": list(space.shape)}
    if isinstance(space, spaces.Dict):  # in their order: parameters belong to places in it
        items = [[key, _describe(part)] for key, part in space.spaces.items()]
        return {"type": "Dict", "spaces": items}
    if isinstance(space, spaces.Tuple):
        return {"type": "Tuple", "spaces": [_describe(part) for part in space.spaces]}
    raise ValueError(f"policy: cannot describe {space}; expected {_KNOWN}")


def _restore(description):
    if description["type"] == "Box":
        dtype = np.dtype(description["dtype"])
        low, high = (np.array(description[key], dtype) for key in ("low", "high"))
        return spaces.Box(low, high, dtype=dtype)
    if description["type"] == "Discrete":
        return spaces.Discrete(description["n"], start=description["start"])
    if description["type"] == "MultiDiscrete":
        nvec, start = description["nvec"], description["start"]
        return spaces.MultiDiscrete(nvec, start=start, dtype=np.dtype(description["dtype"]).type)
    if description["type"] == "MultiBinary":
        n = description["n"]
        return spaces.MultiBinary(n[0] if len(n) == 1 else n)
    if description["type"] == "Dict":
        return spaces.Dict([(key, _restore(part)) for key, part in description["spaces"]])
    if description["type"] == "Tuple":
        return spaces.Tuple([_restore(part) for part in description["spaces"]])
    raise ValueError(f"policy: unknown space {description['type']!r}; expected {_KNOWN}")
