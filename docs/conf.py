"""Configuration of the site: `tox -e docs` builds it into docs/_build/html."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

# The gallery runs its scripts at the scale of the environment; they learn of it in the same way.
SCALE = os.environ.setdefault("RADIOSYNTH_SCALE", "smoke")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Figures and tables of the site are its own: those that a user has drawn stay as they are.
os.environ["RADIOSYNTH_PAPER"] = str(Path(__file__).resolve().parent / "_made" / "paper")

import colab  # noqa: E402  (from _ext)
import pypandoc  # noqa: E402
import scale_of_page  # noqa: E402
from figure_role import SECTIONS  # noqa: E402

import radiosynth  # noqa: E402  (after the scale is set)
from radiosynth.reproduction import scales  # noqa: E402

# nbsphinx calls pandoc by name; it comes with a package.
os.environ["PATH"] += os.pathsep + str(Path(pypandoc.get_pandoc_path()).parent)

project = "radiosynth"
author = "The radiosynth developers"
project_copyright = author
version = release = radiosynth.__version__

extensions = [
    "colab",
    "figure_role",
    "interactive",
    "mathsvg",
    "nbsphinx",
    "numpydoc",
    "pages",
    "paper_page",
    "report_table",
    "short_names",
    "speed",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
]
bibtex_bibfiles = ["../radiosynth/data/references.bib"]
bibtex_reference_style = "author_year"
templates_path = ["_templates"]
exclude_patterns = ["_build", "_made", "_scripts", "gallery/**/*.md5", "gallery/**/*.ipynb"]
rst_epilog = f""".. |scale| replace:: {scales.shown(SCALE)}
.. |extensions scale| replace:: {scale_of_page.OF_EXTENSIONS}"""

# References ----------------------------------------------------------------------------------------
nitpicky = True
default_role = "py:obj"
# Other packages: their pages are not looked up, so that the site builds without a network.
nitpick_ignore_regex = [
    (r"py:.*", rf"{package}(\..*)?")
    for package in (
        "astropy",
        "astroquery",
        "collections",
        "keras",
        "matplotlib",
        "numpy",
        "optuna",
        "pathlib",
        "pooch",
        "scipy",
        "skimage",
    )
]

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc lists the types beside the parameters
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# The gallery: one script, one figure, one page -------------------------------------------------------
sphinx_gallery_conf = {
    "examples_dirs": [f"../examples/{section}" for section in SECTIONS],
    "gallery_dirs": [f"gallery/{section}" for section in SECTIONS],
    "filename_pattern": r"plot_",
    "within_subsection_order": "figure_role.FigureOrder",
    # A name and not the function itself, so that Sphinx can tell whether the configuration changed.
    "image_scrapers": ("matplotlib", "gifscraper.gif_scraper"),
    # Tables show themselves; what a plotting call returns is of no interest.
    "capture_repr": ("_repr_html_",),
    "reset_modules": ("matplotlib", "scale_of_page.set_scale"),
    # Two at a time, as in paper/make.py: two cores and 4 GB are enough.
    "parallel": 2,
    # A page depends on the package and on the runs, not on its script alone.
    "run_stale_examples": True,
    "min_reported_time": 0,
    "thumbnail_size": (320, 224),
    # Its page of run times loads a script from another host; each page shows its own time anyway.
    "write_computation_times": False,
    "remove_config_comments": True,
    "first_notebook_cell": colab.install_cell(),
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("radiosynth",),
    "default_thumb_file": str(Path(__file__).parent / "_static" / "table.svg"),
}

# Notebooks: stored without outputs, so that they are run here -----------------------------------------
nbsphinx_epilog = """
{% if env.docname == "notebooks/train_a_gan" %}
.. figure:: /_made/training.gif
   :alt: Animation: while a generator learns, grey patches become radio galaxies of four classes.

   What learning looks like: the full-scale network, trained for five minutes on a GPU, one class per row.
{% endif %}
"""
nbsphinx_execute = "always"
nbsphinx_timeout = 600
# At laptop scale one of them takes minutes; it says itself at which scale it is shown.
nbsphinx_execute_arguments = [
    "--IPKernelApp.exec_lines=import os; os.environ['RADIOSYNTH_SCALE'] = 'smoke'",
    "--IPKernelApp.capture_fd_output=False",  # TensorFlow's log is not for the page
]
nbsphinx_requirejs_path = nbsphinx_widgets_path = ""  # both are on another host

# The look --------------------------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = "radiosynth"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["radiosynth.css"]
html_js_files = [("access.js", {"defer": "defer"})]
html_show_sourcelink = False
html_context = {"default_mode": "auto", "repository": colab.repository()}
html_theme_options = {
    "logo": {"text": "radiosynth"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "footer_start": ["about"],
    "footer_end": [],
    "show_toc_level": 2,
    "show_nav_level": 1,
    "secondary_sidebar_items": ["page-toc"],
    "back_to_top_button": False,
}
html_sidebars = {
    page: []
    for page in (
        *("index", "report", "errata", "paper", "references", "learn", "extend", "contributing"),
        *("interactive/classify", "interactive/generator", "interactive/simulator"),
    )
}
