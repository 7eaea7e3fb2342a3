"""How the API pages are made of the docstrings: ``nox -s docs``."""

from importlib import import_module

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.util import inspect, logging

import lagom

project = "lagom"
version = release = lagom.__version__
extensions = ["sphinx.ext.autodoc"]

html_theme = "furo"
html_title = f"lagom {release}"
html_math_renderer = "mathml"
html_copy_source = html_show_copyright = False

autodoc_default_options = {
    "members": True,
    "special-members": "__call__",
    # What lagom's own bases and Gymnasium's vectors have, but not all that torch and Python add.
    "inherited-members": "ABC,Enum,Generic,Linear,Module,ObservationWrapper,Wrapper,dict,int,"
    "list,tuple",
    "exclude-members": "action_space, closed, metadata, np_random, np_random_seed, num_envs, "
    "observation_space, render_mode, single_action_space, single_observation_space, spec",
}
autodoc_member_order = "bysource"
GOOGLE = Config(
    napoleon_custom_sections=[("Reference", "References")],
    napoleon_use_ivar=True,
    napoleon_use_rtype=False,
)

for name in ("lagom", "lagom.experiment", "lagom.vis"):  # autodoc sees no lazy names
    module = import_module(name)
    vars(module).update({key: getattr(module, key) for key in module.__all__})


def sections(app, what, name, obj, options, lines):
    """Google sections to reST; napoleon alone would leave those of a property as they are."""
    what = "method" if what == "property" else what
    lines[:] = GoogleDocstring(lines, GOOGLE, app, what, name, obj, options).lines()


def inline_math(writer, node):
    """Formulas become MathML when the pages are built: no script, no network to read them."""
    writer.body.append(convert(node.astext()))
    raise SkipNode


def display_math(writer, node):
    """A formula on its own; ``&`` aligns its lines."""
    latex = node.astext()
    if r"\\" in latex:
        latex = rf"\begin{{align*}}{latex}\end{{align*}}"
    writer.body.append(f"<p>{convert(latex, display='block')}</p>\n")
    raise SkipNode


def constructor(app, what, name, obj, options, signature, returns):
    """The arguments of a wrapper are those of ``__init__``; ``__new__`` takes any."""
    if what == "class" and issubclass(obj, lagom.envs.VecEnvWrapper):
        init = inspect.signature(obj.__init__, bound_method=True)
        return inspect.stringify_signature(init, show_annotation=False), None


def resolve(app, env, node, contnode):
    """Docstrings name their neighbours by the last name, and every such name leads somewhere."""
    if "refexplicit" not in node or "refspecific" in node or node["reftype"] == "attr":
        return None  # a type, or an attribute in the words of Gymnasium
    name = node["reftarget"]
    # lagom.data.TimeStep is told of as lagom.TimeStep
    ending = "." + (name.rpartition(".")[2] if name.startswith("lagom.") else name)
    domain = env.get_domain("py")
    found = [name for name in domain.objects if name.endswith(ending)]
    if not found:
        logging.getLogger(__name__).warning("%s leads nowhere", name, location=node)
        return None
    where = node["refdoc"], app.builder, node["reftype"], min(found, key=len)
    return domain.resolve_xref(env, *where, node, contnode)


def setup(app):
    """Sphinx calls this."""
    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
    app.connect("autodoc-process-docstring", sections)
    app.connect("autodoc-process-signature", constructor)
    app.connect("missing-reference", resolve)
