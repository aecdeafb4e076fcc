# SPDX-License-Identifier: BSD-2-Clause
"""A person's browser as far as login pages without scripts need one: cookies, redirects, the first form of a page.  Stops at the
first address that is another server's, and returns it."""
import html.parser
import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request


class Form(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.action, self.fields = None, {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if tag == "form" and self.action is None:
            self.action = a.get("action", "")
        elif tag == "input" and a.get("name") and a.get("type") not in ("submit", "checkbox"):
            self.fields[a["name"]] = a.get("value") or ""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


class Browser:
    def __init__(self, issuer):
        self.issuer = issuer
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), NoRedirect)

    def fetch(self, url, fields=None):
        """One request: (status, address it leads to or None, text)."""
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        try:
            r = self.opener.open(url, data, 10)
        except urllib.error.HTTPError as e:
            r = e
        location = r.headers.get("Location")
        return r.status, location and urllib.parse.urljoin(url, location), r.read().decode()

    def walk(self, url, fields=None):
        """Follow redirects while they stay at the issuer: (url, text), text None at another server's address."""
        for _ in range(20):
            if not url.startswith(self.issuer + "/"):
                return url, None
            status, location, text = self.fetch(url, fields)
            if location is None:
                return url, text
            url, fields = location, None
        raise AssertionError("redirects without end")

    def submit(self, url, text, **more):
        form = Form(text)
        assert form.action is not None, "no form: " + text[:300]
        return self.walk(urllib.parse.urljoin(url, form.action), dict(form.fields, **more))

    def authorize(self, url, login="alice", forms=4):
        """Fill in form after form until the browser is sent back to the client; the address of the client."""
        url, text = self.walk(url)
        for _ in range(forms):
            if text is None:
                return url
            url, text = self.submit(url, text, login=login, password="x")
        assert text is None, text[:300]
        return url
