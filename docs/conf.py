from docutils.nodes import SkipNode, math_block

import skdistill

project = "skdistill"
author = "The skdistill developers"
copyright = "2026, The skdistill developers"
release = version = skdistill.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "myst_parser",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
default_role = "literal"
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
numpydoc_show_class_members = False
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "generated/gallery",
    "abort_on_example_error": True,
    "write_computation_times": False,  # a page with scripts from the network
}

html_title = "skdistill"
html_theme = "pydata_sphinx_theme"
html_theme_options = {"logo": {"text": "skdistill"}}
html_context = {"default_mode": "auto"}  # light or dark, as the browser asks for
html_logo = html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["skdistill.css"]
html_sidebars = dict.fromkeys(
    ["index", "quickstart", "faq", "glossary", "changes", "genindex", "search"], []
)
html_show_sourcelink = False
html_math_renderer = "mathml"  # Browsers draw it without a script.
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True


def write_math(writer, node):
    # Here, as pytest imports this file, beside a docutils of any age.
    from docutils.utils.math.latex2mathml import tex2mathml

    block = isinstance(node, math_block)
    writer.body.append(tex2mathml(node.astext(), as_block=block))
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (write_math, None), (write_math, None))
