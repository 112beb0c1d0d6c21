"""`{api} lrcourse.schedules`: the public names of a module, from their docstrings, which are Markdown."""

import importlib
import inspect
import re
from types import FunctionType, ModuleType
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

EXAMPLE = re.compile(r"^>>>.*?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)


class Api(SphinxDirective):
    """Signature, docstring and public methods of every name."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        module = importlib.import_module(self.arguments[0])
        self.env.note_dependency(inspect.getfile(module))
        return self.parse_text_to_nodes("\n\n".join(_described(module, name) for name in public(module)))


def public(module: ModuleType) -> list[str]:
    """The names that a module offers: what it lists, else the classes and functions it defines."""
    if hasattr(module, "__all__"):
        return sorted(name for name in module.__all__ if callable(getattr(module, name)))
    return sorted(
        name for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    )  # fmt: skip


def _described(module: ModuleType, name: str) -> str:
    value = getattr(module, name)
    kind = "class" if inspect.isclass(value) else "function"
    parts = [_documented(value)]
    if kind == "class":
        parts += [
            f"::::{{py:method}} {method}{_signature(getattr(value, method))}\n{_kind(each)}\n{_documented(each)}\n::::"
            for method, each in vars(value).items()
            if isinstance(each, FunctionType | classmethod | staticmethod)
            and not method.startswith("_")
            and each.__doc__
        ]
    opening = f":::::{{py:{kind}}} {name}{_signature(value)}\n:module: {module.__name__}"
    return "\n\n".join([opening, *parts]) + "\n:::::"


def _kind(method: Any) -> str:
    """The option that says what is called on the class, not on an object of it."""
    return f":{type(method).__name__}:\n" if isinstance(method, classmethod | staticmethod) else ""


def _signature(value: Any) -> str:
    """The arguments and their defaults, without the types, which the docstring explains; none for an error."""
    if inspect.isclass(value) and issubclass(value, Exception):
        return ""
    signature = inspect.signature(value)
    bare = [each.replace(annotation=each.empty) for each in signature.parameters.values() if each.name != "self"]
    return re.sub(r"<[^<>]*>", "…", str(signature.replace(parameters=bare, return_annotation=signature.empty)))


def _documented(value: Any) -> str:
    return EXAMPLE.sub(lambda example: f"```pycon\n{example[0].rstrip()}\n```", inspect.getdoc(value) or "")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("api", Api)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
