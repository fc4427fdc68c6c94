"""Draw equations into the pages when the site is built, without a script, a font or another host.

Each becomes an inline SVG in the colour of the text around it, with its LaTeX as the description.
"""

from __future__ import annotations

import html
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import ziamath
from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SIZE = 40  # pixels of an em while drawing; the page scales it to the size of its text

ziamath.config.svg2 = False  # outlines in place: pages need no shared definitions
ziamath.config.precision = 1


@cache
def draw(latex: str, *, inline: bool) -> str:
    """Return an equation as SVG whose baseline is that of the text."""
    svg = ziamath.Latex(latex, size=SIZE, inline=inline, color="currentColor").svg()
    left, top, width, height = map(float, re.search(r'viewBox="([^"]*)"', svg)[1].split())
    body = svg[svg.index(">") + 1 :]
    return (
        f'<svg class="math" role="img" aria-label="{html.escape(latex)}" '
        f'viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" '
        f'style="width:{width / SIZE:.3f}em;height:{height / SIZE:.3f}em;'
        f'vertical-align:{-(top + height) / SIZE:.3f}em">{body}'
    )


def visit_inline(translator: Any, node: nodes.math) -> None:
    """Write an equation within a line."""
    translator.body.append(draw(node.astext(), inline=True))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """Write an equation on its own, with its number if it has one."""
    translator.body.append(translator.starttag(node, "div", CLASS="equation"))
    translator.body.append(f"<div>{draw(node.astext(), inline=False)}</div>")
    if node["number"]:
        translator.body.append(f'<span class="eqno">({node["number"]})</span>')
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer and choose it."""
    app.add_html_math_renderer("svg", (visit_inline, None), (visit_block, None))
    app.config.html_math_renderer = "svg"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
