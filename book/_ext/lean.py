"""Pages that load fast: style rules, icons and scripts of the theme that no page uses are left out of the built site,
and a picture has 256 colors and is loaded when the reader comes near it.

The theme ships two megabytes for every page: all icons twice, as a font and as a script, and the styles of every
component that it knows.
"""

import functools
import hashlib
import logging
import re
from pathlib import Path

import sphinx_design
import tinycss2
from fontTools import subset
from fontTools.ttLib import TTFont
from PIL import Image
from sphinx.application import Sphinx

logging.getLogger("fontTools").setLevel(logging.WARNING)  # the theme's pygments styles turn every library's log on

ICONS_SCRIPT = r'<script defer src="[^"]*fontawesome\.js[^"]*"></script>\n?'  # the icons are there as a font
SEARCH_SCRIPTS = r'<script src="[^"]*(?:searchtools|language_data|searchindex|section_search)\.js[^"]*"></script>\n?'
FORMULA_FILES = r"<link [^>]*katex\.min\.css[^>]*>\n?|<script [^>]*(?:katex\.min|/math)\.js[^>]*></script>\n?"
VIEWPORTS = r'<meta name="viewport"[^>]*>\n?(?=.*<meta name="viewport")'  # all but the last: three parts add one each
STYLES = ("styles/pydata-sphinx-theme.css", "sphinx-design.min.css")
FONTS = "vendor/fontawesome/webfonts"
IMAGE = re.compile(r'<img (?![^>]*loading=)([^>]*?src="([^"]+\.png)"[^>]*)>')


def slim_page(html: str, page: Path) -> str:
    """The page without scripts that it does not need; its pictures wait until they are near, their place kept."""
    html = re.sub(ICONS_SCRIPT, "", html)
    html = re.sub(VIEWPORTS, "", html, flags=re.DOTALL)
    if 'id="search-results"' not in html:
        html = re.sub(SEARCH_SCRIPTS, "", html)
    if 'class="math notranslate' not in html:
        html = re.sub(FORMULA_FILES, "", html)
    return IMAGE.sub(lambda match: _waiting(match, page), html)


def _waiting(match: re.Match[str], page: Path) -> str:
    width, height = _size(page.parent / match[2])
    sized = "" if re.search(r'\b(width|height)[:="]', match[1]) else f' width="{width}" height="{height}"'
    return f'<img loading="lazy" decoding="async"{sized} {match[1]}>'


def fewer_colors(picture: Image.Image, most: int = 256) -> Image.Image:
    """The picture in the colors that serve it best: a third of the bytes, and with 256 no eye tells them apart.

    Each color counts by how far it is from the others, so that the thin line of a series keeps its own.
    """
    return picture.convert("RGB").quantize(most, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)


def slim_picture(path: Path) -> None:
    with Image.open(path) as picture:
        if picture.mode == "P":
            return
        few = fewer_colors(picture)
    few.save(path, optimize=True)


@functools.cache
def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def slim_styles(css: str, words: set[str]) -> str:
    """The rules whose class names all occur among `words`, the words of the pages and their scripts.

    >>> slim_styles("a{top:0} .b,.c{top:0} @media print{.b{top:0}}", {"c"})
    'a{top:0}.c{top:0}'
    """
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    return "".join(_kept(rule, words) for rule in rules)


def _kept(rule: tinycss2.ast.Node, words: set[str]) -> str:
    if rule.type == "qualified-rule":
        selectors = _split(rule.prelude)
        kept = [each for each in selectors if set(re.findall(r"\.(-?[A-Za-z_][\w-]*)", each)) <= words]
        return f"{','.join(kept)}{{{tinycss2.serialize(rule.content)}}}" if kept else ""
    if rule.type == "at-rule" and rule.at_keyword in ("media", "supports") and rule.content is not None:
        inner = slim_styles(tinycss2.serialize(rule.content), words)
        return f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inner}}}" if inner else ""
    return str(rule.serialize())


def _split(prelude: list[tinycss2.ast.Node]) -> list[str]:
    """The selectors of a rule: its tokens, split at the commas that are not within parentheses."""
    groups: list[list[tinycss2.ast.Node]] = [[]]
    for token in prelude:
        if token.type == "literal" and token.value == ",":
            groups.append([])
        else:
            groups[-1].append(token)
    return [tinycss2.serialize(group).strip() for group in groups]


def icons(css: str) -> set[int]:
    """The characters of the icon font that the rules draw, those for private use, as they are or as escapes.

    >>> [hex(character) for character in sorted(icons('.fa-sun:before{content:"\\uf185"} .aim{--sign:"\\\\f140"}'))]
    ['0xf140', '0xf185']
    """
    escaped = {int(digits, 16) for digits in re.findall(r"\\([0-9a-fA-F]{4})\b", css)}
    return {ord(character) for character in re.findall(r"[\ue000-\uf8ff]", css)} | {
        each for each in escaped if 0xE000 <= each <= 0xF8FF
    }


def slim_site(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.name != "html":
        return
    site = Path(app.outdir)
    pages = sorted(site.rglob("*.html"))
    for page in pages:
        html = page.read_text(encoding="utf-8")
        if (slim := slim_page(html, page)) != html:
            page.write_text(slim, encoding="utf-8")
    for picture in (site / "_images").glob("*.png"):
        slim_picture(picture)
    scripts = [path for path in (site / "_static").rglob("*.js") if path.name != "fontawesome.js"]
    words = {word for path in [*pages, *scripts] for word in re.findall(r"-?[A-Za-z_][\w-]*", _text(path))}
    drawn = icons(_text(site / "_static" / "custom.css"))
    for name in STYLES:
        original = _original(app, name)  # not the built file: a page may use today what it did not use yesterday
        css = _remembered(Path(app.doctreedir) / "lean", _text(original), words)
        drawn |= icons(css)
        (site / "_static" / name).write_text(css, encoding="utf-8")
    for font in (site / "_static" / FONTS).glob("*.ttf"):
        _slim_font(_original(app, f"{FONTS}/{font.name}"), font, drawn)
    for unused in ("**/*.map", "**/fontawesome.js*", "*webpack-macros.html", f"{FONTS}/*.woff2"):
        for path in (site / "_static").glob(unused):
            path.unlink()


def _remembered(folder: Path, css: str, words: set[str]) -> str:
    """The slim styles, with one of two font formats; parsing takes seconds, so they are kept between builds."""
    known = words & set(re.findall(r"-?[A-Za-z_][\w-]*", css))
    kept = folder / hashlib.sha256(f"{css}{sorted(known)}".encode()).hexdigest()
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        one_format = re.sub(r"""url\([^)]*\.woff2"?\)\s*format\("woff2"\),""", "", css)
        kept.write_text(slim_styles(one_format, words), encoding="utf-8")
    return _text(kept)


def _slim_font(source: Path, target: Path, characters: set[int]) -> None:
    font = TTFont(source, recalcTimestamp=False)
    subsetter = subset.Subsetter(subset.Options(layout_features=[], notdef_outline=True))
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    font.save(target)


def _original(app: Sphinx, name: str) -> Path:
    folders = [Path(each) / "static" for each in app.builder.theme.get_theme_dirs()]  # type: ignore[attr-defined]
    folders.append(Path(sphinx_design.__file__).parent / "static")
    return next(folder / name for folder in folders if (folder / name).exists())


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", slim_site, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
