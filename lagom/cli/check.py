"""``lagom check``: an environment or an algorithm put through known probes."""

import json
import os
from collections import Counter

from lagom.cli.plot import complain, echo
from lagom.cli.progress import clip
from lagom.cli.records import screen_width
from lagom.cli.words import Refused, check_groups, config_dirs, options, rewrite

_EXPECTED = "expected env=ID or algo=NAME, and keys such as env.kwargs.size=3 or agent.lr=1e-3"


def check(words, render=False, as_json=False):
    """Check what ``words`` name, in a process of its own.

    Args:
        words (list of str): ``env=ID`` or ``algo=NAME``, and ``key=value`` as for ``lagom train``.
        render (bool): an environment's pictures, too.
        as_json (bool): print one JSON object instead of a table.

    Returns:
        int: exit code: 0 all is well, 2 something failed, or the words are wrong.
    """
    from lagom.experiment.scheduler import call

    try:
        what, config, changed = _read(words)
        if render and what != "env":
            raise Refused("--render: algorithms have no pictures; expected it with env=ID")
        name = config["env.id" if what == "env" else "algo.name"]
        if what == "env":
            rows = call(_check_env, name, config["env.kwargs"], render)
        else:
            rows = call(_check_algo, config, changed)
    except Refused as refused:
        return complain("\n".join(f"lagom check: {x}" for x in str(refused).splitlines()), 2)
    except RuntimeError as error:  # the process died
        advice = "what it runs ends the process: a crash in compiled code, or os._exit"
        rows = [("process", "failed", str(error).split(": ", 1)[-1], advice)]
    _show(name, rows, as_json)
    return 2 if any(outcome == "failed" for _, outcome, *_ in rows) else 0


def _check_env(*args):
    os.dup2(2, 1)  # what environments print is no result
    from lagom.experiment.check import check_env

    return check_env(*args)


def _check_algo(*args):
    os.dup2(2, 1)
    from lagom.experiment.check import check_algo

    return check_algo(*args)


def _read(words):
    """("env" or "algo", flat configuration, keys that the words change)."""
    keys = [word.partition("=")[0] for word in words]
    if bad := [word for word in words if "=" not in word]:
        raise Refused(f"{bad[0]!r} is no key=value; {_EXPECTED}")
    if ("env" in keys) == ("algo" in keys):
        raise Refused(f"got {' '.join(words) or 'nothing'}; {_EXPECTED}")
    what = "env" if "env" in keys else "algo"
    dirs = config_dirs([])
    check_groups(words, dirs)
    known = options("env", dirs)
    if what == "algo":
        words = ["env=CartPole-v1", *words]
    words = rewrite(words, known)
    _parse(words)
    from lagom.experiment import schema

    groups = [word for word in words if word.startswith(("env=", "algo=", "env.id="))]
    defaults = _compose(groups, dirs)
    complaints = [
        f"no such key: {key}{schema.nearest(key, defaults)}"
        for key in (word.partition("=")[0] for word in words)
        if key not in (*defaults, "env", "algo") and not key.lstrip("+").startswith(schema.FREE)
    ]
    config = _compose(words, dirs) if not complaints else defaults
    complaints = complaints or schema.check(config, defaults)
    if complaints:
        raise Refused("\n".join(complaints))
    return what, config, keys


def _parse(words):
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    for word in words:
        try:
            (override,) = OverridesParser.create().parse_overrides([word])
        except OverrideParseException as error:
            raise Refused(f"cannot read {word!r}: {str(error).splitlines()[0]}") from None
        if override.is_sweep_override():
            raise Refused(f"{word}: several values; expected one at a time")


def _compose(words, dirs):
    from hydra import compose, initialize_config_module
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from lagom.cli.prepare import register_resolvers
    from lagom.experiment.schema import flatten

    register_resolvers()
    paths = ",".join(f"file://{folder.resolve()}" for folder in dirs)
    words = [*words, *([f"hydra.searchpath=[{paths}]"] if dirs else [])]
    try:
        with initialize_config_module("lagom.conf", version_base="1.3"):
            composed = compose("config", words)
        return flatten(OmegaConf.to_container(composed, resolve=True))
    except (HydraException, OmegaConfBaseException) as error:
        raise Refused(str(error).splitlines()[0]) from None


def _show(name, rows, as_json):
    counts = Counter(outcome for _, outcome, *_ in rows)
    if as_json:
        keys = ("check", "outcome", "detail", "advice")
        checks = [dict(zip(keys, row, strict=True)) for row in rows]
        echo(json.dumps({"name": name, "ok": not counts["failed"], "checks": checks}, indent=1))
        return
    shown = [row for row in rows if row[1] != "skipped"]
    width = max(len(row[0]) for row in shown)
    for check_name, outcome, detail, advice in shown:
        line = f"  {check_name:{width}}  {outcome:6}  {detail}"
        echo(line if outcome == "failed" else clip(line, screen_width()))
        if advice:
            echo(f"  {'':{width}}          -> {advice}")
    told = ", ".join(f"{num} {outcome}" for outcome, num in counts.items())
    echo(f"{name}: {len(rows)} checks: {told}")
