import json
import math
import os

import numpy as np
import pytest

from lagom.cli.app import app
from lagom.cli.compare import compare
from lagom.experiment.journal import Journal
from lagom.experiment.storage import write_json, write_yaml
from lagom.vis.contrast import welch

X, Y = [480.0, 500.0, 490.0, 470.0], [300.0, 420.0, 350.0, 500.0, 400.0]


def write(folder, values, status="done", **config):
    """A configuration, and a seed for each value."""
    config = {key.replace("__", "."): value for key, value in config.items()}
    config = {"ID": 0, "algo.name": "ppo", "env.id": "CartPole-v1", "agent.lr": 0.1, **config}
    folder.mkdir(parents=True, exist_ok=True)
    write_yaml(folder / "config.yml", config)
    for seed, value in enumerate(values):
        run = folder / str(seed)
        run.mkdir()
        write_json(run / "status.json", {"status": status, "timestep": 0})
        journal = Journal(run / "eval.journal")
        for x, y in ((0, 0.0), (50, value / 2), (100, value)):
            journal.append({"timestep": x, "return": y, "length": 2 * y})
        journal.close()


def words(line):
    """A row of a table without its padding."""
    return " ".join(line.split())


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Two algorithms, one folder each."""
    write(tmp_path / "outputs" / "ppo" / "0", Y)
    write(tmp_path / "outputs" / "sac" / "0", X, algo__name="sac")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "outputs"


def test_two_folders(outputs, capsys):
    assert compare(["outputs/ppo", "outputs/sac"]) == 0

    out, err = capsys.readouterr()
    heading, _, header, first, second, _, sentence = out.splitlines()
    assert err == ""
    assert heading == "return over the last 10 % of the rows of each seed, compared with ppo"
    assert words(header) == (
        "environment configuration seeds mean ± SD 95 % interval difference 95 % interval test p "
        "P(ahead) effect, SD verdict"
    )
    assert words(first) == "CartPole-v1 ppo 5 seeds 394 ± 75 300 to 488 baseline"
    d = welch(X, Y)
    assert words(second) == (
        f"CartPole-v1 sac 4 seeds 485 ± 13 464 to 506 91 {d.low:.0f} to {d.high:.0f} "
        f"welch {d.p:.2g} 0.82 1.68 undecided"
    )
    assert sentence.startswith("CartPole-v1: sac reaches 485 ± 13 against 394 ± 75 for ppo (mean")
    assert sentence.endswith("seeds each would detect 63.")


def test_one_folder_of_several_configurations(outputs, capsys):
    write(outputs / "ppo" / "1", Y, ID=1, agent__lr=0.2)

    assert compare([outputs], baseline="ppo lr=0.2") == 0
    out = capsys.readouterr().out
    assert "compared with ppo lr=0.2" in out
    assert "paired" in out  # the same algorithm on the same seeds
    assert compare([outputs / "ppo"], group="agent.lr") == 0
    assert "lr=0.2 reaches 394 ± 75 against 394 ± 75 for lr=0.1" in capsys.readouterr().out
    assert compare([outputs], group=" algo.name ,") == 0
    assert "9 runs" not in (out := capsys.readouterr().out)
    assert "10 runs" in out


def test_names_of_folders(outputs, capsys):
    write(outputs / "ppo" / "1", X, ID=1)
    write(outputs.parent / "more" / "ppo" / "0", X)

    assert compare([outputs / "ppo" / "0", outputs / "ppo" / "1"]) == 0
    assert "ppo/1 reaches 485" in capsys.readouterr().out
    assert compare(["outputs/sac", "more/ppo"], baseline="more/ppo") == 0
    assert "sac reaches 485 ± 13 against 485 ± 13 for ppo" in capsys.readouterr().out
    assert compare(["outputs/ppo/0", "outputs/ppo/0", "more/ppo/0"]) == 0
    assert "more/ppo/0 reaches 485 ± 13 against 394 ± 75 for outputs/ppo/0" in (
        capsys.readouterr().out
    )


def test_another_column_and_another_step(outputs, capsys):
    assert compare([outputs], y="length", at=50) == 0

    out = capsys.readouterr().out
    assert out.startswith("length at 50 steps, compared with ppo\n")
    assert "sac reaches 485 ± 13 against 394 ± 75 for ppo" in out
    assert compare([outputs], at=300) == 5  # no seed got so far


def test_json_holds_every_number(outputs, capsys):
    assert compare([outputs], format="json") == 0

    document = json.loads(capsys.readouterr().out)
    (part,) = document["environments"]
    (pair,) = part["comparisons"]
    d = welch(X, Y)
    assert [pair[key] for key in ("difference", "low", "high", "p", "freedom")] == (
        [d.value, d.low, d.high, d.p, d.freedom]
    )
    assert pair["probability_low"] is None
    assert pair["sentence"].startswith("sac reaches 485")
    assert part["configurations"][1]["values"] == X
    assert part["configurations"][1]["seeds"] == [0, 1, 2, 3]
    assert (document["baseline"], document["aggregate"], document["at"]) == ("ppo", None, None)


def test_missing_is_shown_as_missing(outputs, capsys):
    write(outputs / "es" / "0", [], algo__name="es")
    (outputs / "es" / "0" / "7").mkdir()
    write_json(outputs / "es" / "0" / "7" / "status.json", {"status": "waiting"})
    write(outputs / "vpg" / "0", [7.0], "diverged", algo__name="vpg")

    assert compare([outputs], baseline="ppo") == 0

    out = capsys.readouterr().out
    rows = [words(line) for line in out.splitlines()]
    assert "CartPole-v1 es 1 seed, waiting - - - - - - - - untested" in rows
    assert "CartPole-v1 vpg 1 seed, diverged 7 - -387 - welch - 0.00 - untested" in rows
    assert "es and ppo are not compared: one of them has no values." in out
    assert "Note: CartPole-v1: not all runs have ended; these numbers will change." in out


def suite(folder, n=5):
    rng = np.random.default_rng(0)
    for e in ("CartPole-v1", "Acrobot-v1", "MountainCar-v0", "my:Env-v0"):
        for k, shift in (("ppo", 0), ("sac", 60)):
            values = 200 + shift + rng.normal(0, 20, n)
            write(folder / f"{k}-{e}" / "0", values, algo__name=k, env__id=e)


def test_over_environments(tmp_path, capsys):
    suite(tmp_path / "outputs")

    assert compare([tmp_path]) == 0
    out = capsys.readouterr().out
    assert "Over 3 environments\n" in out
    assert "configuration  IQM " in out
    assert "my:Env-v0 is left out: no reference scores; give them with --scores." in out
    assert "after Holm over 4" in out
    (tmp_path / "own.csv").write_text("env,low,high\nmy:Env-v0,0,300\nCartPole-v1,0,500\n")
    assert compare([tmp_path], scores=tmp_path / "own.csv") == 0
    out = capsys.readouterr().out
    assert "Over 4 environments\n" in out
    assert "CartPole-v1 0 to 500" in out
    assert compare([tmp_path], format="json") == 0
    aggregate = json.loads(capsys.readouterr().out)["aggregate"]
    assert aggregate["sentences"][-1].startswith("sac has an IQM of")


def test_fewer_seeds_over_environments(tmp_path, capsys):
    suite(tmp_path / "outputs", n=3)

    assert compare([tmp_path]) == 0

    out = capsys.readouterr().out
    assert "configuration  mean " in out
    assert "The mean is shown, for an IQM takes 3 environments and 5 seeds of each" in out


@pytest.mark.parametrize(
    ("file", "first"),
    [
        ("x.md", "**return over the last 10 % of the rows of each seed, compared with ppo**"),
        (
            "x.tex",
            r"\textbf{return over the last 10 \% of the rows of each seed, compared with ppo}",
        ),
        ("x.json", "{"),
        ("x.txt", "return over the last 10 % of the rows of each seed, compared with ppo"),
    ],
)
def test_the_name_of_the_file_says_the_format(outputs, capsys, file, first):
    assert compare([outputs], file) == 0

    assert capsys.readouterr().out == f"wrote {file}\n"
    text = (outputs.parent / file).read_text()
    assert text.splitlines()[0] == first
    assert text.endswith("\n")
    assert compare([outputs], "y.md", format="json") == 0
    assert json.loads((outputs.parent / "y.md").read_text())["y"] == "return"


def test_markdown_is_a_table(outputs, capsys):
    assert compare([outputs], format="markdown") == 0

    _, _, header, line, first, second, _, sentence = capsys.readouterr().out.splitlines()
    assert header.startswith("| environment | configuration | seeds | mean ± SD |")
    assert line == "|" + " --- |" * 12
    assert first.startswith(
        "| CartPole-v1 | ppo | 5 seeds | 394 ± 75 | 300 to 488 |  |  | baseline"
    )
    assert second.count("|") == 13
    assert sentence.startswith("- CartPole-v1: sac reaches")


def test_latex_is_a_table(outputs, capsys):
    assert compare([outputs], format="latex") == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[2:4] == [r"\begin{tabular}{llllllllllll}", r"\hline"]
    assert lines[6].startswith(
        r"CartPole-v1 & ppo & 5 seeds & 394 $\pm$ 75 & 300 to 488 &  &  & base"
    )
    assert lines[7].endswith(r"undecided \\")
    assert lines[8:10] == [r"\hline", r"\end{tabular}"]
    assert r"(mean $\pm$ SD; difference 91, 95 \% interval $-$" in lines[11]


HOSTILE = "a|b_c$&%#{}~^\\<i>`*[x]\x1b[31m\n\\input{/etc/passwd}"


@pytest.mark.parametrize("format", ["text", "markdown", "latex", "json"])
def test_hostile_labels_are_tamed(tmp_path, capsys, format):
    write(tmp_path / "x" / "0", X, agent__net=HOSTILE, env__id=HOSTILE)
    write(tmp_path / "x" / "1", Y, ID=1, agent__net="plain", env__id=HOSTILE)

    assert compare([tmp_path], format=format) == 0

    out = capsys.readouterr().out
    assert "\x1b" not in out
    if format == "json":
        assert json.loads(out)["environments"][0]["environment"] == HOSTILE
    elif format == "latex":
        assert r"a\textbar{}b\_c\$\&\%\#\{\}\textasciitilde{}\textasciicircum{}" in out
        assert r"\textbackslash{}" in out
        assert r"\input{" not in out
    elif format == "markdown":
        (row,) = [line for line in out.splitlines() if "plain |" in line]
        assert row.replace(r"\|", "").count("|") == 13
        assert "<i>" not in out.replace(r"\<", "").replace(r"\>", "")


def test_bad_files_are_told_and_the_rest_is_compared(outputs, capsys):
    write(outputs / "bad" / "0", X)
    (outputs / "bad" / "0" / "config.yml").write_text("a: [\n\x1b[31m")

    assert compare([outputs]) == 0

    out, err = capsys.readouterr()
    assert err.startswith("1 problems in what was read:\n")
    assert "\x1b" not in err
    assert "sac reaches" in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ({"paths": ["outptus"]}, 2, "no such folder 'outptus'; did you mean 'outputs'"),
        ({"paths": ["outputs/ppo"]}, 2, "only 'ppo'; expected two to compare; add a PATH, or keys"),
        ({"paths": ["outputs", "outputs/ppo"]}, 2, "'outputs' and 'outputs/ppo' both hold outputs"),
        ({"paths": ["link", "outputs/ppo"]}, 2, "'link' and 'outputs/ppo' both hold outputs/ppo"),
        ({"format": "pdf"}, 2, "--format: got 'pdf'; expected one of text, markdown, latex, json"),
        ({"at": -5.0}, 2, "--at: got -5.0; expected a positive number of steps"),
        ({"at": math.nan}, 2, "--at: got nan; expected a positive number of steps"),
        ({"at": math.inf}, 2, "--at: got inf; expected a positive number of steps"),
        ({"baseline": "scs"}, 2, "baseline: no configuration is 'scs'; expected such as 'sac'"),
        ({"group": "lr"}, 2, "group: no run has 'lr'; expected for example 'agent.lr'"),
        ({"y": "retrun"}, 2, "y: no run has 'retrun'; expected for example 'return'"),
        ({"scores": "own.csv"}, 2, "own.csv: No such file or directory; expected a CSV file"),
        ({"output": "gone/x.md"}, 4, "cannot write gone/x.md (No such file or directory); choose"),
        ({"output": "outputs"}, 4, "cannot write outputs (Is a directory)"),
        ({"paths": ["empty"]}, 5, "no runs in empty"),
        ({"at": 1e9}, 5, "no environment has return of two configurations at 1000000000 steps"),
    ],
)
def test_mistakes_are_answered_in_a_line(outputs, capsys, words, code, message):
    (outputs.parent / "empty").mkdir()
    os.symlink("outputs/ppo", outputs.parent / "link")

    assert compare(**{"paths": ["outputs"], **words}) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_full_disk_has_its_own_code(outputs, monkeypatch, capsys):
    def full(path, data):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("lagom.cli.compare.write_bytes", full)

    assert compare([outputs], "x.md") == 6
    assert "No space left on device" in capsys.readouterr().err


def test_environments_that_have_nothing_in_common(outputs, capsys):
    write(outputs.parent / "other" / "0", X, env__id="A")

    assert compare(["outputs/ppo", "other"]) == 5
    assert "no environment has return of two configurations yet" in capsys.readouterr().err


def test_words_of_the_command(outputs, capsys):
    line = "compare outputs --y return --at 100 --group algo.name --baseline sac --format json"
    (outputs.parent / "own.csv").write_text("env,low,high\n")

    with pytest.raises(SystemExit) as stop:
        app([*line.split(), "--scores", "own.csv", "-o", "x.json"])

    assert stop.value.code == 0
    document = json.loads((outputs.parent / "x.json").read_text())
    assert (document["baseline"], document["at"]) == ("sac", 100)
    assert document["environments"][0]["comparisons"][0]["verdict"] == "undecided"
