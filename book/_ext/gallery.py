"""`{figure-gallery}`: every figure of the book, small, with a link to its place and the command that draws it."""

import base64
import io
from pathlib import Path

import nbformat
from docutils import nodes
from lean import fewer_colors
from PIL import Image
from quiz import tag
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from lrcourse.course.figures import Figure, cells, find, picture

WIDTH = 320  # pixels: a hundred pictures on one page


class Gallery(SphinxDirective):
    """The figures in the order of the book, a section for each chapter."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        figures = find(root)
        lines: list[str] = []
        for page in dict.fromkeys(figure.page for figure in figures):
            self.env.note_dependency(str(root / page))
            drawn = cells(nbformat.read(root / page, as_version=4))
            lines += [f"**[](/{page})**", "::::{grid} 1 2 2 3", ":gutter: 3", ""]
            lines += [
                _card(root, figure, picture(drawn[figure.name], "image/png"))
                for figure in figures
                if figure.page == page
            ]
            lines += ["::::", ""]
        return self.parse_text_to_nodes("\n".join(lines))


def _card(root: Path, figure: Figure, png: str) -> str:
    """The stored picture, small, below the output folder, from where Sphinx copies it."""
    file = root / "_build" / "gallery" / f"{figure.name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    picture.thumbnail((WIDTH, 10 * WIDTH))
    fewer_colors(picture, 64).save(file, optimize=True)
    alt = figure.alt.replace("[", "(").replace("]", ")")
    return f""":::{{grid-item-card}}
```{{drawn-by}} lrcourse figures --only {figure.name}
[![{alt}](/{file.relative_to(root)})](#{figure.name})
```
:::"""


class DrawnBy(SphinxDirective):
    """A picture with the command that draws it as its caption, and without a number of its own."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        caption = tag(tag="figcaption", html={})
        caption += nodes.literal(text=self.arguments[0])
        figure = tag(tag="figure", html={})
        figure += [*self.parse_content_to_nodes(), caption]
        return [figure]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("figure-gallery", Gallery)
    app.add_directive("drawn-by", DrawnBy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
