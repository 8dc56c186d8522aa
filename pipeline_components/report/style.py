"""The look of every Everfit page: one style sheet, inlined, so that a page stands alone."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #f7f8f9; --surface: #ffffff; --ink: #1b2330; --soft: #566273; --line: #e1e5ea;
  --accent: #2b5c94; --track: #eceff3;
  --good: #14713f; --good-tint: #e7f4ec; --warn: #8a5a00; --warn-tint: #fcf2dd;
  --bad: #b02a23; --bad-tint: #fbeae8; --calm: #4f5b6b; --calm-tint: #eceff3;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #11151b; --surface: #181e26; --ink: #e4e8ee; --soft: #9ba7b6; --line: #2a323d;
    --accent: #86b7ec; --track: #252d38;
    --good: #66d49b; --good-tint: #14291f; --warn: #efbd62; --warn-tint: #2b2414;
    --bad: #ff958b; --bad-tint: #331b1b; --calm: #aab5c3; --calm-tint: #232b35;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans",
    "Liberation Sans", Arial, sans-serif;
  overflow-wrap: anywhere;
}
main, header > div, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.5rem; }
header { background: var(--surface); border-bottom: 1px solid var(--line); }
header > div { padding-top: 2.25rem; padding-bottom: 1.5rem; }
.kicker {
  margin: 0 0 .4rem; color: var(--soft); font-size: .8125rem; font-weight: 600;
  letter-spacing: .04em;
}
.kicker::before {
  content: ""; display: inline-block; width: .55em; height: .55em; margin-right: .55em;
  border-radius: 50%; background: var(--accent);
}
h1 { margin: 0; font-size: 2rem; line-height: 1.2; font-weight: 680; letter-spacing: -.018em; }
h2 { margin: 0 0 .9rem; font-size: 1.1875rem; line-height: 1.3; font-weight: 650;
  letter-spacing: -.008em; }
h3 { margin: 1.6rem 0 .5rem; font-size: 1rem; font-weight: 650; }
p { margin: 0 0 .8rem; max-width: 46rem; }
p:last-child { margin-bottom: 0; }
ul { margin: 0; padding-left: 1.2rem; }
li + li { margin-top: .25rem; }
a { color: var(--accent); text-underline-offset: .18em; text-decoration-thickness: 1px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
small, .soft { color: var(--soft); }
small { font-size: .8125rem; }
code { font: .875em/1.4 var(--mono); }
.lead { margin: .9rem 0 0; font-size: 1.125rem; line-height: 1.5; max-width: 48rem; }
.verdict {
  display: flex; align-items: flex-start; gap: 1.1rem; margin-top: 1.4rem; padding: 1.1rem 1.25rem;
  border: 1px solid var(--line); border-left: .3rem solid var(--tone); border-radius: .5rem;
  background: var(--tint);
}
.verdict .lead { margin: 0; padding-top: .1rem; }
.badge {
  flex: none; display: inline-flex; align-items: center; gap: .5em; padding: .22em .8em .22em .5em;
  border-radius: 2em; background: var(--tone); color: var(--surface);
  font-size: 1.0625rem; font-weight: 680; line-height: 1.5;
}
.badge svg { --cut: var(--tone); width: 1.15em; height: 1.15em; }
.good { --tone: var(--good); --tint: var(--good-tint); }
.warn { --tone: var(--warn); --tint: var(--warn-tint); }
.bad { --tone: var(--bad); --tint: var(--bad-tint); }
.calm { --tone: var(--calm); --tint: var(--calm-tint); }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; margin: 1.35rem 0 0; padding: 0;
  list-style: none; font-size: .875rem; }
nav li { margin: 0; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
main { padding-top: .75rem; padding-bottom: 1.5rem; }
section { margin: 1.25rem 0; padding: 1.4rem 1.5rem 1.5rem; background: var(--surface);
  border: 1px solid var(--line); border-radius: .6rem; scroll-margin-top: 1rem; }
.scroll { overflow-x: auto; margin: 0 -.25rem; padding: 0 .25rem; }
.scroll + p, .scroll + h3, figure + p, .facts + p { margin-top: 1rem; }
p + .scroll, p + figure, p + .facts { margin-top: .9rem; }
table { width: 100%; border-collapse: collapse; font-size: .9063rem; line-height: 1.45;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: .875rem; padding-bottom: .5rem; }
th, td { padding: .5rem .9rem .5rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); min-width: 3.5rem; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-size: .8125rem; font-weight: 600; white-space: nowrap;
  overflow-wrap: normal; vertical-align: bottom; }
tbody tr:last-child > * { border-bottom: 0; }
tbody tr:hover > * { background: color-mix(in srgb, var(--track) 45%, transparent); }
tbody th { font-weight: 600; }
.n { text-align: right; white-space: nowrap; overflow-wrap: normal; }
.pill { display: inline-flex; align-items: center; gap: .4em; padding: .08em .65em .08em .45em;
  border-radius: 1em; background: var(--tint); color: var(--tone); font-size: .8125rem;
  font-weight: 620; line-height: 1.5; white-space: nowrap; overflow-wrap: normal; }
.pill svg { width: .95em; height: .95em; flex: none; }
.tag { display: inline-block; padding: .02em .5em; border: 1px solid var(--line);
  border-radius: .3em; color: var(--soft); font-size: .8125rem; white-space: nowrap; }
.digest { font-family: var(--mono); font-size: .875em; white-space: nowrap; }
.facts { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .45rem 1.5rem;
  margin: 0; font-size: .9375rem; font-variant-numeric: tabular-nums; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; min-width: 0; }
.findings > li + li { margin-top: 0; }
.findings { margin: 0; padding: 0; list-style: none; }
.findings > li { display: grid; grid-template-columns: 8rem 1fr; gap: .2rem 1rem;
  padding: .6rem 0; border-bottom: 1px solid var(--line); }
.findings > li:first-child { padding-top: 0; }
.findings > li:last-child { border-bottom: 0; padding-bottom: 0; }
.findings p { margin: .1rem 0 0; max-width: none; font-size: .9375rem; }
.findings .head { display: flex; flex-wrap: wrap; align-items: baseline; gap: .15rem .7rem; }
.findings code { color: var(--soft); font-size: .75rem; }
figure { margin: 0; }
figcaption { margin-top: .4rem; color: var(--soft); font-size: .875rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr));
  grid-auto-flow: dense; align-items: start; gap: 1.25rem; }
.pictures .wide { grid-column: 1 / -1; }
figure img { display: block; width: 100%; height: auto; padding: .5rem;
  border-radius: .4rem; background: #fff; }
figure.scroll { margin: 0; padding: 0; }
svg.drawn { display: block; width: 100%; min-width: 36rem; height: auto; }
figure + .facts { margin-top: 1.25rem; }
svg text { fill: var(--ink); font-family: inherit; }
svg text.faint { fill: var(--soft); }
footer { padding-bottom: 2.5rem; color: var(--soft); font-size: .8125rem; }
@media (max-width: 40rem) {
  h1 { font-size: 1.6rem; }
  main, header > div, footer { padding-left: 1rem; padding-right: 1rem; }
  section { padding: 1.1rem 1rem 1.2rem; }
  .verdict { flex-direction: column; gap: .7rem; }
  .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dd { margin-bottom: .6rem; }
  .findings > li { grid-template-columns: 1fr; }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --surface: #fff; --ink: #000; --soft: #444;
    --line: #ccc; --track: #eee; --accent: #000; --good: #14713f; --good-tint: #fff;
    --warn: #8a5a00; --warn-tint: #fff; --bad: #b02a23; --bad-tint: #fff; --calm: #444;
    --calm-tint: #fff; }
  @page { margin: 16mm 14mm; }
  body { font-size: 10.5pt; }
  header { border: 0; }
  header > div { padding-top: 0; }
  nav { display: none; }
  main, header > div, footer { max-width: none; padding-left: 0; padding-right: 0; }
  section { padding: .6rem 0; border: 0; border-top: 1px solid var(--line); border-radius: 0; }
  h2, h3 { break-after: avoid; }
  tr, figure, .findings > li, .verdict { break-inside: avoid; }
  .badge { background: none; color: var(--tone); border: 1.5pt solid var(--tone); }
  .scroll { overflow: visible; }
}
"""
