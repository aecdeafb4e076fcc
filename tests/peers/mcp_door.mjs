// SPDX-License-Identifier: BSD-2-Clause
// An MCP host with the SDK's own client, unmodified: its server is `postern connect --stdio`, and behind that a door and a real tool
// server.  Orders, one JSON line: {command, args, env, roots, root}; then one line a step: {call: METHOD-OF-THE-CLIENT, with: [...]};
// each step is answered by one line {result} or {error: {code, message, data}}.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema, ResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { readLine, readOrders } from "./line.mjs";

const o = await readOrders();
const seen = { sampling: 0, elicitation: 0, roots: 0 };
const client = new Client(
  { name: "scripted-agent", version: "1" },
  { capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } },
);
client.setRequestHandler(CreateMessageRequestSchema, async () => {
  seen.sampling++;
  return { model: "m", role: "assistant", content: { type: "text", text: "sampled" } };
});
client.setRequestHandler(ElicitRequestSchema, async () => {
  seen.elicitation++;
  return { action: "decline" };
});
client.setRequestHandler(ListRootsRequestSchema, async () => {
  seen.roots++;
  return { roots: (o.roots ?? []).map((uri) => ({ uri })) };
});

const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
const steps = {
  connect: async () => {
    await client.connect(new StdioClientTransport({ command: o.command, args: o.args, env: o.env, cwd: "/", stderr: "inherit" }));
    return { server: client.getServerVersion(), capabilities: client.getServerCapabilities() };
  },
  seen: async () => seen,
  request: async (request) => client.request(request, ResultSchema),
  close: async () => client.close(),
};

async function run(step) {
  const work = steps[step.call] ?? ((...words) => client[step.call](...words));
  try {
    const result = await work(...(step.with ?? []));
    return { n: step.n, result: result ?? null };
  } catch (e) {
    return { n: step.n, error: { code: e.code ?? null, message: String(e.message ?? e), data: e.data ?? null } };
  }
}

// Steps run side by side: a held one does not keep the others.
for (;;) {
  const step = JSON.parse(await readLine());
  if (step.call === "end") break;
  const done = run(step).then(say);
  if (step.call === "connect" || step.call === "close") await done;
}
process.exit(0);
