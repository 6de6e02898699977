"""A small page in which nothing is wrong, and that can be spoiled: what tests/browser tries its checks on."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

STYLE = """
body { margin: 0; font: 16px/1.5 sans-serif; color: #1a1a1a; background: #fff }
main { padding: 1em }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #111 } }
@media print { .control { display: none } details::details-content { content-visibility: visible; display: block } }
"""
SCRIPT = """
const range = document.querySelector("input"), said = document.querySelector("output");
const texts = document.querySelectorAll("li");
const show = () => {
    said.textContent = texts[range.value].textContent;
    range.setAttribute("aria-valuetext", said.textContent);
};
range.addEventListener("input", show);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(one => one.open = true));
document.querySelector(".control").hidden = false;
show();
"""


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def standin(body: str = "", *, style: str = "", script: str = "", policy: bool = True) -> str:
    """The page, with more at its end, with more style and script of its own, or without its policy."""
    styles, scripts = STYLE + style, SCRIPT + script
    said = (
        f"default-src 'none'; style-src {_source(styles)}; script-src {_source(scripts)}; "
        "base-uri 'none'; form-action 'none'"
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{said}">' if policy else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">{meta}<meta name="viewport" content="width=device-width">
<title>A page</title><style>{styles}</style></head>
<body><main><h1>A page</h1>
<div class="control" hidden><label>State <input type="range" min="0" max="2" value="0"></label> <output></output></div>
<ol><li>before</li><li>after call 1: closed</li><li>as declared</li></ol>
<details><summary>More</summary><p>tcp 5432 from 0.0.0.0/0</p></details>
{body}</main><script>{scripts}</script></body></html>"""
