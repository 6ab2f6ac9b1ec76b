"""How Sphinx builds the site; ``scripts/build_docs.py`` calls it."""

import re

from fastdnn import __version__

project = "fastdnn"
author = "the fastdnn developers"
copyright = author
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["templates"]
exclude_patterns = ["examples", "templates", "examples_run/**/*.ipynb", "files"]
root_doc = "index"
default_role = "py:obj"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say them in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_attributes_as_param_list = True

# Examples are sorted by a class, which Sphinx cannot keep from one build to the next.
suppress_warnings = ["config.cache"]
# Types of variables that are no class of ours, and what is declared elsewhere.
nitpick_ignore_regex = [("py:.*", r"(?!fastdnn\b).*")]

html_theme = "pydata_sphinx_theme"
html_title = f"fastdnn {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "fastdnn"},
    "header_links_before_dropdown": 6,
    "navbar_persistent": ["search-button"],
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_version_warning_banner": False,
}
# Unless it is said, the theme complains in the browser's console.
html_context = {"default_mode": "auto"}
# Pages with no others below them.
html_sidebars = {
    name: [] for name in ("install", "when_not", "benchmarks", "changes", "contributing")
}


class _Order:
    """In what order the examples are shown: whoever adds one says where."""

    names = (
        *("first_steps", "from_mlp_classifier", "from_skorch", "from_keras"),
        *("table_with_categories", "imbalanced_classes", "sparse_text", "quantiles"),
        *("members_and_intervals", "search", "larger_than_memory", "cluster"),
        "own_loss",
        *("reproducibility", "decision_boundary", "step_by_step"),
    )

    def __init__(self, folder):
        pass

    def __call__(self, file):
        return self.names.index(file.removesuffix(".py"))


sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "examples_run",
    "filename_pattern": r"[\\/]\w+\.py$",
    "within_subsection_order": _Order,
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("fastdnn",),
    "abort_on_example_error": False,
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "plot_gallery": not tags.has("without_examples"),  # noqa: F821 - Sphinx has it
}

# References that scikit-learn's docstrings make to pages of its own.
_THEIRS = re.compile(r":(?:ref|term|doc):`([^`<]+?)\s*(?:<[^`]+>)?`")


# Names that end in an underscore are links in reStructuredText.
_SHAPES = re.compile(r"(?<![`\w])(n_features_(?:in|out))_(?=[,)])")


def _without_their_references(app, what, name, obj, options, lines):
    """Leave the words of what is no reference here."""
    lines[:] = [_SHAPES.sub(r"\1\_", line) for line in lines]
    module = getattr(obj, "__module__", None) or ""
    if not module.startswith("fastdnn"):
        lines[:] = [_THEIRS.sub(r"``\1``", line) for line in lines]


def setup(app):
    """Connect what is above."""
    # Before numpydoc's, which puts the lines into sections.
    app.connect("autodoc-process-docstring", _without_their_references, priority=100)
