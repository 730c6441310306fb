"""What can be measured of a page's looks: contrast, overflow, what is drawn on a canvas."""

from typing import Any

from playwright.sync_api import Locator, Page

_CONTRASTS = """
() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (value) => { const c = value / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const [r, g, b, a = 1] = channels(getComputedStyle(at).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility()) continue;
    if (node.closest("noscript, .unseen, .skip")) continue;
    const style = getComputedStyle(node);
    const [one, other] = [luminance(channels(style.color)), luminance(behind(node))].sort((a, b) => b - a);
    found.push({ text: walker.currentNode.data.trim(), ratio: (one + 0.05) / (other + 0.05) });
  }
  return found;
}
"""
_COLOURS = """
(canvas) => {
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const data = copy.getImageData(0, 0, width, height).data;
  const counts = {};
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] !== 255) continue;
    const colour = `rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`;
    counts[colour] = (counts[colour] ?? 0) + 1;
  }
  return counts;
}
"""
_UNNAMED = """
() => [...document.querySelectorAll("button, input, select, a[href], [tabindex='0'], [role]")]
  .filter((node) => node.checkVisibility() && !node.closest("[aria-hidden=true]"))
  .filter((node) => !["alert", "status"].includes(node.getAttribute("role")))
  .filter((node) => !(node.labels?.length || node.getAttribute("aria-label") || node.getAttribute("aria-labelledby")
    || node.textContent.trim()))
  .map((node) => node.outerHTML)
"""


def contrasts(page: Page) -> list[dict[str, Any]]:
    """Return every visible text with the contrast ratio of its colour to what is behind it (WCAG 2)."""
    found: list[dict[str, Any]] = page.evaluate(_CONTRASTS)
    return found


def colours(canvas: Locator) -> dict[str, int]:
    """Count the opaque pixels of a canvas by colour."""
    found: dict[str, int] = canvas.evaluate(_COLOURS)
    return found


def drawn_anew(page: Page) -> None:
    """Wait until the page has heard of a change of its window or colours, and drawn what follows from it."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def scrolls_sideways(page: Page) -> bool:
    """Say whether the page as a whole is wider than the window."""
    found: bool = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return found


def unnamed(page: Page) -> list[str]:
    """Return what can be operated but has no accessible name."""
    found: list[str] = page.evaluate(_UNNAMED)
    return found


def focused(page: Page) -> str:
    """Return the text or label of what has the focus."""
    found: str = page.evaluate(
        "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.labels?.[0]?.textContent"
        " ?? document.activeElement.textContent).trim()"
    )
    return found
