"""A chapter's number stands in the sidebar and above its text. Sphinx counts the parts that _toc.yml says are numbered.

It would write the number into the title as well, by which a page is known elsewhere: in the search, in a tab of the
browser, on a card. There it does not belong, since the next edition may count otherwise.
"""

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def bare_titles(app: Sphinx, env: BuildEnvironment) -> list[str]:
    for title in env.titles.values():
        title.attributes.pop("secnumber", None)
    return []


def sidebars(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """The pages to write again: all of them when the sidebar, which each shows, has other chapters or another order."""
    shown = [(page, env.titles[page].astext()) for page in app.config.external_site_map if page in env.titles]
    changed = getattr(env, "sidebar", shown) != shown
    env.sidebar = shown  # type: ignore[attr-defined]  # kept with the environment until the next build
    return sorted(env.found_docs) if changed else []


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("env-get-updated", bare_titles, priority=900)  # when the chapters have been counted
    app.connect("env-get-updated", sidebars)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
