"""The style of a report: of a part that fits any page, and of a page of its own."""

OF_FRAGMENT = """
.skdistill-report { font: 15px/1.5 system-ui, sans-serif; }
.skdistill-report h1 { font-size: 1.6em; line-height: 1.2; margin: 0 0 .2em; }
.skdistill-report h2 { font-size: 1.15em; line-height: 1.3; margin: 1.8em 0 .4em; }
.skdistill-report p { margin: .4em 0; max-width: 44em; }
.skdistill-report .verdict {
  border: 1px solid; border-left-width: .5em; border-radius: .25em;
  margin: 1em 0; padding: .7em 1em;
}
.skdistill-report .good { border-color: #2f8f5b; }
.skdistill-report .bad { border-color: #c4572a; }
.skdistill-report .open { border-color: #b08900; }
.skdistill-report .wide { max-width: 100%; overflow-x: auto; }
.skdistill-report table {
  border: 0; border-collapse: collapse; font-size: inherit;
  font-variant-numeric: tabular-nums; margin: 0;
}
.skdistill-report th, .skdistill-report td {
  border: 0; border-bottom: 1px solid rgba(128, 128, 128, .35);
  padding: .3em .9em .3em 0; text-align: right; vertical-align: top;
}
.skdistill-report th { font-weight: 600; }
.skdistill-report tr > :first-child { text-align: left; }
.skdistill-report .words tr > * { text-align: left; }
.skdistill-report td small { display: block; opacity: .75; white-space: nowrap; }
.skdistill-report small { font-size: .85em; }
"""

OF_PAGE = """
:root {
  color-scheme: light dark; --paper: #fff; --ink: #1b1f23;
  --colour-0: #d55e00; --colour-1: #0072b2; --colour-2: #009e73;
  --colour-3: #b0527f; --colour-4: #767676;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #15181c; --ink: #e4e7ea;
    --colour-0: #ff9a4d; --colour-1: #6bbcf2; --colour-2: #3fd0a2;
    --colour-3: #e6a4c6; --colour-4: #a0a0a0;
  }
}
body { background: var(--paper); color: var(--ink); margin: 0; }
main { box-sizing: border-box; margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem; }
.plots {
  display: grid; gap: 1.5rem; margin-top: 1.8rem;
  grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr));
}
figure { margin: 0; max-width: 30rem; }
figure svg { display: block; height: auto; width: 100%; }
figure svg text { font-family: system-ui, sans-serif; }
figcaption { font-size: .9em; margin-top: .4em; }
@media (max-width: 32rem) {
  main .skdistill-report table { font-size: .8em; }
  main .skdistill-report th, main .skdistill-report td { padding-right: .5em; }
}
@media print {
  main { max-width: none; padding: 0; }
  main .skdistill-report { font-size: 10pt; }
  main .skdistill-report .wide { overflow: visible; }
  section > h2 { break-after: avoid; }
  tr, figure { break-inside: avoid; }
}
"""
