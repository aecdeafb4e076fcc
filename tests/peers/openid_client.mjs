// SPDX-License-Identifier: BSD-2-Clause
// npm openid-client against Postern's issuer: everything that an agent and a person's application do there.
import * as client from "openid-client";
import { askPerson, assert, check, claimsOf, end, readOrders, refused } from "./line.mjs";

const o = await readOrders();
const options = { execute: [client.allowInsecureRequests], algorithm: "oauth2" };
const discover = (id, metadata, auth) => client.discovery(new URL(o.issuer), id, metadata, auth, options);

const agent = await check("openid-client: discovers the issuer by RFC 8414", async () => {
  const config = await discover(o.agent.id, undefined, client.ClientSecretBasic(o.agent.secret));
  const server = config.serverMetadata();
  assert.equal(server.issuer, o.issuer);
  assert.ok(server.supportsPKCE(), "S256 is named");
  assert.equal(server.authorization_response_iss_parameter_supported, true);
  return config;
});

await check("openid-client: client_credentials for one resource, by Basic", async () => {
  const token = await client.clientCredentialsGrant(agent, { resource: o.resource, scope: o.scope });
  const claims = claimsOf(token.access_token);
  assert.equal(claims.aud, o.resource);
  assert.equal(claims.sub, o.agent.id);
  assert.equal(claims.act, undefined);
});

await check("openid-client: client_credentials by the form", async () => {
  const config = await discover(o.agent.id, undefined, client.ClientSecretPost(o.agent.secret));
  const token = await client.clientCredentialsGrant(config, { resource: o.resource });
  assert.equal(token.token_type.toLowerCase(), "bearer");
});

await refused("openid-client: a wrong secret is invalid_client", "invalid_client", async () => {
  const config = await discover(o.agent.id, undefined, client.ClientSecretBasic("not-the-secret"));
  await client.clientCredentialsGrant(config, { resource: o.resource });
});
await refused("openid-client: a resource that is not the agent's is invalid_target", "invalid_target", () =>
  client.clientCredentialsGrant(agent, { resource: "https://elsewhere.example.org/imap" }));
await refused("openid-client: a scope that is not the agent's is invalid_scope", "invalid_scope", () =>
  client.clientCredentialsGrant(agent, { resource: o.resource, scope: "root.everything" }));

if (o.key) {
  const keyed = await check("openid-client: private_key_jwt", async () => {
    const key = await crypto.subtle.importKey("jwk", o.key.jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
    const config = await discover(o.key.id, undefined, client.PrivateKeyJwt({ key, kid: o.key.jwk.kid }));
    const token = await client.clientCredentialsGrant(config, { resource: o.resource });
    assert.equal(claimsOf(token.access_token).client_id, o.key.id);
    return config;
  });
  await refused("openid-client: private_key_jwt with another key is invalid_client", "invalid_client", async () => {
    const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
    const config = await discover(o.key.id, undefined, client.PrivateKeyJwt({ key: pair.privateKey, kid: o.key.jwk.kid }));
    await client.clientCredentialsGrant(config, { resource: o.resource });
  });
  assert.ok(keyed);
}

const app = await discover(o.app.id, undefined, o.app.secret ? client.ClientSecretBasic(o.app.secret) : client.None());
const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
let back;

const tokens = await check("openid-client: authorization code with PKCE, iss and state checked by the library", async () => {
  const url = client.buildAuthorizationUrl(app, {
    redirect_uri: o.app.redirect,
    scope: o.scope,
    resource: o.resource,
    state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  back = await askPerson(url.href);
  const got = await client.authorizationCodeGrant(app, back, { pkceCodeVerifier: verifier, expectedState: state }, { resource: o.resource });
  const claims = claimsOf(got.access_token);
  assert.equal(claims.sub, o.person);
  assert.equal(claims.client_id, o.app.id);
  assert.equal(claims.aud, o.resource);
  assert.ok(got.refresh_token);
  return got;
});

const second = await check("openid-client: refresh gives a new access token and a new refresh token", async () => {
  const got = await client.refreshTokenGrant(app, tokens.refresh_token, { resource: o.resource });
  assert.notEqual(got.refresh_token, tokens.refresh_token);
  assert.equal(claimsOf(got.access_token).sub, o.person);
  return got;
});

const exchanged = await check("openid-client: the agent exchanges the person's token for its own service, named as actor", async () => {
  const got = await client.genericGrantRequest(agent, "urn:ietf:params:oauth:grant-type:token-exchange", {
    subject_token: second.access_token,
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
    resource: o.resource,
  });
  const claims = claimsOf(got.access_token);
  assert.equal(got.issued_token_type, "urn:ietf:params:oauth:token-type:access_token");
  assert.equal(claims.sub, o.person);
  assert.equal(claims.act.sub, o.agent.id);
  assert.ok(claims.exp <= claimsOf(second.access_token).exp);
  return got;
});

await check("openid-client: introspection says who and for whom", async () => {
  const seen = await client.tokenIntrospection(agent, exchanged.access_token);
  assert.equal(seen.active, true);
  assert.equal(seen.sub, o.person);
  assert.equal(seen.act.sub, o.agent.id);
});

await check("openid-client: revoking the parent ends what was exchanged from it", async () => {
  await client.tokenRevocation(app, second.access_token);
  const seen = await client.tokenIntrospection(agent, exchanged.access_token);
  assert.deepEqual({ ...seen }, { active: false });
});

await refused("openid-client: a refresh token that was used before is invalid_grant", "invalid_grant", () =>
  client.refreshTokenGrant(app, tokens.refresh_token));
await refused("openid-client: and its successor is dead with it", "invalid_grant", () =>
  client.refreshTokenGrant(app, second.refresh_token));
await refused("openid-client: the code cannot be redeemed again", "invalid_grant", () =>
  client.authorizationCodeGrant(app, back, { pkceCodeVerifier: verifier, expectedState: state }));
end();
