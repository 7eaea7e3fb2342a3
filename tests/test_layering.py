"""Imports go down only.  A new arrow is a line in a table here, to be looked at."""

import ast
import subprocess
import sys
from pathlib import Path

import lagom.algorithms
import pytest

import lagom

LAGOM, ALGORITHMS = Path(lagom.__file__).parent, Path(lagom.algorithms.__file__).parent

# unit -> units of lagom it may import; "(unit)" only inside functions.
ARROWS = {
    "lagom": "_checkout",  # __init__.py; the documented names are imported by name, when used
    "__main__": "cli",
    "_checkout": "",
    "transform": "",
    "utils": "(experiment.storage)",
    "experiment.storage": "",  # a leaf, for all who write files
    "experiment.journal": "experiment.storage",
    "logger": "experiment.storage",
    "metric": "transform",
    "es": "transform utils",
    "data": "transform utils",
    "vis": "transform utils experiment.storage experiment.journal",
    "envs": "data transform utils (vis)",
    "networks": "utils experiment.storage",
    "agent": "networks utils",
    "runner": "data envs utils",
    "engine": "data envs runner transform utils (agent)",
    "population": "engine envs es utils",
    # Jobs are built of what they name; the parent process stays light.
    "experiment": "experiment.storage experiment.journal logger utils "
    "(agent) (data) (envs) (algorithms)",
    "experiment.preload": "engine networks experiment",
    "experiment.export": "networks experiment experiment.storage",
    "cli": "lagom experiment experiment.storage experiment.journal (experiment.export) vis utils",
    "_plugins": "cli",
    "algorithms": "lagom agent data engine envs es logger metric networks runner transform utils",
}

# unit -> what it may import from elsewhere, beside the standard library.
THIRD_PARTY = {
    "lagom": "",
    "__main__": "",
    "_checkout": "",
    "transform": "numpy scipy",
    "utils": "numpy (torch) (yaml) (cloudpickle) (gymnasium) (threadpoolctl)",
    "experiment.storage": "numpy yaml",
    "experiment.journal": "",
    "experiment.checkpoint": "numpy (torch) (safetensors)",
    "logger": "",
    "metric": "numpy",
    "es": "numpy (cma) (scipy)",
    "data": "numpy",
    "vis": "numpy (scipy) (matplotlib) (pandas) (PIL) (imageio_ffmpeg)",
    "envs": "numpy gymnasium (mujoco) (cloudpickle)",
    "envs.mujoco": "numpy gymnasium mujoco",
    "envs.mujoco_v2": "numpy gymnasium mujoco",
    "networks": "numpy torch gymnasium",
    "agent": "numpy torch",
    "runner": "numpy gymnasium",
    "engine": "numpy",
    "population": "numpy (torch) (ray)",
    "population.problem_env": "numpy gymnasium",
    "experiment": "numpy cloudpickle (torch)",
    "experiment.policy": "numpy gymnasium (torch)",
    "experiment.preload": "torch gymnasium",
    "experiment.export": "numpy torch",
    "experiment.sweep": "numpy (hydra) (omegaconf)",
    "cli": "typer numpy (rich) (hydra) (omegaconf) (yaml) (torch) (matplotlib) (pandas)",
    "cli.plugins": "hydra omegaconf",
    "cli.prepare": "hydra omegaconf",
    "cli.optuna_sweeper": "hydra (optuna)",
    "cli.trials": "(optuna)",
    "_plugins": "",
    "algorithms": "numpy torch gymnasium",
}


def files():
    """(module, path) of each source file."""
    for root, first in ((LAGOM, "lagom"), (ALGORITHMS, "lagom.algorithms")):
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if root == LAGOM and parts[0] in ("algorithms", "conf"):  # inside, in a wheel
                continue
            yield ".".join([first, *parts]).removesuffix(".__init__"), path


def unit(module, table):
    """``lagom.envs.make`` -> ``envs``, or ``envs.make`` if ``table`` has it."""
    parts = module.split(".")[1:]
    name = ".".join(parts[:2])
    return name if name in table else parts[0] if parts else "lagom"


def imports(path):
    """(full name, whether inside a function) of all that ``path`` imports."""

    def visit(node, inside):
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.Import):
            yield from ((alias.name, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from ((full_name(node.module, alias.name), inside) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    return visit(ast.parse(path.read_text()), False)


def full_name(package, name):
    """``package.name`` if that is a module of lagom's, else ``package``."""
    folder = LAGOM.joinpath(*package.split(".")[1:])
    is_module = (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()
    return f"{package}.{name}" if package.split(".")[0] == "lagom" and is_module else package


def refused(table, source, target, inside):
    """Whether ``target`` is missing among what the unit ``source`` may import."""
    allowed = table[source].split()
    return target not in allowed and not (inside and f"({target})" in allowed)


def test_arrows_between_units():
    wrong = []
    for module, path in files():
        source = unit(module, ARROWS)
        for name, inside in imports(path):
            target = unit(name, ARROWS)
            own = name.split(".")[0] == "lagom"
            if own and target != source and refused(ARROWS, source, target, inside):
                wrong.append(f"{path}: {source} -> {target}")

    assert wrong == []


def test_what_comes_from_elsewhere():
    wrong = []
    for module, path in files():
        source = unit(module, THIRD_PARTY)
        for name, inside in imports(path):
            top = name.split(".")[0]
            other = top not in (*sys.stdlib_module_names, "lagom")
            if other and refused(THIRD_PARTY, source, top, inside):
                wrong.append(f"{path}: {name}")

    assert wrong == []


def test_the_checks_can_fail(tmp_path):
    source = (
        "import torch\ndef f():\n    import torch\n    from lagom.experiment import storage, run\n"
    )
    (tmp_path / "x.py").write_text(source)
    found = list(imports(tmp_path / "x.py"))

    assert found == [
        ("torch", False),
        ("torch", True),
        ("lagom.experiment.storage", True),
        ("lagom.experiment.run", True),
    ]
    assert [unit(name, ARROWS) for name, _ in found[2:]] == ["experiment.storage", "experiment"]
    assert refused(THIRD_PARTY, "utils", "torch", inside=False)
    assert not refused(THIRD_PARTY, "utils", "torch", inside=True)
    assert refused(ARROWS, "metric", "runner", inside=True)


def test_functions_below_the_engine_take_no_config():
    """They take arguments; an engine, an agent and whatever builds them from a configuration do."""
    wrong = []
    pure = {"transform", "utils", "metric", "es", "data", "networks", "runner", "vis"}
    for module, path in files():
        if unit(module, ARROWS) not in pure:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                names = [argument.arg for argument in node.args.args]
                if names[:2] == ["self", "config"] or names[:1] == ["config"]:
                    wrong.append(f"{path}: {node.name}")

    assert wrong == []


HEAVY = {"torch", "gymnasium", "matplotlib", "pandas", "hydra", "omegaconf", "scipy", "mujoco"}


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import lagom", set()),
        ("import lagom.cli.app", set()),
        ("from lagom.cli.main import main; main(['--help'])", set()),
        ("from lagom.cli.main import main; main(['list', 'envs'])", set()),
        ("import lagom.cli.plot", {"matplotlib", "pandas", "scipy"}),
        ("import lagom.experiment.schema, lagom.experiment.sweep", set()),
        ("import lagom.metric, lagom.es", {"scipy"}),
        (
            "import lagom.envs, lagom.runner, lagom.engine, lagom.data",
            {"gymnasium", "scipy", "mujoco"},
        ),
    ],
)
def test_what_is_not_loaded(code, allowed):
    code += "\nimport sys; print('LOADED', *sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in out.stdout.split("LOADED")[1].split()}

    assert not loaded & (HEAVY - allowed)


def test_the_program_does_not_load_them_either():
    out = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lagom", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.split("|")[-1].strip().split(".")[0] for line in out.stderr.splitlines()}

    assert "Usage" in out.stdout
    assert "typer" in loaded
    assert not loaded & HEAVY
