"""What runs in a page's isolated world: expressions that give JSON, and read only."""

from __future__ import annotations

from pathlib import Path

AXE = Path("/opt/codegenapp/axe/axe.min.js")

_PATH = """
const path = (element) => {
  const unique = (it) => it.id && document.querySelectorAll('#' + CSS.escape(it.id)).length === 1;
  const parts = [];
  for (let it = element; it && it !== document.documentElement; it = it.parentElement) {
    if (unique(it)) { parts.unshift('#' + CSS.escape(it.id)); break; }
    const name = CSS.escape(it.localName);
    const alike = [...(it.parentElement?.children ?? [])]
      .filter((one) => one.localName === it.localName);
    parts.unshift(alike.length > 1 ? `${name}:nth-of-type(${alike.indexOf(it) + 1})` : name);
  }
  return parts.join(' > ').slice(0, 300);
};
const cut = (text, most) => String(text ?? '').replace(/\\s+/g, ' ').trim().slice(0, most);
const seen = (element) => {
  const box = element.getBoundingClientRect(), style = getComputedStyle(element);
  return box.width > 1 && box.height > 1 && style.visibility !== 'hidden' && style.opacity !== '0';
};
"""

# Text and things in open shadow trees count too; of a closed one its host's size is all we see.
_LOOK = f"""{_PATH}
const things = 'img,svg,canvas,video,iframe,input,button,select,textarea,object,embed,audio,' +
  'progress,meter,hr,math';
let looked = 0;
const anything = (root) => {{
  for (const it of root.querySelectorAll('*')) {{
    if ((looked += 1) > 3000) return true;
    if (it.shadowRoot && ((it.shadowRoot.textContent || '').trim() || anything(it.shadowRoot)))
      return true;
    const solid = it.matches(things) || it.localName.includes('-') ||
      getComputedStyle(it).backgroundImage !== 'none';
    if (solid && seen(it)) return true;
  }}
  return false;
}};
const blank = () => !(document.body?.innerText ?? document.documentElement?.textContent ?? '')
  .trim() && !anything(document);
"""

BLANK = f"(() => {{ {_LOOK} return blank(); }})()"

FACTS = f"""(() => {{ {_LOOK}
const links = [...document.querySelectorAll('a[href]')].slice(0, 300).map((it) => ({{
  href: String(it.href).slice(0, 1000), text: cut(it.innerText || it.ariaLabel, 80),
  saves: it.hasAttribute('download')}}));
return {{
  blank: blank(),
  title: cut(document.title, 200),
  html: (document.documentElement?.outerHTML ?? '').slice(0, 262144),
  height: Math.ceil(document.documentElement?.scrollHeight ?? 0),
  width: Math.ceil(document.documentElement?.clientWidth ?? 0),
  links,
}};
}})()"""

VITALS = """new Promise((done) => {
  let lcp = null, cls = 0, current = 0, first = 0, last = 0;
  const watch = (type, take) => {
    try {
      new PerformanceObserver((list) => list.getEntries().forEach(take))
        .observe({type, buffered: true});
    } catch {}
  };
  watch('largest-contentful-paint', (entry) => { lcp = entry.startTime; });
  watch('layout-shift', (entry) => {
    if (entry.hadRecentInput) return;
    const fresh = entry.startTime - last > 1000 || entry.startTime - first > 5000;
    current = fresh ? entry.value : current + entry.value;
    if (fresh) first = entry.startTime;
    last = entry.startTime;
    cls = Math.max(cls, current);
  });
  setTimeout(() => {
    const loads = performance.getEntriesByType('navigation');
    const bytes = [...loads, ...performance.getEntriesByType('resource')]
      .reduce((sum, entry) => sum + (entry.transferSize || 0), 0);
    done({lcp_ms: lcp, cls, ttfb_ms: loads[0]?.responseStart ?? null, transfer_bytes: bytes});
  }, 80);
})"""

_RUN_AXE = """
;axe.run(document, {resultTypes: ['violations'], elementRef: false}).then((found) =>
  found.violations.slice(0, 60).map((it) => ({
    rule: String(it.id).slice(0, 80), impact: String(it.impact ?? 'minor').slice(0, 20),
    help: String(it.help).slice(0, 200), nodes: it.nodes.length,
    selectors: it.nodes.slice(0, 5).map((node) => String(node.target).slice(0, 200))})))"""


def axe() -> str:
    """axe-core and its run: the violations of a page."""
    return AXE.read_text(encoding="utf-8") + _RUN_AXE


COMPONENTS = f"""(() => {{ {_PATH}
const label = (it) => cut(it.getAttribute('aria-label') || it.innerText || it.value ||
  it.getAttribute('placeholder') || it.getAttribute('title') || it.getAttribute('name'), 80);
const hint = (it) => [label(it), it.id, it.getAttribute('name'), it.getAttribute('formaction'),
  it.getAttribute('href'), it.className?.toString?.(), it.getAttribute('title'),
  it.getAttribute('data-action'), it.getAttribute('onclick')].join(' ').slice(0, 600);
const usable = (it) => seen(it) && !it.disabled && it.getAttribute('aria-disabled') !== 'true';
const unfillable = ['hidden', 'submit', 'button', 'reset', 'image', 'file'];
const fields = (form) => [...form.elements].slice(0, 40)
  .filter((it) => it.matches('input,select,textarea') && usable(it) && !it.readOnly &&
    !unfillable.includes(it.type))
  .map((it) => ({{selector: path(it), type: it.type, min: it.min ?? '', required: it.required,
    options: it.options ? [...it.options].slice(0, 20).map((one) => one.value) : [],
    longest: it.maxLength ?? -1}}));
const found = [];
for (const form of document.forms) {{
  if (!seen(form)) continue;
  const submits = [...form.elements].filter((it) => it.matches('button,input') && usable(it) &&
    ['submit', 'image'].includes(it.type));
  if (!submits.length) continue;
  const words = [form.getAttribute('action'), form.id, form.getAttribute('name'),
    ...submits.slice(0, 1).map(hint)].join(' ');
  found.push({{kind: 'form', selector: path(form), label: label(submits[0]), hint: words,
    fields: fields(form), submit: path(submits[0])}});
}}
const others = 'button, summary, input, select, textarea, [role=button], [role=tab], ' +
  '[role=menuitem], [role=switch], [role=checkbox], [onclick], a[href^="#"], a:not([href])';
for (const it of document.querySelectorAll(others)) {{
  if (found.length >= 60) break;
  if (!usable(it) || it.type === 'hidden' || it.type === 'file') continue;
  if (it.form && ['submit', 'image'].includes(it.type)) continue;
  if (it.localName === 'a' && !it.getAttribute('onclick') && it.getAttribute('href') === null &&
    !it.getAttribute('role')) continue;
  const entered = it.matches('input,select,textarea') &&
    !['button', 'submit', 'reset', 'image'].includes(it.type);
  found.push({{kind: entered ? 'input' : it.localName === 'a' ? 'link' : 'button',
    selector: path(it), label: label(it), hint: hint(it), type: it.type ?? '', min: it.min ?? '',
    options: it.options ? [...it.options].slice(0, 20).map((one) => one.value) : [],
    longest: it.maxLength ?? -1}});
}}
return found;
}})()"""
