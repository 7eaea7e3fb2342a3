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
    x: Annotated[
        str,
        typer.Option(
            help="timestep, seconds (wall time), episode, iteration or any column that was logged."
        ),
    ] = "timestep",
    y: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Column of the vertical axis; by default the return of evaluations."),
    ] = None,
    group: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Keys that make a line, comma-separated; by default all that differ."),
    ] = None,
    facet: Annotated[str, typer.Option(help="Key that makes a panel.")] = "env.id",
    band: Annotated[
        str, typer.Option(help="t (95 % interval of the mean), sd, minmax or none.")
    ] = "t",
    seeds: Annotated[bool, typer.Option("--seeds", help="A thin line for each seed too.")] = False,
    smooth: Annotated[int, typer.Option(help="Running mean over so many points.")] = 1,
    reference: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="CSV of lines to compare with: label,env,y or label,env,x,y,low,high."),
    ] = None,
    logx: Annotated[bool, typer.Option("--logx", help="Logarithmic horizontal axis.")] = False,
    ylim: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="LOW,HIGH", help="Ends of the vertical axes."),
    ] = None,
    title: Annotated[Optional[str], typer.Option(help="Above the figure.")] = None,  # noqa: UP045
    style: Annotated[
        str, typer.Option(help="paper, talk (larger) or dark (larger, on dark).")
    ] = "paper",
    width: Annotated[Optional[float], typer.Option(help="In inches.")] = None,  # noqa: UP045
    height: Annotated[Optional[float], typer.Option(help="In inches.")] = None,  # noqa: UP045
    csv: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write the data too, one row per seed and step."),
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Draw again every 10 s, or --live 60, until all have ended."),
    ] = False,
    aggregate: Annotated[
        bool,
        typer.Option(
            "--aggregate", help="Not curves, but normalized scores over 3 or more environments."
        ),
    ] = False,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="Not curves, but the final score against each key varied."),
    ] = False,
    scores: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="CSV of env,low,high: more reference scores for --aggregate."),
    ] = None,
):
    """Draw the learning curves of all runs under PATHS, and print the final table."""
    from lagom.cli.plot import plot

    others = {
        "facet": facet,
        "band": band,
        "seeds": seeds,
        "smooth": smooth,
        "reference": reference,
        "logx": logx,
        "ylim": ylim,
        "title": title,
        "style": style,
        "width": width,
        "height": height,
        "live": live,
    }
    if aggregate or sweep or scores is not None:
        from lagom.cli.aggregate import plot_other

        words = (paths, output, x, y, group, csv, scores, others)
        raise typer.Exit(plot_other(aggregate, sweep, *words))
    raise typer.Exit(plot(paths, output, x, y, group, csv, **others))


@app.command()
def compare(
    paths: Annotated[
        list[Path], typer.Argument(help="Folders to compare, the first with each other one.")
    ],
    y: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Column to compare; by default the return of evaluations."),
    ] = None,
    at: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Environment steps to compare at; by default the last 10 %."),
    ] = None,
    group: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Keys that make a configuration, comma-separated."),
    ] = None,
    baseline: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="What the others are compared with; by default the first."),
    ] = None,
    scores: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="CSV file of env,low,high: what a random policy and a reference reach."),
    ] = None,
    format: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="text, markdown, latex or json; by default as the name of -o says."),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="Write it to a file."),
    ] = None,
):
    """Compare configurations: differences, how sure they are, and how many seeds it takes."""
    from lagom.cli.compare import compare

    raise typer.Exit(compare(paths, output, y, at, group, baseline, format, scores))


@app.command()
def report(
    paths: Annotated[list[Path], typer.Argument(help="Folders with runs, for example outputs/.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="HTML; by default report.html in the first PATH."),
    ] = None,
):
    """Write one page about all runs under PATHS: curves, tables, settings, failures."""
    from lagom.cli.report import report

    raise typer.Exit(report(paths, output))


@app.command("eval")
def eval_(
    path: Annotated[
        Path, typer.Argument(metavar="RUN", help="A job, a configuration or an experiment.")
    ],
    episodes: Annotated[int, typer.Option(help="Episodes of each run.")] = 10,
    video: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write a film of the first episode: .mp4, .webp or .gif."),
    ] = None,
    cells: Annotated[int, typer.Option(help="Episodes side by side in the film.")] = 1,
    seed: Annotated[int, typer.Option(help="Another one plays other episodes.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as one JSON object.")] = False,
):
    """Play the saved policy of each run at or below RUN: what it earns, and how sure that is."""
    from lagom.cli.eval import evaluate

    raise typer.Exit(evaluate(path, episodes, video, cells, seed, as_json))


@app.command()
def export(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="A run with a saved policy.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="Folder; by default export in the folder of the run."),
    ] = None,
):
    """Write a policy for use elsewhere: safetensors and JSON, and ONNX."""
    from lagom.cli.export import export

    raise typer.Exit(export(path, output))


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish", help="Whose script to print.")],
):
    """Print a script for the Tab key: eval "$(lagom completion bash)", or | source in fish."""
    from lagom.cli.completion import script
    from lagom.cli.words import Refused

    try:
        print(script(shell), end="")
    except Refused as refused:
        typer.echo(refused, err=True)
        raise typer.Exit(2) from None


@app.command(hidden=True)
def complete(words: Annotated[Optional[list[str]], typer.Argument()] = None):  # noqa: UP045
    """Print what may stand in place of the last of WORDS; the scripts of completion ask."""
    from lagom.cli.completion import complete

    commands = typer.main.get_command(app).commands
    flags = {
        name: [option for part in command.params for option in part.opts if option[:2] == "--"]
        for name, command in commands.items()
        if not command.hidden
    }
    for name in complete(words or [], flags):
        print(name)


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
    from lagom.cli.status import status

    raise typer.Exit(status(paths, watch))


@app.command()
def check(
    words: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar="env=ID|algo=NAME [key=value ...]", help="What to check."),
    ] = None,
    render: Annotated[bool, typer.Option("--render", help="Pictures, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
):
    """Put an environment or an algorithm through known probes; a line of advice for what fails."""
    from lagom.cli.check import check

    raise typer.Exit(check(words or [], render, as_json))


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
