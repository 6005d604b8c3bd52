#include "sim/timeline_page.hpp"

namespace tenure::sim::timeline {

namespace {

constexpr std::string_view style = R"css(
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--soft:#59636e;--rule:#d5dae0;--panel:#f5f7f9;
--hold:#0072b2;--on-hold:#fff;--wait:#8a5a00;--message:#00795a;--wake:#b35900;--fault:#8f2d7c;--alarm:#c8102e;--alarm-bg:#c8102e22}
@media (prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e6e9ec;--soft:#9aa4af;--rule:#353c44;--panel:#1d2126;
--hold:#56b4e9;--on-hold:#06141d;--wait:#e6b450;--message:#3fc79a;--wake:#f09a3e;--fault:#e59ad4;--alarm:#ff6b6b;--alarm-bg:#ff6b6b33}}
*{box-sizing:border-box}
body{margin:0 auto;padding:24px 32px 48px;max-width:1272px;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
h1{margin:0;font-size:22px;line-height:1.3;overflow-wrap:anywhere}
h2{margin:32px 0 8px;font-size:17px}
p{margin:8px 0}
.chip{display:inline-block;margin-right:10px;padding:1px 10px;border-radius:5px;background:var(--alarm);color:var(--bg);font-size:16px;
vertical-align:2px;text-decoration:none}
.passed{background:var(--message)}
.verdict{font-size:18px;font-weight:600;overflow-wrap:anywhere}
.soft{color:var(--soft)}
.repro{margin:12px 0;padding:10px 14px;border:1px solid var(--rule);border-radius:6px;background:var(--panel);
font:13px/1.5 ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere;user-select:all}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:8px 0 4px;padding:0;list-style:none;font-size:13px;color:var(--soft)}
.legend li{display:flex;align-items:center;gap:7px}
.legend svg{width:34px;height:18px}
.chart{overflow-x:auto}
.shapes{position:absolute}
svg{overflow:visible;fill:var(--fg)}
.strip{display:block;width:100%;min-width:940px;height:auto;margin-bottom:18px;
font:11px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,'Liberation Mono',monospace}
.strip text{paint-order:stroke;stroke:var(--bg);stroke-width:3px;stroke-linejoin:round}
text.mid{text-anchor:middle}
text.axis{fill:var(--soft);font-size:10.5px}
text.leap{font-style:italic}
text.name{font-size:13px;font-weight:700}
text.accused{fill:var(--alarm);font-weight:700}
text.other{font-weight:400}
.strip text.in{stroke:none}
.legend text{font:11px monospace}
.rule,.grid,.leader,.life,.break{fill:none;stroke:var(--rule)}
.grid{stroke-dasharray:1 4}
.leader{stroke:var(--soft);opacity:.55}
.life{stroke:var(--soft);stroke-width:1.5}
.life.other{stroke-width:1}
.break{stroke:var(--soft)}
.hollow{fill:var(--bg);stroke:currentColor;stroke-width:1.5}
.stroke,.bold,.thick{fill:none;stroke:currentColor;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}
.bold{stroke-width:2.4}
.thick{stroke-width:3.4}
.hatch{stroke:var(--soft);stroke-width:1.2}
#alarm path{stroke:var(--alarm);stroke-width:2.6}
.asleep{fill:var(--bg);stroke:var(--soft);stroke-width:1.5;stroke-dasharray:1.5 3.5;stroke-linecap:round}
.asleep.accused{stroke:var(--alarm);stroke-width:2.5}
.paused{fill:url(#hatch);stroke:var(--soft)}
.suspended{fill:url(#cross);stroke:var(--soft)}
.holds .bar{fill:var(--hold)}
.holds .in{fill:var(--on-hold)}
.strip .holds .in{stroke:var(--hold)}
.waits .bar{fill:var(--bg);stroke:var(--wait);stroke-width:1.3;stroke-dasharray:4 3}
.waits text{fill:var(--wait)}
.overlap{fill:url(#alarm);stroke:var(--alarm);stroke-width:2.5;fill-opacity:.75}
a{color:inherit}
.mark{color:var(--fg)}
.fault{color:var(--fault)}
.fault use,.fault text{fill:var(--fault)}
.fault text{font-weight:700}
.arrow path{fill:none;stroke:currentColor;stroke-width:1.6}
.arrow .hit{stroke:transparent;stroke-width:11}
.arrow .head{fill:currentColor;stroke:none}
.arrow .end{stroke-width:2.6}
.request{color:var(--message)}
.wake-up{color:var(--wake)}
.start{color:var(--soft)}
.late{stroke-dasharray:9 4}
.second{stroke-dasharray:2 4}
.band{fill:var(--alarm-bg);stroke:var(--alarm);stroke-width:1.2}
.caption{fill:var(--alarm)}
.strip .violation text{fill:var(--bg);stroke:none;font-weight:700;font-size:12px}
.strip a:focus{outline:none}
.strip a:focus-visible use,.strip a.on use{outline:2.5px solid var(--alarm);outline-offset:3px;border-radius:9px}
.strip a:focus-visible .bar,.strip a.on .bar{stroke:var(--alarm);stroke-width:3}
.strip a.arrow:focus-visible path,.strip a.arrow.on path{stroke-width:3.4}
.strip a:hover text{text-decoration:underline}
#tip{position:fixed;z-index:9;max-width:420px;padding:8px 12px;border:1px solid var(--soft);border-radius:6px;background:var(--panel);
color:var(--fg);font-size:13px;line-height:1.45;box-shadow:0 4px 14px #0005;pointer-events:none;overflow-wrap:anywhere}
#tip b{display:block}
table{width:100%;border-collapse:collapse;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{padding:3px 12px 3px 8px;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{position:sticky;top:0;background:var(--bg);color:var(--soft);font-weight:600}
td:nth-child(1),th:nth-child(1){width:5em;text-align:right}
td:nth-child(2),th:nth-child(2){width:9.5em;text-align:right;white-space:nowrap}
td:nth-child(3),th:nth-child(3){width:9em;overflow-wrap:anywhere}
td:nth-child(5),th:nth-child(5){width:19em;color:var(--soft)}
tr.minor td{color:var(--soft)}
tr.hit td:nth-child(4){color:var(--fault);font-weight:600}
tr.accused td{background:var(--alarm-bg)}
tr.violation td{background:var(--alarm);color:var(--bg);font-weight:600}
tr:target td{box-shadow:inset 0 2px var(--hold),inset 0 -2px var(--hold)}
body:has(#minor:not(:checked)) tr.minor{display:none}
@media (max-width:700px){body{padding:14px 14px 32px}td:nth-child(5),th:nth-child(5){width:auto}
td:nth-child(2),th:nth-child(2){width:auto}td:nth-child(3),th:nth-child(3){width:auto}}
@page{size:landscape;margin:12mm}
@media print{:root{color-scheme:light;--bg:#fff;--fg:#000;--soft:#444;--rule:#bbb;--panel:#fff;--hold:#0072b2;--on-hold:#fff;--wait:#6b4500;
--message:#00664c;--wake:#8f4700;--fault:#7a1f69;--alarm:#b00020;--alarm-bg:#b0002018}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{padding:0;max-width:none;font-size:11px}
.strip{min-width:0;break-inside:avoid}
.legend{font-size:10px}
.chart{overflow:visible}
tr{break-inside:avoid}
th{position:static}
.quiet,#tip{display:none}
body:has(#minor:not(:checked)) tr.minor{display:table-row}}
)css";

constexpr std::string_view script = R"js(
'use strict';
const number = mark => Number(mark.hash.slice(2));
Object.defineProperty(SVGAElement.prototype, 'hash', {get() { return this.getAttribute('href'); }});
const marks = [...document.querySelectorAll('.strip a[href^="#e"]')].sort((a, b) => number(a) - number(b));
const tip = document.getElementById('tip');
let shown = null;
for (const mark of document.querySelectorAll('.strip a')) {
  const title = mark.querySelector('title');
  if (title) { mark.setAttribute('aria-label', title.textContent); title.remove(); }
  mark.tabIndex = -1;
}
if (marks.length) marks[0].tabIndex = 0;
function rowsOf(mark) {
  const rows = [];
  const first = number(mark);
  const count = Number(mark.dataset.n || 1);
  for (let i = 0; i !== count; i++) rows.push(document.getElementById('e' + (first + i)));
  return rows;
}
function show(mark) {
  hide();
  const rows = mark.hash === '#violation' ? [document.getElementById('violation')] : rowsOf(mark);
  if (!rows.length) return;
  const cells = rows.map(row => [...row.cells].map(cell => cell.textContent));
  const head = document.createElement('b');
  head.textContent = cells[0][2] + ', step ' + cells[0][0] + ', ' + cells[0][1];
  tip.replaceChildren(head);
  for (const cell of cells) {
    const line = document.createElement('div');
    line.textContent = cell[3] + (cell[4] ? ' (' + cell[4] + ')' : '');
    tip.append(line);
  }
  tip.hidden = false;
  shown = mark;
  mark.classList.add('on');
  place();
}
function place() {
  const at = (shown.querySelector('use,.bar,.hit,.caption') || shown).getBoundingClientRect();
  const left = Math.max(8, Math.min(Math.max(at.left, 8), innerWidth - tip.offsetWidth - 8));
  const above = at.top - tip.offsetHeight - 26;
  tip.style.left = left + 'px';
  tip.style.top = (above > 4 ? above : Math.min(at.bottom + 10, innerHeight - tip.offsetHeight - 4)) + 'px';
}
function hide() {
  tip.hidden = true;
  if (shown) shown.classList.remove('on');
  shown = null;
}
const markOf = event => event.target.closest ? event.target.closest('.strip a') : null;
addEventListener('mouseover', event => { const mark = markOf(event); if (mark) show(mark); else hide(); });
addEventListener('focusin', event => { const mark = markOf(event); if (mark) show(mark); else hide(); });
addEventListener('scroll', () => { if (shown) place(); }, {passive: true, capture: true});
addEventListener('keydown', event => {
  if (event.key === 'Escape') return hide();
  const at = marks.indexOf(document.activeElement);
  const by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  const next = at === -1 || !by ? null : marks[at + by];
  if (!next) return;
  event.preventDefault();
  marks[at].tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});
)js";

}  // namespace

std::string_view page_style() { return style; }

std::string_view page_script() { return script; }

}  // namespace tenure::sim::timeline
