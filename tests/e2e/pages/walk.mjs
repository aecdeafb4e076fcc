// SPDX-License-Identifier: BSD-2-Clause
// Real Chromium through the issuer's pages: login, consent, narrowing, denial, ending a grant; on a phone of 360 px and on a
// desktop, light and dark; axe-core finds nothing serious; no sideways scroll.  TAP on standard output.
// Started by tests/component/test_pages.py with one JSON argument.
import crypto from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import process from 'node:process'

const setup = JSON.parse(process.argv[2])
const require = createRequire(setup.modules + '/x')
const { chromium } = require('playwright-core')
const axeSource = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')

let failed = 0
const report = (ok, name, detail = '') => {
  console.log(`${ok ? 'ok' : 'not ok'} - ${name}`)
  if (!ok) {
    failed++
    for (const line of String(detail).split('\n').slice(0, 40)) console.log('# ' + line)
  }
}
const check = (condition, what) => {
  if (!condition) throw new Error(what)
}

// ---- the agent: a loopback listener, as RFC 8252 describes it ----

const calls = []
const listener = http.createServer((request, response) => {
  if (!request.url.startsWith('/callback')) {
    response.writeHead(404).end()
    return
  }
  calls.push({ url: new URL(request.url, 'http://127.0.0.1'), cookie: request.headers.cookie, referer: request.headers.referer })
  response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><html lang=en><title>Done</title><p>You may close this page.')
})
await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve))
const redirect = `http://127.0.0.1:${listener.address().port}/callback`
const callback = () => calls[calls.length - 1]

const verifier = crypto.randomBytes(32).toString('base64url')
const authorizeUrl = (more = {}) => {
  const url = new URL(setup.issuer + '/oauth/authorize')
  const query = {
    response_type: 'code',
    client_id: 'agent-7',
    redirect_uri: redirect,
    state: crypto.randomBytes(8).toString('hex'),
    code_challenge: crypto.createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    scope: 'mail.read mail.send',
    purpose: 'Sort this week’s invoices into folders',
    ...more,
  }
  for (const [name, value] of Object.entries(query)) url.searchParams.append(name, value)
  if (!more.resource) for (const resource of setup.resources) url.searchParams.append('resource', resource)
  return url
}

// What the token endpoint says: [status, JSON].
const ask = async (form) => {
  const response = await fetch(setup.issuer + '/oauth/token', { method: 'POST', body: new URLSearchParams({ client_id: 'agent-7', ...form }) })
  return [response.status, await response.json()]
}
const redeem = (more = {}) => ask({ grant_type: 'authorization_code', code: callback().url.searchParams.get('code'), redirect_uri: redirect, code_verifier: verifier, ...more })
const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))

// ---- looking at a page ----

const shots = setup.shots
const violations = []
const look = async (page, name) => {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  if (wide > 0) violations.push(`${name}: scrolls ${wide} px sideways`)
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true })
  // By the debugger's way in, not as a script of the page: its policy allows none.
  const found = await page.evaluate(`(() => { ${axeSource}; return axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }) })()`)
  for (const v of found.violations)
    violations.push(`${name}: ${v.impact} ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)
  const small = await page.evaluate(() => [...document.querySelectorAll('button, .row, .pills label, input:not([type=hidden]):not([type=checkbox]):not([type=radio]):not([hidden])')]
    .filter((e) => e.getBoundingClientRect().height < 24).map((e) => e.outerHTML.slice(0, 80)))
  if (small.length) violations.push(`${name}: too small to touch: ${small.join(', ')}`)
}

// Headless Chromium without its own network: everything is on loopback.
const browser = await chromium.launch({ executablePath: setup.chromium, args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update'] })
const sizes = { phone: { width: 360, height: 740 }, desktop: { width: 1280, height: 900 } }
const open = async (size, colorScheme = 'light') => {
  const context = await browser.newContext({ viewport: sizes[size], colorScheme, javaScriptEnabled: true, deviceScaleFactor: size === 'phone' ? 2 : 1 })
  const page = await context.newPage()
  page.setDefaultTimeout(15000)
  page.on('console', (m) => { if (m.type() === 'error' && !/favicon|status of (400|403|404)/.test(m.text())) violations.push('console: ' + m.text()) })
  return page
}
const logIn = async (page, password = setup.password) => {
  await page.getByLabel('Name').fill('alice')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.waitForLoadState()
}

const tests = {
  async 'a person logs in, approves, and the agent gets code, state and iss'() {
    for (const [size, scheme] of [['phone', 'light'], ['desktop', 'dark']]) {
      const page = await open(size, scheme)
      const url = authorizeUrl()
      await page.goto(url.href)
      await look(page, `login-${size}-${scheme}`)
      await logIn(page)
      check((await page.title()).startsWith('Let an agent'), 'no consent page: ' + (await page.title()))
      await look(page, `consent-${size}-${scheme}`)
      check(await page.getByLabel('1 hour').isChecked(), 'the shortest time is not chosen')
      await page.getByRole('button', { name: 'Allow' }).click()
      await page.waitForURL(redirect + '*')
      const { searchParams } = callback().url
      check(searchParams.get('state') === url.searchParams.get('state'), 'state')
      check(searchParams.get('iss') === setup.issuer, 'iss')
      check(/^[\w-]{43}$/.test(searchParams.get('code')), 'code')
      check(callback().cookie === undefined, 'the agent got a cookie: ' + callback().cookie)
      check(callback().referer === undefined, 'the agent got a referer: ' + callback().referer)
      const [status, tokens] = await redeem({ resource: setup.resources[0] })
      check(status === 200, JSON.stringify(tokens))
      const token = claims(tokens.access_token)
      check(token.sub === 'alice' && token.client_id === 'agent-7' && token.aud === setup.resources[0], JSON.stringify(token))
      check(token.purpose === url.searchParams.get('purpose'), 'purpose: ' + token.purpose)
      await page.context().close()
    }
  },

  async 'a wrong password is said beside the fields, and the page works on'() {
    const page = await open('phone', 'dark')
    await page.goto(authorizeUrl().href)
    await logIn(page, 'wrong wrong wrong')
    check(await page.getByRole('alert').isVisible(), 'no message')
    check((await page.getByLabel('Password').getAttribute('aria-describedby')) === 'login-error', 'not tied to the field')
    await look(page, 'login-wrong-phone-dark')
    await logIn(page)
    check((await page.title()).startsWith('Let an agent'), 'no consent page')
    await look(page, 'consent-phone-dark')
    await page.context().close()
  },

  async 'what is unticked is not granted, and the account says what is'() {
    const page = await open('desktop')
    await page.goto(authorizeUrl().href)
    await logIn(page)
    await look(page, 'consent-desktop-light')
    for (const box of await page.getByRole('checkbox').all()) await box.uncheck()
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.getByRole('alert').waitFor()
    await look(page, 'consent-nothing-desktop-light')
    await page.getByRole('checkbox').nth(0).check()
    await page.getByRole('checkbox', { name: 'mail.send' }).check()
    await page.getByLabel('8 hours').check()
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.waitForURL(redirect + '*')
    const [status, tokens] = await redeem()
    check(status === 200 && tokens.scope === 'mail.send', 'not narrowed: ' + JSON.stringify(tokens))
    const { url: redeemed } = callback()
    await page.goto(setup.issuer + '/account')
    const newest = page.getByRole('listitem').filter({ hasText: 'Send mail' }).filter({ hasNotText: 'Read mail' })
    check((await newest.count()) === 1, 'the account does not show the narrowed grant')
    await look(page, 'account-desktop-light')
    await page.setViewportSize(sizes.phone)
    await look(page, 'account-phone-light')
    // A code that comes twice was stolen: what hangs on it ends (OAuth 2.1 §4.1.3).
    check((await redeem({ code: redeemed.searchParams.get('code') }))[0] === 400, 'the code was good twice')
    await page.reload()
    check((await newest.count()) === 0, 'the grant of a stolen code stands')
    await page.context().close()
  },

  async 'a person denies, and the agent is told'() {
    const page = await open('phone')
    await page.goto(authorizeUrl().href)
    await logIn(page)
    await page.getByRole('button', { name: 'Deny' }).click()
    await page.waitForURL(redirect + '*')
    check(callback().url.searchParams.get('error') === 'access_denied', callback().url.href)
    check(callback().url.searchParams.get('iss') === setup.issuer, 'iss')
    await page.context().close()
  },

  async 'a person ends a grant and logs out, with the keyboard alone; the agent gets nothing any more'() {
    const page = await open('desktop', 'dark')
    await page.goto(authorizeUrl({ purpose: 'to be ended' }).href)
    await logIn(page)
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.waitForURL(redirect + '*')
    const [, tokens] = await redeem({ resource: setup.resources[0] })
    check(tokens.refresh_token, 'no refresh token: ' + JSON.stringify(tokens))
    await page.context().clearCookies()
    await page.goto(setup.issuer + '/account')
    await page.getByLabel('Name').focus()
    await page.keyboard.type('alice')
    await page.keyboard.press('Tab')
    await page.keyboard.type(setup.password)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Your agents' }).waitFor()
    await look(page, 'account-desktop-dark')
    const before = await page.getByRole('button', { name: 'End' }).count()
    check(before > 0, 'nothing to end')
    await page.getByRole('listitem').filter({ hasText: 'to be ended' }).getByRole('button', { name: 'End' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('status').waitFor()
    const [status, refused] = await ask({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
    check(status === 400 && refused.error === 'invalid_grant', 'refreshed after the end: ' + JSON.stringify(refused))
    check((await page.getByRole('button', { name: 'End' }).count()) === before - 1, 'it did not end')
    await look(page, 'account-ended-desktop-dark')
    await page.getByRole('link', { name: 'Change your password' }).click()
    await look(page, 'password-desktop-dark')
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    await page.goto(setup.issuer + '/oauth/account')
    check(await page.getByRole('heading', { name: 'Log in' }).isVisible(), 'still logged in')
    await page.context().close()
  },

  async 'an agent that registered itself is marked, and its texts run no script'() {
    const page = await open('phone')
    let ran = false
    page.on('dialog', (dialog) => { ran = true; dialog.dismiss() })
    const details = JSON.stringify([{ type: '</pre><script>alert(1)</script>', actions: ['read', 'x'.repeat(200)] }])
    await page.goto(authorizeUrl({ client_id: 'stranger', scope: 'mail.read', purpose: '<img src=x onerror=alert(1)> ' + 'long'.repeat(40), authorization_details: details }).href)
    await logIn(page)
    check(await page.getByText('Not verified.').isVisible(), 'not marked')
    await look(page, 'consent-stranger-phone-light')
    await page.emulateMedia({ colorScheme: 'dark' })
    await look(page, 'consent-stranger-phone-dark')
    check((await page.locator('img, script').count()) === 0, 'markup of a stranger')
    check(!ran, 'a script of a stranger ran')
    await page.context().close()
  },

  async 'the pages work without scripts'() {
    const context = await browser.newContext({ javaScriptEnabled: false, viewport: sizes.phone })
    const page = await context.newPage()
    await page.goto(authorizeUrl().href)
    await logIn(page)
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.waitForURL(redirect + '*')
    check(callback().url.searchParams.has('code'), 'no code')
    await context.close()
  },

  async 'another site can neither frame a page nor post a form to it'() {
    const page = await open('desktop')
    await page.goto(authorizeUrl().href)
    await logIn(page)
    const evil = http.createServer((request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end(`<!doctype html><title>Evil</title><iframe src="${authorizeUrl().href.replace(/&/g, '&amp;')}"></iframe>
        <form method=post action="${setup.issuer}/oauth/account"><input name=action value=end><input name=grant value=x><button>Win</button></form>`)
    })
    await new Promise((resolve) => evil.listen(0, '127.0.0.1', resolve))
    await page.goto(`http://localhost:${evil.address().port}/`) // another site than 127.0.0.1
    const frame = page.frames()[1]
    check(frame === undefined || !(await frame.content()).includes('act for you'), 'framed')
    const answer = page.waitForResponse((r) => r.url().endsWith('/oauth/account'))
    await page.getByRole('button', { name: 'Win' }).click()
    check((await answer).status() === 403, 'a form of another site was taken')
    for (let i = violations.length - 1; i >= 0; i--) if (/^console: .*(frame|X-Frame)/i.test(violations[i])) violations.splice(i, 1)
    evil.close()
    await page.context().close()
  },

  async 'a link with a strange redirect URI ends on a page'() {
    const page = await open('phone')
    const answer = await page.goto(authorizeUrl({ redirect_uri: 'https://evil.example/' }).href)
    check(answer.status() === 400, 'status ' + answer.status())
    await look(page, 'problem-phone-light')
    await page.context().close()
  },
}

for (const [name, test] of Object.entries(tests)) {
  try {
    await test()
    report(true, name)
  } catch (e) {
    report(false, name, e.stack)
  }
}
report(violations.length === 0, 'no page scrolls sideways at 360 px, and axe-core finds nothing', violations.join('\n'))
await browser.close()
listener.close()
process.exitCode = failed ? 1 : 0
