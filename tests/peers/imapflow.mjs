// SPDX-License-Identifier: BSD-2-Clause
// npm imapflow at a real imapd: OAUTHBEARER over TLS, and what it shows its user when the token is refused.
// node imapflow.mjs with POSTERN_PEERS; orders: host, ca (PEM), user, good, bad, status (of the refusal).
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { assert, check, end, readOrders } from "./line.mjs";
const { ImapFlow } = createRequire(process.env.POSTERN_PEERS + "/")("imapflow");

const o = await readOrders();
const client = (more) =>
  new ImapFlow({ host: o.host, port: 993, secure: true, tls: { ca: readFileSync(o.ca) }, logger: false, ...more });

for (const [name, more] of [["993", {}], ["143 with STARTTLS", { port: 143, secure: false, doSTARTTLS: true }]]) {
  await check(`imapflow: logs in on ${name} and opens INBOX`, async () => {
    const c = client({ auth: { user: o.user, accessToken: o.good }, ...more });
    await c.connect();
    const box = await c.mailboxOpen("INBOX");
    assert.equal(box.path, "INBOX");
    await c.logout();
  });
}

await check("imapflow: is refused with the wrong token, and shows the error of RFC 7628", async () => {
  const c = client({ auth: { user: o.user, accessToken: o.bad } });
  c.on("error", () => {});
  const problem = await c.connect().then(() => null, (p) => p);
  assert.ok(problem, "it was not refused");
  assert.equal(problem.authenticationFailed, true);
  assert.equal(problem.oauthError?.status, o.status, JSON.stringify(problem.oauthError));
  assert.match(problem.oauthError.ref, /^R-[0-9A-Z]{10}$/);
  process.stdout.write(`ref ${problem.oauthError.ref}\n`);
});
end();
