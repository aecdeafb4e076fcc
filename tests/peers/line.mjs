// SPDX-License-Identifier: BSD-2-Clause
// What every peer script shares: its orders are one JSON line on standard input, a person's part (an authorization URL) goes out as
// a line "person URL" and comes back as the address the browser was sent to; each finding is a TAP line.
import { createInterface } from "node:readline";
import assert from "node:assert/strict";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let failed = 0;

export async function readLine() {
  const { value, done } = await lines.next();
  if (done) throw new Error("standard input ended");
  return value;
}

export const readOrders = async () => JSON.parse(await readLine());

export async function askPerson(url) {
  process.stdout.write(`person ${url}\n`);
  return new URL(await readLine());
}

export async function check(name, work) {
  try {
    const result = await work();
    process.stdout.write(`ok - ${name}\n`);
    return result;
  } catch (problem) {
    failed++;
    process.stdout.write(`not ok - ${name}\n`);
    for (const line of String(problem?.stack ?? problem).split("\n").slice(0, 12)) process.stdout.write(`# ${line}\n`);
    if (problem?.cause !== undefined) process.stdout.write(`# cause: ${JSON.stringify(problem.cause)}\n`);
    return undefined;
  }
}

/** `work` must fail with an OAuth error of that name. */
export async function refused(name, error, work) {
  await check(name, async () => {
    let problem;
    try {
      await work();
    } catch (p) {
      problem = p;
    }
    assert.ok(problem, "it was not refused");
    const challenges = Array.isArray(problem.cause) ? problem.cause.map((c) => c.parameters?.error) : [];
    const words = [problem.error, problem.cause?.error, problem.errorCode, problem.constructor?.errorCode, ...challenges];
    assert.ok(words.includes(error), `refused with ${words.filter(Boolean)}: ${problem}`);
  });
}

export const claimsOf = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[1], "base64url"));
export const end = () => process.exit(failed ? 1 : 0);
export { assert };
