"""What a comparison says, in the words that would stand under the figure."""

import math

from lagom.vis.style import plain, shorten

_TESTS = {"welch": "Welch", "paired": "paired by seed"}


def name(text):
    """A label or an environment as it is shown: on one line, of bounded length."""
    return shorten(plain(text))


def number(value, spread):
    """A number to as many places as its spread over the seeds leaves it.

    Args:
        value (float): what to write; ``-`` stands for NaN.
        spread (float): a standard deviation, of which two digits matter.

    Returns:
        str: decimal, or with an exponent from ten million on.

    Example:
        >>> number(412.3456, 61.2), number(412.3456, 0.25), number(float("nan"), 1.0)
        ('412', '412.35', '-')
    """
    if not math.isfinite(value):
        return "-"
    if abs(value) >= 1e7:
        return f"{value:.3g}"
    spread = spread if math.isfinite(spread) and spread > 0 else abs(value) / 10 or 1.0
    places = min(max(1 - math.floor(math.log10(spread)), 0), 9)
    return f"{round(value, places) + 0.0:.{places}f}"  # + 0.0: there is no -0


def spread_of(cells):
    """The largest standard deviation of an environment, for ``number``; NaN without any."""
    return max((cell["sd"] for cell in cells if math.isfinite(cell["sd"])), default=math.nan)


def probability(p):
    """A probability of a test, as it is printed."""
    return "-" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.2g}"


def pair_sentence(pair, part, document):
    """What there is to say of a configuration against the baseline in one environment.

    Args:
        pair (dict): one of ``part["comparisons"]``.
        part (dict): one of ``document["environments"]``.
        document (dict): as ``compare_curves`` gave it.

    Returns:
        str: one or two sentences.
    """
    cells = {cell["label"]: cell for cell in part["configurations"]}
    label, baseline = name(pair["label"]), name(pair["baseline"])
    if pair["method"] is None:
        return f"{label} and {baseline} are not compared: {pair['why']}."
    spread = spread_of(part["configurations"])
    a, b = (_reached(cells[pair[key]], spread) for key in ("label", "baseline"))
    inside = [f"mean ± SD; difference {number(pair['difference'], spread)}"]
    if not pair["why"]:
        ends = f"{number(pair['low'], spread)} to {number(pair['high'], spread)}"
        inside += [f"95 % interval {ends}", _TESTS[pair["method"]]]
    is_paired = pair["method"] == "paired"
    inside.append(f"n = {pair['n']} pairs" if is_paired else f"n = {pair['n']} and {pair['m']}")
    text = f"{label} reaches {a} against {b} for {baseline}"
    if pair["why"]:
        return f"{text} ({', '.join(inside)}): untested, {pair['why']}."
    inside.append(_p(pair["p_holm"], document["num_test"]))
    return f"{text} ({', '.join(inside)}): {pair['verdict']}. {_plan(pair, spread, document)}"


def _reached(cell, spread):
    mean = number(cell["mean"], spread)
    return f"{mean} ± {number(cell['sd'], spread)}" if math.isfinite(cell["sd"]) else mean


def _p(p, num_test):
    text = probability(p)
    text = f"p {text}" if text.startswith("<") else f"p = {text}"
    return text + (f" after Holm over {num_test}" if num_test > 1 else "")


def _plan(pair, spread, document):
    """What the seeds can tell, and how many would tell half of it."""
    level = f" at 0.05/{document['num_test']}" if document["num_test"] > 1 else ""
    power = f"{100 * document['power']:.0f} % power"
    detectable = number(pair["detectable"], spread)
    half = number(pair["detectable"] / 2, spread)
    return (
        f"With these seeds a difference of {detectable} can be detected with {power}{level}; "
        f"{pair['seeds_for_half']} seeds each would detect {half}."
    )


def aggregate_sentences(aggregate):
    """What there is to say over all environments: the scale, each comparison, the caveats.

    Args:
        aggregate (dict): that of ``compare_curves``.

    Returns:
        list of str: a sentence or two each.
    """
    lines = [f"{name(e)} is left out: {why}." for e, why in aggregate["left_out"].items()]
    if aggregate["statistic"] == "none":
        return [*lines, f"No aggregate: {aggregate['why']}."]
    scale = (f"{name(e)} {a:g} to {b:g}" for e, (a, b) in aggregate["environments"].items())
    lines.insert(0, f"Scores are 0 for a random policy and 1 for a reference: {', '.join(scale)}.")
    is_iqm = aggregate["statistic"] == "iqm"
    if not is_iqm:
        lines.append(f"The mean is shown, for {aggregate['why']}.")
    elif aggregate["n"] < 10:
        lines.append(
            "Bootstrap intervals of fewer than 10 seeds are widened (expanded percentiles); where "
            "single seeds fail, they may still hold the truth in fewer than 95 of 100 cases."
        )
    return lines + [_aggregate_pair(row, aggregate, is_iqm) for row in aggregate["comparisons"]]


def _aggregate_pair(row, aggregate, is_iqm):
    values = {cell["label"]: cell["value"] for cell in aggregate["configurations"]}
    a, b = (f"{values[row[key]]:.2f}" for key in ("label", "baseline"))
    what = "expanded bootstrap" if is_iqm else "Student-t"
    inside = f"difference {row['difference']:.2f}"
    if row["verdict"] != "untested":
        level = f"{100 * row['level']:.3g} % {what} interval"
        inside += f", {level} {row['low']:.2f} to {row['high']:.2f}"
    statistic = "IQM" if is_iqm else "mean"
    label, baseline = name(row["label"]), name(row["baseline"])
    return (
        f"{label} has {'an' if is_iqm else 'a'} {statistic} of {a} against {b} for {baseline} "
        f"({inside}): {row['verdict']}. A seed of {label} is ahead of one of {baseline} with "
        f"probability {row['probability']:.2f}."
    )
