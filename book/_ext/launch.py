"""Where a published notebook is opened: the buttons of its page, and `{lab-notebook}` on the page of a lab.

Colab and Binder open what `publish` wrote, from the branch that the site is published on.
"""

import re
from typing import Any
from urllib.parse import urlencode

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxRole

BRANCH = "gh-pages"  # where publish.yml puts the built site
FOLDER = "_sources"  # of the site: the place to which Sphinx copies what pages are made from
LAB_PAGE = re.compile(r"book/lab-(\d)-([\w-]+)")
ICONS = {"Binder": "svg", "JupyterHub": "svg", "Colab": "png"}  # of the theme


def notebook_of(env: BuildEnvironment, page: str) -> str | None:
    """The notebook that a page is made from, or the lab that it tells of, below the root; `None` for other pages."""
    if found := LAB_PAGE.fullmatch(page):
        return lab(f"0{found[1]}-{found[2]}")
    return f"{page}.ipynb" if env.doc2path(page).endswith(".ipynb") else None


def lab(name: str) -> str:
    return f"labs/{name}/{name}.ipynb"


def addresses(config: Config, notebook: str) -> dict[str, str]:
    """Where the notebook is opened, by the name of the service, for those that _config.yml names."""
    services = config.html_theme_options["launch_buttons"]
    repository = config.html_theme_options["repository_url"]
    name = repository.partition("github.com/")[2]
    tree = f"lab/tree/{name.partition('/')[2]}/{FOLDER}/{notebook}"
    pulled = urlencode({"repo": repository, "branch": BRANCH, "urlpath": tree}, safe="/")
    made = {
        "Binder": (services["binderhub_url"], f"/v2/gh/{name}/{BRANCH}?urlpath=lab/tree/{FOLDER}/{notebook}"),
        "JupyterHub": (services["jupyterhub_url"], f"/hub/user-redirect/git-pull?{pulled}"),
        "Colab": (services["colab_url"], f"/github/{name}/blob/{BRANCH}/{FOLDER}/{notebook}"),
    }
    return {service: base.rstrip("/") + rest for service, (base, rest) in made.items() if base}


def add_buttons(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Put our buttons in the place of the theme's, which lead to the source of a page."""
    if doctree is None or (notebook := notebook_of(app.env, pagename)) is None:
        return
    buttons = [
        {"type": "link", "text": service, "tooltip": f"Open on {service}", "url": address,
         "icon": f"_static/images/logo_{service.lower()}.{ICONS[service]}"}
        for service, address in addresses(app.config, notebook).items()
    ]  # fmt: skip
    others = [each for each in context["header_buttons"] if each.get("label") != "launch-buttons"]
    group = {"type": "group", "tooltip": "Run the notebook", "icon": "fas fa-rocket", "label": "launch-buttons"}
    context["header_buttons"] = [{**group, "buttons": buttons}, *others]


class LabNotebook(SphinxRole):
    """A lab's notebook: to download, and to open elsewhere."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        name = lab(self.text)
        here = "../" * self.env.docname.count("/") + f"{FOLDER}/{name}"
        links = {f"{self.text}.ipynb": here} | addresses(self.env.config, name)
        found = [nodes.reference("", text, refuri=address, internal=False) for text, address in links.items()]
        return [each for link in found for each in (nodes.Text(" · "), link)][1:], []


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_role("lab-notebook", LabNotebook())
    app.connect("html-page-context", add_buttons, priority=600)  # after the theme's
    return {"parallel_read_safe": True, "parallel_write_safe": True}
