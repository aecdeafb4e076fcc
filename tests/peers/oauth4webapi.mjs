// SPDX-License-Identifier: BSD-2-Clause
// npm oauth4webapi, the strict low-level client, against Postern's issuer.
import * as oauth from "oauth4webapi";
import { askPerson, assert, check, claimsOf, end, readOrders, refused } from "./line.mjs";

const o = await readOrders();
const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(o.issuer);

const as = await check("oauth4webapi: discovery by oauth2, metadata judged by the library", async () =>
  oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure })));

await check("oauth4webapi: the OpenID document names the same issuer and endpoints", async () => {
  const oidc = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oidc", ...insecure }));
  assert.equal(oidc.token_endpoint, as.token_endpoint);
  assert.equal(oidc.jwks_uri, as.jwks_uri);
});

const agent = { client_id: o.agent.id };
const agentAuth = oauth.ClientSecretPost(o.agent.secret);
const own = await check("oauth4webapi: client_credentials", async () =>
  oauth.processClientCredentialsResponse(
    as, agent, await oauth.clientCredentialsGrantRequest(as, agent, agentAuth, { resource: o.resource }, insecure)));

await check("oauth4webapi: the library's own RFC 9068 validator takes the token", async () => {
  const request = new Request(o.resource, { headers: { authorization: `Bearer ${own.access_token}` } });
  const claims = await oauth.validateJwtAccessToken(as, request, o.resource, insecure);
  assert.equal(claims.client_id, o.agent.id);
});
await check("oauth4webapi: and refuses it for another audience", async () => {
  const request = new Request(o.resource, { headers: { authorization: `Bearer ${own.access_token}` } });
  await assert.rejects(oauth.validateJwtAccessToken(as, request, "https://elsewhere.example.org/", insecure));
});

const app = { client_id: o.app.id };
const appAuth = o.app.secret ? oauth.ClientSecretBasic(o.app.secret) : oauth.None();
async function authorize(parameters) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(as.authorization_endpoint);
  const all = {
    client_id: o.app.id, redirect_uri: o.app.redirect, response_type: "code", scope: o.scope, resource: o.resource, state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", ...parameters,
  };
  for (const [name, value] of Object.entries(all)) if (value !== undefined) url.searchParams.set(name, value);
  const back = await askPerson(url.href);
  return { verifier, parameters: oauth.validateAuthResponse(as, app, back, state) };
}

const first = await check("oauth4webapi: authorization code with PKCE", async () => {
  const { verifier, parameters } = await authorize({});
  return oauth.processAuthorizationCodeResponse(
    as, app, await oauth.authorizationCodeGrantRequest(as, app, appAuth, parameters, o.app.redirect, verifier, insecure));
});

await refused("oauth4webapi: another code_verifier is invalid_grant", "invalid_grant", async () => {
  const { parameters } = await authorize({});
  await oauth.processAuthorizationCodeResponse(
    as, app, await oauth.authorizationCodeGrantRequest(as, app, appAuth, parameters, o.app.redirect, oauth.generateRandomCodeVerifier(), insecure));
});
await refused("oauth4webapi: plain is no PKCE here", "invalid_request", () => authorize({ code_challenge_method: "plain" }));
await refused("oauth4webapi: nor is a request without a challenge", "invalid_request", () =>
  authorize({ code_challenge: undefined, code_challenge_method: undefined }));

await check("oauth4webapi: refresh", async () => {
  const got = await oauth.processRefreshTokenResponse(
    as, app, await oauth.refreshTokenGrantRequest(as, app, appAuth, first.refresh_token, insecure));
  assert.equal(claimsOf(got.access_token).sub, o.person);
});

await check("oauth4webapi: revocation and introspection", async () => {
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, agent, agentAuth, own.access_token, insecure));
  const seen = await oauth.processIntrospectionResponse(
    as, agent, await oauth.introspectionRequest(as, agent, agentAuth, own.access_token, insecure));
  assert.equal(seen.active, false);
});
end();
