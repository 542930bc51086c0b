#!/usr/bin/env python3
"""The page of `weir serve` in a real Chromium: for a keyboard, a screen reader, a narrow window, a dark one, and weak eyes."""
import unittest

from fake_serve import JAVA, NS, START, hostile, pod, record, shop
from page_kit import NARROW, WIDE, PageCase

# What every view must hold. Returns a list of complaints.
RULES = r"""
const complaints = [], seen = e => e.checkVisibility({visibilityProperty: true, opacityProperty: true}) && e.getClientRects().length;
const name = e => (e.ariaLabel || (e.getAttribute("aria-labelledby") && document.getElementById(e.getAttribute("aria-labelledby"))?.textContent) ||
    [...(e.labels ?? [])].map(l => l.textContent).join(" ") || e.textContent || e.title || e.alt || "").trim();
const tell = (rule, e) => complaints.push(`${rule}: <${e.tagName.toLowerCase()} id=${e.id} class=${e.getAttribute("class")}> ${e.textContent.slice(0, 40)}`);

for (const e of document.querySelectorAll("button, input, select, textarea, summary, a, [role], aside, section[aria-label], dialog")) {
    if (seen(e) && !name(e) && !["status", "alert"].includes(e.role)) tell("no name", e);
}
const parts = {option: "listbox", row: "grid"};
for (const e of document.querySelectorAll("[role]")) if (parts[e.role] && !e.closest(`[role=${parts[e.role]}]`)) tell("no parent of its role", e);
for (const e of document.querySelectorAll("[role=slider]")) if (!e.ariaValueNow || !e.ariaValueText) tell("a slider without value", e);
for (const e of document.querySelectorAll("[aria-controls], [aria-describedby], [aria-activedescendant], [aria-labelledby]")) {
    for (const attribute of ["aria-controls", "aria-describedby", "aria-activedescendant", "aria-labelledby"]) {
        for (const id of (e.getAttribute(attribute) ?? "").split(" ").filter(Boolean)) if (!document.getElementById(id)) tell(attribute + " leads nowhere", e);
    }
}
const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
if (new Set(ids).size !== ids.length) complaints.push("an id stands twice");
for (const e of document.querySelectorAll("button button, a button, button a, button input")) tell("a control in a control", e);
for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) tell("a forced tab order", e);
for (const e of document.querySelectorAll("[style]")) if (/javascript|url\(/.test(e.getAttribute("style"))) tell("a style of its own", e);
if (!document.documentElement.lang || !document.title || !document.querySelector("main") || !document.querySelector("h1")) complaints.push("no language, title, main or h1");
for (const e of document.querySelectorAll("img")) if (e.getAttribute("alt") === null) tell("no alternative text", e);

// Contrast: of each text to what lies below it.
const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
const colour = text => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] / 255 + below[i] * (1 - top[3] / 255));
const below = e => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) layers.push(colour(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((result, layer) => over(layer, result), colour(matchMedia("(prefers-color-scheme: dark)").matches ? "black" : "white"));
};
const luminance = c => { const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
let texts = 0;
for (const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); walker.nextNode();) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !seen(e) || e.closest("script, option, svg, h1") || e.disabled) continue;
    texts++;
    let opacity = 1;
    for (let at = e; at; at = at.parentElement) opacity *= getComputedStyle(at).opacity;
    const back = below(e), text = colour(getComputedStyle(e).color);
    const ratio = contrast(over([...text.slice(0, 3), text[3] * opacity], back), back);
    if (ratio < 4.5) tell(`contrast ${ratio.toFixed(2)}`, e);
}
if (texts < 6) complaints.push(`only ${texts} texts were looked at`);
return [...new Set(complaints)];
"""

NO_SCROLL = """const wide = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('.row-line, .chart-table, .source') && e.getBoundingClientRect().right > innerWidth + 1);
    return [document.documentElement.scrollWidth - innerWidth, wide.map(e => `${e.tagName} ${e.id} ${e.className} ${e.getBoundingClientRect().right}`).slice(0, 5)]"""


class Rules(PageCase):
    """The views of the page at both widths, light and dark."""

    def views(self):
        trace = [record(START + 3590 * NS + i, line, "error", pod("a-1")) for i, line in enumerate(JAVA)]
        levels = [record(START + 3595 * NS + i, f"a line of level {level}", level, pod(f"pod-{i}-x")) for i, level in
                  enumerate(["critical", "fatal", "error", "warn", "info", "debug", "trace", "unknown", ""])]
        self.serve(shop(500) + trace + levels + hostile())
        line = START + 3595 * NS
        yield "", []
        yield 'q={app="nginx"} |= "GET"', ["k", "o"]
        yield "fields=1&wrap=1", ["k", "k"]
        yield "labels=1", []
        yield f'ctx={{"ts":"{line}","labels":{{"namespace":"shop","app":"pod","pod":"pod-0-x","container":"main","service_name":"pod"}}}}', []
        yield 'q={app="checkout"}&q2={app="nginx"}&beside=1', []
        yield "live=1", [" "]
        yield f"q=sum by (app) (count_over_time({{namespace=~\".%2B\"}}[60s]))&from={START}&to={START + 3600 * NS}", []
        yield f"table=1&q=sum by (app) (count_over_time({{namespace=~\".%2B\"}}[60s]))&from={START}&to={START + 3600 * NS}", []
        yield "", ["Menu"]
        yield "labels=1", ["Menu"]
        yield "", ["?"]
        yield "", ["s"]
        yield "", [","]
        yield f"hide=app%3Dnginx&q=sum by (app) (count_over_time({{namespace=~\".%2B\"}}[60s]))&from={START}&to={START + 3600 * NS}", []
        yield "q={app=\"none\"}", ["Menu"]
        yield "", ["/", "{"]
        yield "", ["h", "Right", "Shift+Right"]
        yield "q={broken", []

    def check(self, size, scheme):
        self.may_complain = True  # an answer with status 400 is one of the views
        self.b.size(*size)
        self.b.media(prefers_color_scheme=scheme)
        for state, keys in self.views():
            with self.subTest(state=state, keys=keys):
                self.open(state)
                self.press(*(key for key in keys if key != "Menu"))
                if "Menu" in keys and size == NARROW:
                    self.b.click("#menu")
                self.b.js("await Promise.all(document.getAnimations().map(a => a.finished)); await new Promise(r => setTimeout(r, 50))")
                self.assertEqual(self.b.js(RULES), [])
                over, wide = self.b.js(NO_SCROLL)
                self.assertEqual((over <= 0, wide), (True, []))
                self.press("Escape")

    def test_wide_light(self):
        self.check(WIDE, "light")

    def test_wide_dark(self):
        self.check(WIDE, "dark")

    def test_narrow_light(self):
        self.check(NARROW, "light")

    def test_narrow_dark(self):
        self.check(NARROW, "dark")

    def test_the_rules_themselves(self):
        self.serve(shop(100))
        self.open()
        self.assertEqual(self.b.js(RULES), [])
        self.b.js("""const b = document.createElement('button'); document.body.append(b); b.id = 'q';
            const s = document.createElement('p'); s.textContent = 'pale'; s.style.color = '#999'; document.body.append(s)""")
        found = "\n".join(self.b.js(RULES))
        for complaint in ("no name", "an id stands twice", "contrast 2.8"):
            self.assertIn(complaint, found)


class Keyboard(PageCase):
    def stops(self, most=80):
        """What the tab key visits, from the top on."""
        self.b.js("document.activeElement.blur(); getSelection().removeAllRanges()")
        found = []
        for _ in range(most):
            self.press("Tab")
            stop = self.b.js("""const e = document.activeElement;
                if (e === document.body) return null;
                const s = getComputedStyle(e), r = e.getBoundingClientRect();
                return [e.id || e.ariaLabel || e.className || e.textContent, s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2, r.width > 0 && r.height > 0]""")
            if stop is None:
                break
            found.append(stop)
        return found

    def test_tab_reaches_every_control_in_order_and_shows_where_it_is(self):
        self.serve(shop(300))
        self.open("live=1")
        stops = self.stops()
        names = [stop[0] for stop in stops]
        wanted = ["q", "range", "run", "order", "limit", "labels-button", "live-button",
                  "pause-button", "wrap-button", "fields-button", "raw-button", "table-button", "two-button", "copy-button", "download-button", "status-button",
                  "settings-button", "keys-button", "Lines over time"]
        self.assertEqual(names[:len(wanted)], wanted)
        self.assertIn("Lines", names)
        self.assertEqual([stop for stop in stops if not (stop[1] and stop[2])], [])
        self.assertLess(len(stops), 40, "the rows of the list are one stop")

    def test_a_dialog_keeps_the_focus_and_gives_it_back(self):
        self.serve(shop(100))
        self.open()
        self.b.js("document.getElementById('status-button').focus()")
        self.press("Enter")
        self.b.wait("document.getElementById('spool').open")
        for _ in range(5):
            self.press("Tab")
            self.assertTrue(self.b.value("document.activeElement === document.body || document.getElementById('spool').contains(document.activeElement)"))
        self.press("Escape")
        self.b.wait("document.activeElement.id === 'status-button'")

    def test_an_incident_without_a_mouse(self):
        """From the query to the context of an error, and back."""
        self.serve(shop(800))
        for size in (WIDE, NARROW):
            self.b.size(*size)
            self.open()
            self.press("/", '{app="checkout"}', "Enter", "Escape")
            self.b.wait("location.hash.includes('checkout')")
            self.done()
            self.press("p")
            self.b.wait("document.activeElement.classList.contains('level-error')")
            error = self.b.value("document.activeElement.querySelector('.text').textContent")
            self.press("o")
            self.b.wait("document.querySelector('.details')")
            self.press("Tab")
            self.assertRegex(self.b.value("document.activeElement.textContent"), r"^(Context|\+ \d+ lines)$")
            self.press("c")
            self.b.wait("document.activeElement.closest('#context')")
            self.assertEqual(self.b.value("document.querySelector('#context .here .text').textContent"), error)
            self.press("k", "k", "Escape")
            self.b.wait("document.getElementById('context').hidden")
            self.b.wait("document.activeElement.matches('.row')")

    def test_the_cursor_is_seen_and_one_stop(self):
        self.serve(shop(100))
        self.open()
        self.press("g", "j", "j")
        self.assertGreaterEqual(self.b.value("parseFloat(getComputedStyle(document.activeElement).outlineWidth)"), 2)
        self.assertEqual(self.b.value("document.activeElement.role ?? document.activeElement.tagName"), "ARTICLE")
        self.assertEqual(self.b.value("document.activeElement.parentElement.parentElement.role"), "feed")

    def test_keys_are_letters_again_where_one_writes(self):
        self.serve(shop(100))
        self.open()
        self.press("/", "jknpw")
        self.assertEqual(self.b.value("document.getElementById('q').value"), "jknpw")
        self.assertIsNone(self.state("wrap"))


class Announced(PageCase):
    def test_results_are_told(self):
        self.serve([record(START + i * NS, f"line {i}") for i in range(30)])
        self.open()
        self.assertEqual(self.b.value("document.getElementById('says').role"), "status")
        self.says("30 lines")
        self.assertEqual(self.b.value("document.querySelector('.error').role"), "alert")

    def test_nothing_moves_where_motion_is_reduced(self):
        self.serve(shop(100))
        self.b.media(prefers_reduced_motion="reduce")
        self.open("live=1")
        moving = "return [...document.querySelectorAll('*')].filter(e => { const s = getComputedStyle(e); return parseFloat(s.animationDuration) || parseFloat(s.transitionDuration); }).length"
        self.assertEqual(self.b.js(moving), 0)


if __name__ == "__main__":
    unittest.main()
