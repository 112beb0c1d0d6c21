"""Give a result a name, so that the text of a chapter can show it.

The page is built by MyST-NB, whose `glue` this is, without the tools that build books: what runs a chapter need not
have them.
"""

from typing import Any

PREFIX = "application/papermill.record/"  # hides an output from notebooks and pages; only its name finds it


def glue(name: str, value: Any, display: bool = True) -> None:
    """Store what `value` shows under `name` in the notebook, in an output of the cell that calls this.

    `display`: show it there as well. Outside IPython there is no notebook to store it in, and nothing happens.

    Source: `myst_nb.glue`, of MyST-NB 1.4.

    >>> glue("answer", 42, display=False)
    """
    try:
        from IPython.core.formatters import format_display_data
        from IPython.core.getipython import get_ipython
        from IPython.display import publish_display_data
    except ImportError:
        return
    if get_ipython() is None:
        return
    prefix = "" if display else PREFIX
    data, metadata = format_display_data(value)
    named = {**metadata, "scrapbook": {"name": name, "mime_prefix": prefix}}
    publish_display_data({prefix + kind: shown for kind, shown in data.items()}, named)
