"""The Typer application: every command but the two that are Hydra's."""

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Reinforcement learning and evolution strategies: not too much, not too little.",
)
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print lagom's version.")] = False,
):
    if version:
        import lagom

        print(lagom.__version__)
        raise typer.Exit


@app.command(context_settings=_PASS_ON, add_help_option=False)
def train(context: typer.Context):
    """Train: lagom train algo=ppo env=Ant-v2 [key=value ...] [-m]."""
    raise typer.Exit(_train("train", context.args))


@app.command(context_settings=_PASS_ON, add_help_option=False)
def es(context: typer.Context):
    """Train with an evolution strategy: lagom es cmaes [key=value ...]."""
    raise typer.Exit(_train("es", context.args))


def _train(command, words):
    from lagom.cli.training import run

    return run(command, words)


@app.command()
def plot(
    paths: Annotated[list[Path], typer.Argument(help="Folders with runs, for example outputs/.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045 - Typer reads this form in every version
        typer.Option(
            "--output", "-o", help="PNG, PDF or SVG; by default curve.png in the first PATH."
        ),
    ] = None,
    x: Annotated[str, typer.Option(help="Column of the horizontal axis.")] = "timestep",
    y: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Column of the vertical axis; by default the return of evaluations."),
    ] = None,
    group: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Keys that make a line, comma-separated; by default all that differ."),
    ] = None,
    csv: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write the data too, one row per seed and step."),
    ] = None,
):
    """Draw the learning curves of all runs under PATHS, and print the final table."""
    from lagom.cli.plot import plot

    raise typer.Exit(plot(paths, output, x, y, group, csv))


@app.command()
def ls(
    paths: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Argument(help="Folders with runs; by default outputs."),
    ] = None,
    seeds: Annotated[bool, typer.Option("--seeds", help="One row for each run.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything about each run, as one JSON list.")
    ] = False,
    sort: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Column or configuration key; -return: the highest first."),
    ] = None,
    filters: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--filter", metavar="KEY=VALUE", help="Only such runs; may be repeated."),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only runs that failed or diverged.")
    ] = False,
):
    """List the runs under PATHS: configuration, state, progress and return."""
    from lagom.cli.ls import ls

    raise typer.Exit(ls(paths, seeds, as_json, sort, filters or (), failed))


@app.command()
def status(
    paths: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Argument(help="Folders with runs; by default outputs."),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Look again every 2 s, or --watch 10, until all have ended."),
    ] = False,
):
    """Show how far the jobs under PATHS are, which run, and what went wrong."""
    from lagom.cli.ls import status

    raise typer.Exit(status(paths, watch))


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(metavar="algos|envs", help="What to list.")],
):
    """List what there is: algos or envs."""
    from lagom.cli.words import config_dirs, options, strategies

    dirs = config_dirs([])
    if what == "algos":
        es = strategies(dirs)
        for name in options("algo", dirs):
            print(f"{name}  (lagom es {name})" if name in es else name)
    elif what == "envs":
        for name in options("env", dirs):
            print(name)
        print("... and every id of Gymnasium: env=<id>, env=my_module:MyEnv-v0")
    else:
        typer.echo(f"lagom list: no list of {what!r}; expected algos or envs", err=True)
        raise typer.Exit(2)
