"""What the documentation shows works: examples in docstrings, commands in the README."""

import doctest
import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import pytest
from configs import flat_config

import lagom
from lagom.cli.app import app
from lagom.cli.words import check_groups, flags_first, options, rewrite, strategies

README = Path(__file__).parents[1] / "README.md"
SKIPPED = ("lagom.__main__", "lagom.conf", "lagom._plugins")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(lagom.__path__, "lagom.")
    if not module.name.startswith(SKIPPED)
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)

    assert result.failed == 0


def test_there_are_examples():
    """Else the test above would test nothing."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [
        t for name in MODULES for t in finder.find(importlib.import_module(name)) if t.examples
    ]

    assert len(tests) > 10


def commands():
    """Each command of lagom in the README's code blocks and code spans of one line."""
    text = README.read_text()
    blocks = re.findall(r"```(?:console|bash|sh)\n(.*?)```", text, flags=re.DOTALL)
    spans = re.findall(r"`(lagom [^`\n]+)`", text)
    for line in [*"\n".join(blocks).splitlines(), *spans]:
        for part in re.split(r"&&|;", line):
            words = shlex.split(part.removeprefix("$ "), comments=True)
            if words[:1] == ["lagom"] and not re.search(r"<|\.\.\.", " ".join(words)):
                yield words[1:]


COMMANDS = list(commands())
NAMES = {command.name or command.callback.__name__ for command in app.registered_commands}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_of_the_readme_exist(words):
    assert words[0] in NAMES


@pytest.mark.parametrize(
    "words", [words for words in COMMANDS if words[0] in ("train", "es")], ids=" ".join
)
def test_trainings_of_the_readme_compose(words):
    command, *rest = words
    if command == "es":
        assert rest[0] in strategies()
        rest = [f"algo={rest[0]}", *rest[1:]]
    _, overrides = flags_first(rest)
    check_groups(overrides, ())
    first = [re.sub(r"=interval\((.*?),.*|=([^\[,]*),.*", r"=\1\2", word) for word in overrides]
    words = [word for word in rewrite(first, options("env")) if not word.startswith("hydra")]

    assert flat_config(*words)["algo.name"]


def test_the_readme_has_commands():
    if README.is_file():
        assert ["train"] in COMMANDS


# Scores

CONF = Path(__file__).parents[1] / "conf"
RESULTS = Path(__file__).parents[1] / "benchmarks" / "RESULTS.md"
SCORES = [
    (
        path.stem,
        *re.search(r"# Score: (\S+) \+- (\S+) after (\S+) steps, .* commit (\w+);", text).groups(),
    )
    for path in sorted((CONF / "experiment").glob("*.yaml"))
    if "# Score" in (text := path.read_text())
]


@pytest.mark.skipif(not RESULTS.is_file(), reason="a copy without benchmarks/")
@pytest.mark.parametrize("score", SCORES, ids=lambda score: score[0])
def test_the_score_of_a_preset_is_a_row_of_the_results(score):
    name, mean, std, steps, commit = score
    rows = [row for row in RESULTS.read_text().splitlines() if row.startswith("| ")]
    parts = f" {steps} |", f" {mean} ± {std} |", commit

    found = [row for row in rows if re.search(rf"experiment={name}\b", row)]
    assert any(all(part in row for part in parts) for row in found)
