"""The floor of the web evaluation: a plain Playwright script, as one would write it by hand.

    bare_browser.py URL…

It visits the pages at desktop and phone size, runs axe-core, takes a full-page picture of each, and
measures web vitals three times at desktop size. It runs in the sandbox's image and has no code of
the product. One JSON line tells what it found and how many seconds it took.
"""

import asyncio
import importlib
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
VITALS = """() => new Promise((done) => {
  let lcp = 0, cls = 0;
  new PerformanceObserver((list) => { lcp = list.getEntries().at(-1).startTime; })
    .observe({type: 'largest-contentful-paint', buffered: true});
  new PerformanceObserver((list) => { for (const it of list.getEntries()) cls += it.value; })
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done({lcp, cls,
    ttfb: performance.getEntriesByType('navigation')[0].responseStart}), 100);
})"""


async def visit(browser: Any, url: str, size: str, axe: str, *, vitals_only: bool) -> Any:
    """One page at one size, in a context of its own."""
    context = await browser.new_context(**SIZES[size])
    page = await context.new_page()
    errors: list[str] = []
    page.on("console", lambda it: errors.append(it.text) if it.type == "error" else None)
    page.on("pageerror", lambda it: errors.append(str(it)))
    await page.goto(url, wait_until="networkidle")
    found: dict[str, Any] = {"errors": errors}
    if size == "desktop":
        found["vitals"] = await page.evaluate(VITALS)
    if not vitals_only:
        await page.evaluate(axe)
        violations = await page.evaluate("axe.run().then((it) => it.violations.map((v) => v.id))")
        picture = await page.screenshot(full_page=True)
        found |= {"violations": violations, "picture": len(picture)}
    await context.close()
    return found


async def main(urls: list[str]) -> None:
    """Visit all, and tell."""
    began = time.monotonic()
    playwright_api = importlib.import_module("playwright.async_api")  # in the image only
    axe = Path("/opt/codegenapp/axe/axe.min.js").read_text(encoding="utf-8")
    pages = []
    async with playwright_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for url in urls:
            runs = [
                await visit(browser, url, "desktop", axe, vitals_only=number > 0)
                for number in range(3)
            ]
            lcp = statistics.median(it["vitals"]["lcp"] for it in runs)
            phone = await visit(browser, url, "phone", axe, vitals_only=False)
            pages.append({"url": url, "lcp": lcp, "desktop": runs[0], "phone": phone})
        await browser.close()
    print(json.dumps({"seconds": round(time.monotonic() - began, 3), "pages": pages}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
