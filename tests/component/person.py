# SPDX-License-Identifier: BSD-2-Clause
"""A person at the issuer's pages, without a browser: follows addresses, keeps cookies, fills in forms as they stand in the HTML.
What a real browser does with the same pages is tests/e2e/pages."""
import html.parser
import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request


class Forms(html.parser.HTMLParser):
    """forms: [{"action", "method", "fields": [(tag, {attributes})]}]; text: everything between tags."""

    def __init__(self, text):
        super().__init__()
        self.forms, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        a = {k: v if v is not None else "" for k, v in attrs}
        if tag == "form":
            self.forms.append({"action": a.get("action", ""), "method": a.get("method", "get").lower(), "fields": []})
        elif tag in ("input", "button", "select", "option", "textarea") and self.forms:
            self.forms[-1]["fields"].append((tag, a))

    def handle_data(self, data):
        self.text += data


class Stop(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        return None


class Page:
    def __init__(self, url, status, headers, body):
        self.url, self.status, self.headers, self.body = url, status, headers, body
        parsed = Forms(body)
        self.forms, self.text = parsed.forms, " ".join(parsed.text.split())

    def form(self, with_field):
        for form in self.forms:
            if any(a.get("type") == with_field or a.get("name") == with_field for _, a in form["fields"]):
                return form
        raise AssertionError("%s (%s): no form with %s: %s" % (self.url, self.status, with_field, self.text[:500]))


class Person:
    def __init__(self, name, password, origin):
        self.name, self.password, self.origin = name, password, origin
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), Stop)

    def open(self, url, data=None):
        """Follows redirects inside the issuer; one that leaves it is the end: returns (page, address outside or None)."""
        for _ in range(10):
            request = urllib.request.Request(url, data=data)
            if data is not None:
                request.add_header("Origin", self.origin)
            try:
                answer = self.opener.open(request, timeout=60)
            except urllib.error.HTTPError as e:
                answer = e
            page = Page(url, answer.status if hasattr(answer, "status") else answer.code, answer.headers, answer.read().decode())
            target = answer.headers.get("Location")
            if target is None:
                return page, None
            url, data = urllib.parse.urljoin(url, target), None
            if not url.startswith(self.origin + "/"):
                return page, url
        raise AssertionError("more than ten redirects")

    def submit(self, page, form, press=None, untick=(), **values):
        """What a browser would send: hidden fields, ticked boxes, the pressed button; `values` fills the rest."""
        pairs, select = [], None
        for tag, a in form["fields"]:
            kind, name = a.get("type", "text" if tag == "input" else "submit").lower(), a.get("name")
            if tag == "select":
                select = name
            elif tag == "option":
                if select is not None and select not in values and ("selected" in a):
                    pairs.append((select, a.get("value", "")))
            elif name is None:
                continue
            elif kind in ("checkbox", "radio"):
                if "checked" in a and a.get("value", "on") not in untick and (kind == "checkbox" or name not in values):
                    pairs.append((name, a.get("value", "on")))
            elif kind in ("submit", "button"):
                if press is not None and press in (a.get("value"), name):
                    pairs.append((name, a.get("value", "")))
            elif name not in values:
                pairs.append((name, a.get("value", "")))
        pairs += list(values.items())
        data = urllib.parse.urlencode(pairs).encode()
        url = urllib.parse.urljoin(page.url, form["action"] or page.url)
        return self.open(url, data)

    def log_in(self, page):
        form = page.form("password")
        name = next(a["name"] for _, a in form["fields"] if a.get("autocomplete") == "username")
        secret = next(a["name"] for _, a in form["fields"] if a.get("type") == "password")
        return self.submit(page, form, **{name: self.name, secret: self.password})

    def authorize(self, url, press="approve", untick=(), **values):
        """Through login (when asked) and consent; the address that the browser is sent to in the end."""
        page, outside = self.open(url)
        if outside is None and any(a.get("type") == "password" for f in page.forms for _, a in f["fields"]):
            page, outside = self.log_in(page)
        if outside is None:
            form = next((f for f in page.forms if any(a.get("value") == press or a.get("name") == press for _, a in f["fields"])), None)
            if form is None:
                raise AssertionError("%s (%s): no %s button: %s" % (page.url, page.status, press, page.text[:800]))
            page, outside = self.submit(page, form, press=press, untick=untick, **values)
        if outside is None:
            raise AssertionError("%s (%s): nobody was sent back: %s" % (page.url, page.status, page.text[:800]))
        return outside
