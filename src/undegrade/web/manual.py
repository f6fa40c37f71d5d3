"""The service's manual as one page, made of its OpenAPI description; nothing in it is fetched from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; font-size: 1.1rem; } code { font-size: .95em; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .75rem .25rem 0; }
th, td { vertical-align: top; }
tr { border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
.wide { overflow-x: auto; }
"""


def manual(openapi: dict[str, Any]) -> str:
    """The page.

    Args:
        openapi: the description, as a dict.
    """
    parts = [
        _operation(method.upper(), path, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    title = escape(f"{openapi['info']['title']} {openapi['info']['version']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><h1>{title}</h1>'
        f"<p>{escape(openapi['info'].get('description', ''))} The same for programs: "
        f'<a href="/openapi.json">openapi.json</a>.</p>{"".join(parts)}</body></html>'
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [_row(parameter) for parameter in operation.get("parameters", [])]
    body = operation.get("requestBody", {}).get("content", {})
    sends = f"<p>Takes a picture as {escape(', '.join(body))}.</p>" if body else ""
    table = f'<div class="wide"><table>{"".join(rows)}</table></div>' if rows else ""
    about = escape(operation.get("description", ""))
    return f"<h2><code>{method} {escape(path)}</code></h2><p>{about}</p>{sends}{table}"


def _row(parameter: dict[str, Any]) -> str:
    schema = parameter.get("schema", {})
    kinds = [one.get("type", "") for one in schema.get("anyOf", [schema])]
    kind = " or ".join(name for name in kinds if name and name != "null")
    start = f", {escape(str(schema['default']))} unless given" if schema.get("default") not in (None, "") else ""
    about = escape(parameter.get("description", schema.get("description", "")))
    return f"<tr><th><code>{escape(parameter['name'])}</code></th><td>{escape(kind)}{start}</td><td>{about}</td></tr>"
