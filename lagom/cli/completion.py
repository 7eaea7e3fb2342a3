"""``lagom completion``: what the Tab key offers, in bash, zsh and fish.

The shells ask the hidden command ``lagom complete`` at each Tab: names come from the files that
there are, those in ``./conf`` too, and nothing heavy is loaded.
"""

from importlib import resources
from pathlib import Path

from lagom.cli.words import GROUPS, Refused, config_dirs, options, strategies
from lagom.experiment.schema import flatten, nearest
from lagom.experiment.storage import read_yaml

_BASH = """\
_lagom_completion() {
    local line="${COMP_LINE:0:COMP_POINT}" IFS=$' \t\n' word skip
    local -a words
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    word="${words[-1]}"
    IFS=$'\n' COMPREPLY=($(lagom complete -- "${words[@]:1}" 2>/dev/null))
    # bash parts words at "=" and ":", and replaces what is behind the last of them only.
    skip="${word%"${word##*[=:]}"}"
    COMPREPLY=("${COMPREPLY[@]#"$skip"}")
    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
    return 0
}
complete -o default -F _lagom_completion lagom
"""
_ZSH = """\
#compdef lagom
_lagom_completion() {
    local -a offers partial
    local -a typed=("${(@)words[2,CURRENT-1]}" "${words[CURRENT]}")
    offers=("${(@f)$(lagom complete -- "${(@)typed}" 2>/dev/null)}")
    partial=(${(M)offers:#*=})
    offers=(${offers:#*=})
    (( $#partial )) && compadd -Q -S '' -a partial
    (( $#offers )) && compadd -Q -a offers
    (( $#partial + $#offers )) || _files
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _lagom_completion lagom
"""
_FISH = """\
function __lagom_completion
    set -l words (commandline -opc)
    lagom complete -- $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c lagom -a '(__lagom_completion)'
"""
_SHELLS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_NOT_SET = ("defaults", "hydra.", "algo.", "ID", "seed")  # by hand


def script(shell):
    """The script for a shell.

    Raises:
        Refused: it is not among bash, zsh and fish.
    """
    if shell not in _SHELLS:
        raise Refused(
            f"lagom completion: nothing for {shell!r}; expected one of {', '.join(_SHELLS)}"
            f"{nearest(shell, _SHELLS)}"
        )
    return _SHELLS[shell]


def complete(words, flags):
    """What may stand in place of the last of ``words``.

    Args:
        words (list of str): those behind ``lagom``; the last one is being typed, and may be empty.
        flags (dict): name of each command to its options, ``--json`` and the like.

    Returns:
        list of str: sorted; empty where a file may follow.
    """
    *before, word = words or [""]
    if not before:
        return _beginning(word, flags)
    command = before[0]
    if command in ("train", "es"):
        try:
            return _training(command, before[1:], word)
        except Refused:
            return []
    if word.startswith("-"):
        return _beginning(word, flags.get(command, ()))
    fixed = {"list": ("algos", "envs"), "completion": _SHELLS}
    return _beginning(word, fixed.get(command, ()) if len(before) == 1 else ())


def _training(command, before, word):
    dirs = config_dirs(before)
    if command == "es" and not before:
        return _beginning(word, strategies(dirs))
    algo = before[0] if command == "es" else "ppo"
    for earlier in before:
        key, _, value = earlier.partition("=")
        algo = value.split(",")[0] if key == "algo" else algo
    key, equals, value = word.partition("=")
    if equals:
        known = options(key, dirs) if key in GROUPS else []
        *earlier, _ = value.split(",")  # a sweep: algo=ppo,vpg
        begun = "".join(f"{name}," for name in earlier)
        return _beginning(word, [f"{key}={begun}{n}" for n in known if n not in earlier])
    groups = [f"{group}=" for group in GROUPS if options(group, dirs)]
    return _beginning(word, [*groups, *_keys(algo, dirs)])


def _keys(algo, dirs):
    """The keys of every training and of an algorithm, with the ``=`` behind them."""
    own = Path(str(resources.files("lagom.conf")))
    keys = {}
    for path in (
        own / "config.yaml",
        *(folder / "algo" / f"{algo}.yaml" for folder in (own, *dirs)),
    ):
        try:
            keys |= flatten(read_yaml(path) or {})
        except (OSError, ValueError, AttributeError):
            continue  # no such algorithm, or a file that training will complain about
    return [f"{key}=" for key in keys if not key.startswith(_NOT_SET)]


def _beginning(word, names):
    return sorted(name for name in names if name.startswith(word))
