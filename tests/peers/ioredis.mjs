// SPDX-License-Identifier: BSD-2-Clause
// npm ioredis at a Redis door, unmodified, with a token for its password.
// node ioredis.mjs with POSTERN_PEERS; orders: port, good, bad.
import { createRequire } from "node:module";
import { assert, check, end, readOrders } from "./line.mjs";
const { Redis } = createRequire(process.env.POSTERN_PEERS + "/")("ioredis");

const o = await readOrders();
const open = (password, more) => new Redis({ host: "127.0.0.1", port: o.port, password, maxRetriesPerRequest: 1, ...more });
const refused = (work, pattern) => assert.rejects(work, (p) => pattern.test(String(p)) || assert.fail(String(p)));

await check("ioredis: keys of every kind, a pipeline and a transaction", async () => {
  const r = open(o.good);
  await r.set("cache:io", "v");
  assert.equal(await r.get("cache:io"), "v");
  await r.hset("cache:io:h", { a: "1", b: "2" });
  assert.deepEqual({ ...(await r.hgetall("cache:io:h")) }, { a: "1", b: "2" });
  await r.rpush("cache:io:l", "1", "2");
  assert.equal(await r.blpop("cache:io:l", 5).then((x) => x[1]), "1");
  const many = r.pipeline();
  for (let i = 0; i < 1000; i++) many.incr("cache:io:n");
  assert.equal((await many.exec())[999][1], 1000);
  assert.deepEqual(await r.multi().set("cache:io", "w").get("cache:io").exec(), [[null, "OK"], [null, "w"]]);
  await refused(r.get("other"), /NOPERM/);
  await refused(r.eval("return 1", 0), /NOPERM/);
  r.disconnect();
});
await check("ioredis: hears a channel", async () => {
  const heard = open(o.good), says = open(o.good);
  const message = new Promise((done) => heard.on("message", (channel, text) => done([channel, text])));
  await heard.subscribe("cache:io:news");
  await says.publish("cache:io:news", "hello");
  assert.deepEqual(await message, ["cache:io:news", "hello"]);
  heard.disconnect();
  says.disconnect();
});
await check("ioredis: is refused with a wrong token", async () => {
  const r = open(o.bad, { retryStrategy: null, lazyConnect: true }), said = [];
  r.on("error", (p) => said.push(String(p)));
  await r.connect().catch((p) => said.push(String(p)));
  assert.notEqual(said.length, 0, "it was not refused"); // "Connection is closed." is all that it says of AUTH's answer
  r.disconnect();
});
end();
