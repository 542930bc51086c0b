"""What the tests of the page share: one browser, a stand-in for the server with records, and the words of the page."""
import unittest

import browser as browser_module
import fake_serve

WIDE, NARROW = (1400, 900), (360, 740)
BUSY = "document.querySelector('.pane .list').ariaBusy"

# Notes when the first line was there, in milliseconds since the page was asked for.
FIRST_ROW = """new MutationObserver((_, observer) => {
    if (document.querySelector(".row .text")) { window.firstRow = performance.now(); observer.disconnect(); }
}).observe(document, {childList: true, subtree: true})"""


class PageCase(unittest.TestCase):
    browser = None

    @classmethod
    def setUpClass(cls):
        if PageCase.browser is None:
            PageCase.browser = browser_module.Browser()
            PageCase.browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=FIRST_ROW)
        cls.b = PageCase.browser

    def setUp(self):
        self.b.open("about:blank")
        self.b.size(*WIDE)
        self.b.media(prefers_color_scheme="light")
        self.b.errors()
        self.may_complain = False

    def tearDown(self):
        found = [text for text in self.b.errors() if "Password" not in text]
        if not self.may_complain:
            self.assertEqual(found, [], "the browser's console")

    def serve(self, records, **given):
        fake = fake_serve.Fake(fake_serve.Store(records, **given))
        self.addCleanup(fake.stop)
        self.url, self.store = fake.url, fake.store
        return fake

    def open(self, state="", done=True):
        """Opens the page with this state, and waits for the answer."""
        self.b.open(self.url + ("#" + state if state else ""))
        if done:
            self.done()

    def done(self):
        self.b.wait(f"{BUSY} === 'false'")

    def rows(self, inside=".pane"):
        return self.b.js("return [...document.querySelectorAll(given[0] + ' .row .text')].map(e => e.textContent)", inside)

    def press(self, *keys):
        for key in keys:
            self.b.type(key)

    def ask(self, query):
        """Writes a query as a person does, and waits for its answer."""
        self.b.js("document.activeElement.blur()")
        self.press("/")
        self.b.wait("document.activeElement.id === 'q'")
        self.b.js("document.getElementById('q').select()")
        self.b.type(query)
        self.press("Enter")

    def state(self, name):
        return self.b.value(f"new URLSearchParams(location.hash.slice(1)).get('{name}')")

    def says(self, text):
        self.b.wait(f"document.getElementById('says').textContent.includes({text!r})")

    def toggle(self, name):
        """The button of the tool bar."""
        self.b.click(f"#{name}-button")
