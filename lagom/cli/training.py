"""``lagom train`` and ``lagom es``: from the user's words through Hydra to an exit code.

Beside :mod:`lagom.cli.plugins` the only place that knows Hydra.
"""

import os
import sys
from contextlib import contextmanager

from lagom.cli.words import (
    GROUPS,
    Refused,
    check_groups,
    config_dirs,
    flags_first,
    options,
    rewrite,
    strategies,
)
from lagom.experiment.schema import nearest


def run(command, words):
    """Run ``lagom train`` or ``lagom es`` with the user's ``words``; return the exit code."""
    debug = "--debug" in words
    try:
        flags, overrides = flags_first(word for word in words if word != "--debug")
        if {"--help", "-h"} & {*flags}:
            print(_help(command, config_dirs(flags)))
            return 0
        dirs = config_dirs(flags)
        if command == "es":
            overrides = _strategy_first(overrides, dirs)
        check_groups(overrides, dirs)
        if any(w.startswith("hydra.mode=") and not w.endswith("=MULTIRUN") for w in overrides):
            raise Refused("hydra.mode: expected MULTIRUN; hydra/launcher=basic runs in process")
        if "--dry-run" in flags:
            overrides.append("hydra.sweeper.dry_run=true")
        ours = ("--run", "-r", "--dry-run")  # one run is a sweep of one
        flags = [flag for flag in flags if flag not in ours]
        known_envs = options("env", dirs)
        for word in overrides:
            if word.startswith("env=") and rewrite([word], known_envs)[0] == "env=gym":
                say(f"{word}: no such file in conf/env; taken as env.id, with general defaults")
        return _hydra(flags, rewrite(overrides, known_envs), dirs, debug)
    except Refused as refused:
        for line in str(refused).splitlines():
            say(line)
        return 2


def say(text):
    """A message for the user, on stderr."""
    print(f"lagom: {text}", file=sys.stderr)


def _strategy_first(overrides, dirs):
    """``cmaes`` as first word is ``algo=cmaes``."""
    known = strategies(dirs)
    if not overrides or "=" in overrides[0]:
        raise Refused(f"es: which strategy? One of: {', '.join(known)}, as in lagom es {known[0]}")
    name, *rest = overrides
    if name in known:
        return [f"algo={name}", *rest]
    if name in options("algo", dirs):
        raise Refused(f"es: {name} is not an evolution strategy; lagom train algo={name}")
    raise Refused(f"es: no strategy {name!r}{nearest(name, known)} (one of: {', '.join(known)})")


def _help(command, dirs):
    first = "lagom es <strategy>" if command == "es" else "lagom train"
    lines = [
        f"Usage: {first} [key=value ...] [-m]",
        "",
        "Train, evaluate and log; results are written to outputs/<name>/<ID>/<seed>/.",
        "Several values make a sweep: agent.lr=1e-3,3e-4 or agent.clip='interval(0.1,0.3)'.",
        "",
        *(f"  {group}=  {', '.join(options(group, dirs))}" for group in GROUPS),
        "",
        "  any Gymnasium id works too: env=Acrobot-v1, env=my_module:MyEnv-v0",
        "  seeds=5 or seeds=[1,2,3]   train.timestep=1e6   eval.every=1e4   name=my-study",
        "  hydra.launcher.workers=2   hydra.sweeper.num_sample=10   hydra/launcher=basic",
        "",
        "  --dry-run       show what would be done     --config-dir DIR  more configurations",
        "  --cfg job       print the configuration",
        "  --hydra-help    every flag of Hydra         --debug           show tracebacks",
    ]
    return "\n".join(lines)


def _hydra(flags, overrides, dirs, debug):
    """Hand flags and overrides to Hydra; turn whatever comes back into an exit code."""
    launching = not any(flag.split("=")[0] in _PRINTING for flag in flags)
    if launching:
        from lagom.experiment.scheduler import warm_up

        warm_up()
    import hydra
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from lagom.cli.plugins import from_hydra
    from lagom.cli.prepare import register_resolvers

    register_resolvers()
    if dirs and not any(word.startswith("hydra.searchpath=") for word in overrides):
        paths = ",".join(f"file://{folder.resolve()}" for folder in dirs)
        overrides = [*overrides, f"hydra.searchpath=[{paths}]"]
        flags = _without_config_dir(flags)
    main = hydra.main(version_base="1.3", config_path="pkg://lagom.conf", config_name="config")
    try:
        with _argv([*flags, *overrides]):
            main(from_hydra)()
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        if debug:
            raise
        raise Refused(_explain(overrides, error)) from None
    except KeyboardInterrupt:
        return 130
    except SystemExit as stop:
        return stop.code or 0
    except BrokenPipeError:
        raise
    except OSError as error:
        if debug:
            raise
        say(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
        return 4
    return 0


_PRINTING = {"--cfg", "-c", "--info", "-i", "--hydra-help", "--version"}


def _without_config_dir(flags):
    kept, skip = [], False
    for flag in flags:
        if flag.split("=")[0] in ("--config-dir", "-cd"):
            skip = "=" not in flag
        elif skip:
            skip = False
        else:
            kept.append(flag)
    return kept


@contextmanager
def _argv(words):
    """Hydra reads ``sys.argv``, and raises rather than prints if it is asked for the full error."""
    argv, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = ["lagom", *words], "1"
    try:
        yield
    finally:
        sys.argv = argv
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full


def _explain(overrides, error):
    """What is wrong with ``overrides``, word by word; failing that, what Hydra said."""
    from hydra import compose, initialize_config_module
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException, OverrideParseException
    from omegaconf import OmegaConf

    from lagom.experiment.schema import FREE, flatten

    complaints, parsed = [], []
    for word in overrides:
        try:
            parsed += OverridesParser.create().parse_overrides([word])
        except OverrideParseException as parse_error:
            reason = str(parse_error).splitlines()[0]
            complaints.append(f"cannot read {word!r}: {reason}")
    keep = (*GROUPS, "hydra/launcher", "hydra/sweeper", "hydra.searchpath")
    groups = [o.input_line for o in parsed if o.key_or_group in keep and not o.is_sweep_override()]
    try:
        with initialize_config_module("lagom.conf", version_base="1.3"):
            composed = compose("config", groups, return_hydra_config=True)
            known = flatten(OmegaConf.to_container(composed, resolve=False))
            known = [key for key in known if not key.endswith("_target_")]
    except (HydraException, ValueError):
        known = None
    for override in parsed if known else []:
        key = override.key_or_group
        free = key.startswith((*FREE, "hydra/")) or key in keep
        if not free and not any(k == key or k.startswith(f"{key}.") for k in known):
            complaints.append(f"no such key: {key}{nearest(key, known)}")
    lines = [line for line in str(error).splitlines() if line.strip()]
    return "\n".join(complaints or lines[:4])
