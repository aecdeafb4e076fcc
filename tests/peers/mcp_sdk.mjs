// SPDX-License-Identifier: BSD-2-Clause
// The MCP SDK's own machine-to-machine providers against Postern's issuer: discovery, client_credentials, private_key_jwt.
import { auth } from "@modelcontextprotocol/sdk/client/auth.js";
import { ClientCredentialsProvider, PrivateKeyJwtProvider } from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { discoverOAuthProtectedResourceMetadata } from "@modelcontextprotocol/sdk/client/auth.js";
import { assert, check, claimsOf, end, readOrders } from "./line.mjs";

const o = await readOrders();

await check("MCP SDK: reads the protected-resource metadata of our own endpoint (RFC 9728)", async () => {
  const seen = await discoverOAuthProtectedResourceMetadata(o.whoami);
  assert.equal(seen.resource, o.whoami);
  assert.deepEqual(seen.authorization_servers, [o.issuer]);
});

async function tokenFor(provider) {
  assert.equal(await auth(provider, { serverUrl: o.whoami }), "AUTHORIZED");
  const { access_token } = provider.tokens();
  const answer = await fetch(o.whoami, { headers: { authorization: `Bearer ${access_token}` } });
  assert.equal(answer.status, 200, await answer.text());
  return claimsOf(access_token);
}

await check("MCP SDK: ClientCredentialsProvider gets a token that the protected endpoint takes", async () => {
  const claims = await tokenFor(new ClientCredentialsProvider({ clientId: o.agent.id, clientSecret: o.agent.secret }));
  assert.equal(claims.aud, o.whoami);
});
await check("MCP SDK: a wrong secret is an error, not a token", async () => {
  await assert.rejects(tokenFor(new ClientCredentialsProvider({ clientId: o.agent.id, clientSecret: "not-the-secret" })));
});
if (o.key)
  await check("MCP SDK: PrivateKeyJwtProvider gets a token", async () => {
    const provider = new PrivateKeyJwtProvider({ clientId: o.key.id, privateKey: o.key.jwk, algorithm: "ES256" });
    assert.equal((await tokenFor(provider)).client_id, o.key.id);
  });
end();
