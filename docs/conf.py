import skdistill

project = "skdistill"
author = "The skdistill developers"
copyright = "2026, The skdistill developers"
release = version = skdistill.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "myst_parser",
    "numpydoc",
    "sphinx_copybutton",
]
default_role = "literal"
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
numpydoc_show_class_members = False

html_title = "skdistill"
html_theme = "pydata_sphinx_theme"
html_show_sourcelink = False
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
