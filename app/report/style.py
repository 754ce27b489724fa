"""The style sheet of a report card: the theme's colours for light and dark, one column on a phone, and for print."""

from __future__ import annotations

from app.charts import export
from app.charts.export import Look

_NAMES = {
    "ground": "backgroundColor",
    "panel": "secondaryBackgroundColor",
    "ink": "textColor",
    "soft": "grayTextColor",
    "line": "borderColor",
    "accent": "primaryColor",
}

_RULES = """
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 sans-serif}
main{max-width:62rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}
h1,h2{font-family:serif;line-height:1.2;overflow-wrap:anywhere}
h1{font-size:2rem;margin:0}
h2{font-size:1.4rem;margin:2.2rem 0 .6rem;padding-top:.9rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:0 0 .4rem;overflow-wrap:anywhere}
h4{font-size:.85rem;margin:.5rem 0 .25rem;color:var(--soft)}
.over,.under,figcaption{color:var(--soft);margin:0;font-size:.9rem}
.answer{font-size:1.2rem;line-height:1.4;margin:1.1rem 0;padding:.8rem 1rem;background:var(--panel);
border-left:4px solid var(--accent);overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.3rem,1fr));gap:.6rem;margin:1rem 0}
.tiles div{border:1px solid var(--line);border-radius:4px;padding:.5rem .7rem}
.tiles dt{font-size:.8rem;color:var(--soft);font-weight:normal}
.tiles dd{margin:0}
.tiles b{display:block;font-size:1.35rem;font-weight:600;line-height:1.3}
.tiles span{font-size:.8rem;color:var(--soft)}
ul{padding-left:1.2rem;margin:.5rem 0}
li{margin:.25rem 0;overflow-wrap:anywhere}
dt{font-weight:600}
dd{margin:0 0 .4rem}
.figures{columns:2;column-gap:1.5rem}
figure{margin:0 0 1.8rem;break-inside:avoid}
svg{display:block;max-width:100%;height:auto}
.dark{display:none}
section{margin:1.3rem 0}
.tables section{display:inline-block;vertical-align:top;max-width:100%;margin:.6rem 0 .8rem;padding-right:2.5rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.25rem 1.1rem .25rem 0;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600}
td{overflow-wrap:anywhere;min-width:3rem;max-width:44rem}
pre{margin:0;padding:.6rem .8rem;background:var(--panel);border-radius:4px;font:.85rem/1.45 monospace;
white-space:pre-wrap;overflow-wrap:anywhere}
.two{display:grid;grid-template-columns:1fr 1fr;gap:0 1rem}
.worst{border:1px solid var(--line);border-radius:4px;padding:.8rem 1rem}
code{font-size:.9em;overflow-wrap:anywhere}
@media (max-width:46rem){.figures{columns:1}.tables section{display:block;padding:0}
.two{grid-template-columns:minmax(0,1fr)}main{padding:1rem .9rem 3rem}
h1{font-size:1.6rem}.answer{font-size:1.08rem}}
"""

_DARK = ".light{display:none}.dark{display:block}"

_PRINT = """
@page{margin:14mm}
:root{--ground:#fff}
body{font-size:10.5pt}
main{max-width:none;padding:0}
.figures{columns:2}
figure,.worst,.tiles div,tr{break-inside:avoid}
h2,h3,h2+p{break-after:avoid}
.wide{overflow:visible}
.tables section{display:block}
"""


def css() -> str:
    """The whole style sheet. A printed page is light."""
    return (
        f":root{{{_variables('light')}}}{_RULES}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables('dark')}}}{_DARK}}}"
        f"@media print{{{_PRINT}}}"
    )


def _variables(look: Look) -> str:
    colours = export.colours(look)
    return "".join(f"--{name}:{colours[of_theme]};" for name, of_theme in _NAMES.items())
