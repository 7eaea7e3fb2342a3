"""The user's words before Hydra sees them: flags, groups and shorthands, on files alone.

Costs a few milliseconds: Hydra, torch and the rest are not imported for a mistyped word.
"""

from importlib import resources
from pathlib import Path

from lagom.experiment.schema import FREE, nearest

# env takes any id, the others their files
GROUPS = ("env", "algo", "problem", "experiment", "sweep")

_WITH_VALUE = {
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"),
    *("--config-dir", "-cd"),
}
_FLAGS = {
    *_WITH_VALUE,
    *("--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m"),
    *("--info", "-i", "--dry-run"),
}
_INFO = {"all", "config", "defaults", "defaults-tree", "plugins", "searchpath"}


class Refused(Exception):
    """The user's words cannot be followed; nothing was started.  The message says why."""


def flags_first(words):
    """``words`` with flags, and what belongs to them, before overrides: Hydra's parser needs it.

    Raises:
        Refused: a flag that does not exist.
    """
    flags, overrides, words = [], [], list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            overrides.append(word)
            continue
        name = word.split("=")[0]
        if name not in _FLAGS:
            raise Refused(f"no such flag: {name}{nearest(name, _FLAGS)}")
        flags.append(word)
        takes_value = name in _WITH_VALUE or (
            name in ("--info", "-i") and words[:1] and words[0] in _INFO
        )
        if takes_value and "=" not in word and words:
            flags.append(words.pop(0))
    return flags, overrides


def config_dirs(flags):
    """Folders of configurations beside lagom's own: ``--config-dir`` and ``./conf``.

    Raises:
        Refused: ``--config-dir`` is no folder.
    """
    dirs = [
        Path(word.split("=", 1)[1] if "=" in word else flags[i + 1])
        for i, word in enumerate(flags)
        if word.split("=")[0] in ("--config-dir", "-cd") and ("=" in word or i + 1 < len(flags))
    ]
    for folder in dirs:
        if not folder.is_dir():
            raise Refused(f"--config-dir: no such folder {str(folder)!r}")
    here = Path("conf")
    if here.is_dir() and here.resolve() != _own():
        dirs.append(here)
    return dirs


def options(group, dirs=()):
    """The names that ``group=`` takes, sorted."""
    folders = [folder / group for folder in (_own(), *dirs)]
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})


def strategies(dirs=()):
    """The algorithms that are evolution strategies."""
    paths = [path for folder in (_own(), *dirs) for path in (folder / "algo").glob("*.yaml")]
    return sorted({path.stem for path in paths if ":ESEngine" in path.read_text()})


def _own():
    return Path(str(resources.files("lagom.conf"))).resolve()


def check_groups(overrides, dirs):
    """Refuse names that no group has, and ``_target_`` wherever it stands.

    Raises:
        Refused: all problems found.
    """
    complaints = []
    for word in overrides:
        key, _, value = word.partition("=")
        if key.lstrip("+") in ("seed", "ID"):
            instead = f"; for seeds say seeds=[{value}]" if "seed" in key else ""
            complaints.append(f"{word}: {key} is set for each job{instead}")
        if "_target_" in word:
            complaints.append(
                f"{word}: _target_ is not used by lagom; algo=<name> chooses what runs"
            )
        if key.lstrip("+") in GROUPS[1:] and "(" not in value:
            known = options(key.lstrip("+"), dirs)
            complaints += [
                f"{key}={name} is not one of {_told(name, known)}"
                for name in map(str.strip, value.split(","))
                if name not in (*known, "null")
            ]
    if complaints:
        raise Refused("\n".join(complaints))


def _told(name, known):
    """How many names there are, and those near ``name``; without such, some of all of them."""
    if close := nearest(name, known, n=3):
        return f"the {len(known)} there are{close}"
    shown = ", ".join(known[:30]) + (", ..." if len(known) > 30 else "")
    return f"the {len(known)} there are{shown and ': '}{shown}"


def rewrite(overrides, known_envs):
    """Shorthands in full.

    ``env=<id>`` without a file of that name is ``env=gym env.id=<id>``, or ``env=atari`` for
    ``ALE/<game>``; ``dim=20`` is ``problem.dim=20``; ``env.kwargs.x=1`` and the like need no ``+``;
    an interpolation such as ``${pick:...}`` needs no quotes.  Sweeps are left for later, when they
    have been expanded.
    """
    words = []
    for word in overrides:
        key, _, value = word.partition("=")
        if _is_interpolation(value):  # the grammar of overrides stops at its braces and quotes
            escaped = value.replace("\\'", "'").replace("'", "\\'")
            word = f"{key}='{escaped}'"
        if key == "env" and not {",", "("} & set(value) and value not in known_envs:
            words += ["env=atari" if value.startswith("ALE/") else "env=gym", f"env.id={value}"]
        elif key == "dim":
            words.append(f"problem.{word}")
        elif key.startswith(tuple(f"{free}." for free in FREE)):
            words.append(f"++{word}")
        else:
            words.append(word)
    return words


def _is_interpolation(value):
    """Whether all of ``value`` is one ``${...}``."""
    depth = 0
    for i, letter in enumerate(value):
        depth += (letter == "{") - (letter == "}")
        if i > 1 and depth == 0:
            return value.startswith("${") and i == len(value) - 1
    return False
