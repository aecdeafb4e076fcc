// SPDX-License-Identifier: BSD-2-Clause
// npm redis (node-redis) at a Redis door, unmodified, with a token for its password: RESP 2 and 3.
// node node_redis.mjs with POSTERN_PEERS; orders: port, good, bad.
import { createRequire } from "node:module";
import { assert, check, end, readOrders } from "./line.mjs";
const { createClient } = createRequire(process.env.POSTERN_PEERS + "/")("redis");

const o = await readOrders();
async function open(password, RESP) {
  const c = createClient({ password, RESP, socket: { host: "127.0.0.1", port: o.port, reconnectStrategy: false } });
  c.on("error", () => undefined);
  await c.connect();
  return c;
}

for (const RESP of [2, 3]) {
  await check(`node-redis: keys, a transaction, many at once and a channel with RESP ${RESP}`, async () => {
    const c = await open(o.good, RESP), says = await open(o.good, RESP), key = `cache:node:${RESP}`;
    await c.set(key, "v");
    assert.equal(await c.get(key), "v");
    await c.hSet(key + ":h", { a: "1" });
    assert.deepEqual({ ...(await c.hGetAll(key + ":h")) }, { a: "1" });
    const counts = await Promise.all(Array.from({ length: 1000 }, () => c.incr(key + ":n")));
    assert.equal(counts[999], 1000);
    assert.deepEqual(await c.multi().set(key, "w").get(key).exec(), ["OK", "w"]);
    await assert.rejects(c.get("other"), /NOPERM/);
    let heard;
    const message = new Promise((done) => { heard = done; });
    await c.subscribe("cache:news", heard);
    await says.publish("cache:news", "hello");
    assert.equal(await message, "hello");
    c.destroy();
    says.destroy();
  });
}
await check("node-redis: is refused with a wrong token", async () => {
  await assert.rejects(open(o.bad, 3), /WRONGPASS/);
});
end();
