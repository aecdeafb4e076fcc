// SPDX-License-Identifier: BSD-2-Clause
// An authorization server that nobody here wrote (npm oidc-provider), for test_foreign_issuer.py: code with PKCE, refresh with
// rotation, token exchange by its registerGrantType, revocation, clients with secret, private_key_jwt and none.
// node oidc_provider.mjs PORT CLIENT-JWK-FILE with POSTERN_PEERS; its log is one JSON line for each request and each event.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
const require = createRequire(process.env.POSTERN_PEERS + '/');
const { Provider, errors } = await import(require.resolve('oidc-provider'));

const port = Number(process.argv[2]);
const keys = readFileSync(process.argv[3], 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const issuer = `http://127.0.0.1:${port}`;
const exchangeType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const grants = ['authorization_code', 'refresh_token', exchangeType];
const resources = ['https://mail.example.org/imap', 'https://ldap.example.org/ldap'];
const scope = 'openid offline_access mail.read mail.write ldap.read';
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');

const client = (more) => ({
  grant_types: grants, response_types: ['code'], redirect_uris: ['http://127.0.0.1/callback'], application_type: 'native', scope, ...more,
});
const provider = new Provider(issuer, {
  clients: [
    client({ client_id: 'agent-secret', client_secret: 's3cr3t-of-agent', token_endpoint_auth_method: 'client_secret_basic',
      grant_types: [...grants, 'client_credentials'] }),
    client({ client_id: 'agent-es256', token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [keys[0]] }, grant_types: [...grants, 'client_credentials'] }),
    client({ client_id: 'agent-rs256', token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'RS256',
      jwks: { keys: [keys[1]] }, grant_types: [...grants, 'client_credentials'] }),
    client({ client_id: 'agent-eddsa', token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'EdDSA',
      jwks: { keys: [keys[2]] }, grant_types: [...grants, 'client_credentials'] }),
    client({ client_id: 'agent-public', token_endpoint_auth_method: 'none' }),
  ],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
  enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
  scopes: scope.split(' '),
  cookies: { keys: ['test'] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: { AccessToken: Number(process.env.ACCESS_TTL || 600), RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 600,
    ClientCredentials: 600, IdToken: 600, AuthorizationCode: 60 },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resources[0],
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => {
        if (!resources.includes(resource)) throw new errors.InvalidTarget();
        return { scope: 'mail.read mail.write ldap.read', audience: resource, accessTokenFormat: 'opaque' };
      },
    },
  },
});

provider.registerGrantType(exchangeType, async (ctx) => {
  const p = ctx.oidc.params;
  const subject = await provider.AccessToken.find(p.subject_token);
  if (!subject || subject.isExpired) throw new errors.InvalidRequest('subject_token is not good');
  if (!resources.includes(p.resource)) throw new errors.InvalidTarget();
  const token = new provider.AccessToken({ accountId: subject.accountId, client: ctx.oidc.client, grantId: subject.grantId,
    scope: p.scope, gty: 'token_exchange' });
  token.resourceServer = { identifier: () => p.resource, audience: p.resource, accessTokenTTL: 300, accessTokenFormat: 'opaque',
    scopes: new Set((p.scope || '').split(' ')) };
  ctx.body = { access_token: await token.save(), issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer', expires_in: 300, scope: p.scope };
}, ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'resource', 'scope', 'purpose']);

provider.use(async (ctx, next) => {
  await next();
  say({ method: ctx.method, path: ctx.path, status: ctx.status, grant: ctx.oidc?.params?.grant_type, client: ctx.oidc?.client?.clientId,
    error: ctx.body?.error, description: ctx.body?.error_description,
    method_used: ctx.oidc?.client?.clientAuthMethod, purpose: ctx.oidc?.params?.purpose });
});
provider.on('grant.revoked', () => say({ event: 'grant revoked' }));
provider.on('server_error', (ctx, err) => say({ event: 'server error', text: String(err.stack) }));
provider.listen(port, '127.0.0.1', () => say({ event: 'listening' }));
