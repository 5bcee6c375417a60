/** The page's style sheet, sent inline with a nonce: nothing is fetched from elsewhere. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #f7f3ea; --card: #fffdf8; --ink: #2a2420; --soft: #6d6258; --line: #ddd3c2; --link: #7a3320; --wood: #5a4636;
  --bad: #a3231a; --star: #8a5f14;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #1c1917; --card: #262220; --ink: #ece5da; --soft: #a89c8e; --line: #3d3631; --link: #e2a184; --wood: #6f5744;
    --bad: #ff9d8f; --star: #d9a441;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 68rem; padding: 2rem 1.25rem 3rem; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.55 Charter, "Bitstream Charter", "Sitka Text", Cambria, Georgia, serif;
}
h1, h2, h3 { font-weight: 600; line-height: 1.2; margin: 0; }
h1 { font-size: clamp(2rem, 5vw, 3rem); letter-spacing: -0.015em; }
h2 { font-size: 1.125rem; margin-bottom: .5rem; }
h3 { font-size: 1.25rem; }
p { margin: .4rem 0; }
a { color: var(--link); text-underline-offset: .15em; }
a:focus-visible, button:focus-visible, input:focus-visible, textarea:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
code, pre { font: .875em/1.5 ui-monospace, "Cascadia Code", Menlo, Consolas, monospace; }
.skip, .hidden { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem 1rem; }

.masthead { display: grid; grid-template-columns: 1fr auto; align-items: end; gap: 1rem 2rem; }
.figures { display: flex; gap: 1.75rem; margin: 0; }
.figures div { display: flex; flex-direction: column-reverse; }
.figures dt { color: var(--soft); font-size: .875rem; }
.figures dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; line-height: 1.1; }
.spines {
  grid-column: 1 / -1; display: flex; align-items: flex-end; gap: 3px; height: 7rem; padding: 0 .75rem;
  border-bottom: 8px solid var(--wood); overflow: hidden;
}
.spine { display: block; border-radius: 2px 2px 0 0; background: #8c3f2b; }
.spines .spine { width: 1.6rem; }
.spines .h0 { height: 3.6rem; width: 1.1rem; } .spines .h1 { height: 4.4rem; width: 1.4rem; } .spines .h2 { height: 5rem; }
.spines .h3 { height: 5.6rem; } .spines .h4 { height: 6.4rem; width: 2.6rem; }
.c0 { background: #8c3f2b; } .c1 { background: #2f5d62; } .c2 { background: #c08a2d; }
.c3 { background: #4a5d3a; } .c4 { background: #3e4a76; } .c5 { background: #7a4a68; }

.columns { display: grid; grid-template-columns: minmax(0, 1fr) 19rem; gap: 2.5rem; margin-top: 1.5rem; }
.tags { display: flex; flex-wrap: wrap; gap: .4rem; margin-bottom: 1rem; font-size: .9375rem; }
.tags a { padding: .1rem .7rem; border: 1px solid var(--line); border-radius: 99px; color: inherit; text-decoration: none; }
.tags a:hover { border-color: var(--link); }
.tags a[aria-current] { background: var(--ink); border-color: var(--ink); color: var(--paper); }
.books { list-style: none; margin: 0; padding: 0; }
.book { display: grid; grid-template-columns: .5rem 1fr; gap: 1.1rem; padding: 1.25rem 0; border-top: 1px solid var(--line); }
.book .mark { border-radius: 2px; height: 100%; }
.by, .state { color: var(--soft); font-size: .9375rem; }
.state { display: flex; flex-wrap: wrap; gap: .25rem .9rem; align-items: center; }
.stars { color: var(--star); letter-spacing: .1em; }
.prose { max-width: 38rem; }
.prose > :first-child { margin-top: .3rem; }
.prose blockquote { margin: .6rem 0; padding-left: 1rem; border-left: 3px solid var(--line); font-style: italic; }
.prose ul, .prose ol { padding-left: 1.4rem; margin: .4rem 0; }
.prose pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem; overflow-x: auto; }
.prose table { border-collapse: collapse; margin: 1rem 0; }
.prose th, .prose td { border-bottom: 1px solid var(--line); padding: .35rem 1.25rem .35rem 0; text-align: left; vertical-align: top; }
.single { max-width: 42rem; margin: 0 auto; }
.single h1 { margin: 1rem 0; font-size: 2.25rem; }

.panel { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.1rem; margin-bottom: 1.25rem; }
.panel p { font-size: .9375rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; }
label { display: block; font-size: .875rem; color: var(--soft); margin-top: .5rem; }
input, textarea {
  width: 100%; padding: .4rem .55rem; font: inherit; font-size: 1rem; color: inherit; background: var(--paper);
  border: 1px solid var(--soft); border-radius: 5px;
}
textarea { resize: vertical; }
[aria-invalid] { border-color: var(--bad); }
.problem { color: var(--bad); font-size: .875rem; margin: .2rem 0 0; }
.problem:empty { display: none; }
button {
  font: inherit; font-size: .9375rem; padding: .45rem 1rem; margin-top: .75rem; border: 1px solid var(--ink); border-radius: 5px;
  background: var(--ink); color: var(--paper); cursor: pointer;
}
button:disabled { opacity: .5; cursor: default; }
button.quiet { background: none; color: inherit; margin-top: .25rem; }
button.remove { margin: 0 0 0 auto; padding: 0 .3rem; border: 0; background: none; color: var(--soft); text-decoration: underline; }
button.remove:hover { color: var(--bad); }
#aloud { margin: .75rem 0 0; white-space: pre-wrap; max-height: 14rem; overflow-y: auto; }
#aloud:empty { display: none; }
.links { margin: 0; padding-left: 1.1rem; }
.empty { padding: 2rem 0; color: var(--soft); }
footer { margin-top: 2rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem; }
@media (max-width: 52rem) {
  .columns { grid-template-columns: minmax(0, 1fr); }
  .masthead { grid-template-columns: 1fr; }
}
@media (prefers-reduced-motion: no-preference) { .tags a, button { transition: background-color .12s, border-color .12s; } }
`;
