"""The pages that the grader writes: whatever is put in is escaped, and a page holds no script and may load nothing."""

from jinja2 import DictLoader, Environment, StrictUndefined, Template

LAYOUT = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{% block title %}{% endblock %}</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
{% block style %}{% endblock %}

</style>
</head>
<body>
{% block body %}{% endblock %}
</body>
</html>
"""
PAGES = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    loader=DictLoader({"layout": LAYOUT}),
)  # fmt: skip


def page_of(title: str, style: str, body: str) -> Template:
    """A page with this title, looks of its own and body, each as Jinja2 reads it.

    >>> page_of("{{ name }}", "p { margin: 0 }", "<p>{{ name }}</p>").render(name="<ada>").count("&lt;ada&gt;")
    2
    """
    blocks = {"title": title, "style": style, "body": body}
    parts = (f"{{% block {name} %}}{text}{{% endblock %}}" for name, text in blocks.items())
    return PAGES.from_string("{% extends 'layout' %}" + "".join(parts))
