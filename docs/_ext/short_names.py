"""Let docstrings call things by the name their reader knows, such as `Sample` or `read_cutouts`.

A reference that is not found as it stands is looked up by its last part among all documented names of
the package, and linked if there is exactly one. A plain lower-case word that is no such name is a
parameter of the function whose docstring it stands in, and stays unlinked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Return a link, the bare text, or None if the name is wrong."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    name = target.rsplit(".", 1)[-1]
    found = {
        (entry.docname, entry.node_id)
        for full, entry in env.domains["py"].objects.items()
        if full.startswith("radiosynth.") and full.rsplit(".", 1)[-1] == name
    }
    if len(found) != 1:
        return content if node["reftype"] == "obj" and target.isidentifier() and target.islower() else None
    docname, anchor = found.pop()
    return make_refnode(app.builder, node["refdoc"], docname, anchor, content, name)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
