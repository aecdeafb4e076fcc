// SPDX-License-Identifier: BSD-2-Clause
// npm nodemailer at a real submission server: XOAUTH2 under STARTTLS and TLS, and a token that is refused.
// node nodemailer.mjs with POSTERN_PEERS; orders: host, ca (PEM), user, good, bad, long (a token of some 6 KB).
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { assert, check, end, readOrders } from "./line.mjs";
const nodemailer = createRequire(process.env.POSTERN_PEERS + "/")("nodemailer");

const o = await readOrders();
function send(accessToken, more) {
  const transport = nodemailer.createTransport({
    host: o.host, port: 587, requireTLS: true, tls: { ca: readFileSync(o.ca), servername: o.host },
    auth: { type: "OAuth2", user: o.user, accessToken }, ...more,
  });
  const message = { from: "agent-7@mail.example.org", to: "alice@example.net", subject: "By a token", text: "Hello" };
  return transport.sendMail(message).finally(() => transport.close());
}

await check("nodemailer: sends by XOAUTH2 on 587 with STARTTLS", async () => {
  assert.match((await send(o.good)).response, /^250 /);
});
await check("nodemailer: sends by XOAUTH2 on 465 with a token of some 6 KB", async () => {
  assert.match((await send(o.long, { port: 465, secure: true })).response, /^250 /);
});
await check("nodemailer: is refused with the wrong token", async () => {
  const problem = await send(o.bad).then(() => null, (p) => p);
  assert.ok(problem, "it was not refused");
  assert.equal(problem.code, "EAUTH", String(problem));
});
end();
