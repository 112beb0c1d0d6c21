"""The search offers the glossary's entry first, after every build: the glossary is written anew each time.

Sphinx forgets the index entries of pages that it does not write again, and so the terms of the glossary.
"""

from sphinx.application import Sphinx

GLOSSARY = "book/glossary"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("env-get-outdated", lambda app, env, added, changed, removed: {GLOSSARY} & env.found_docs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
