// SPDX-License-Identifier: BSD-2-Clause
// npm oidc-provider as an authorization server by HTTPS, for test_real_issuers.py: access tokens that are signed or opaque, as their
// resource has it, and signing keys that change while it runs.
// node oidc_issuer.mjs SETTINGS with POSTERN_PEERS; SETTINGS is JSON: port, cert, key, keys (private JWKs, the first one signs), auth
// (how clients prove themselves), client_key (a public JWK), cache (Cache-Control of the key set).  A line of JSON on standard input
// is a new list of keys.  Its log is one JSON line for each request and each event.
import { createRequire } from 'node:module';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
const require = createRequire(process.env.POSTERN_PEERS + '/');
const { Provider, errors } = await import(require.resolve('oidc-provider'));

const settings = JSON.parse(process.argv[2]);
const issuer = `https://127.0.0.1:${settings.port}`;
const formats = {
  'https://mail.example.org/imap': 'jwt', 'https://ldap.example.org/ldap': 'jwt', 'https://both.example.org/imap': 'jwt',
  'https://mock.example.org/imap': 'jwt', 'https://opaque.example.org/imap': 'opaque', 'https://opaque.example.org/ldap': 'opaque',
};
const scope = 'openid offline_access mail.read mail.write';
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const client = (more) => ({ grant_types: ['authorization_code', 'refresh_token', 'client_credentials'], response_types: ['code'],
  redirect_uris: ['http://127.0.0.1/callback'], application_type: 'native', scope, ...more });
const isOurs = (method) => settings.auth.includes(method);

function make(keys) {
  const provider = new Provider(issuer, {
    clients: [
      client({ client_id: 'agent-7', client_secret: 's3cr3t of:agent 7', token_endpoint_auth_method: settings.auth[0] }),
      client({ client_id: 'introspector', client_secret: 's3cr3t of:the+door/%', token_endpoint_auth_method: settings.auth[0] }),
      ...(isOurs('private_key_jwt') ? [client({ client_id: 'introspector-key', token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: [settings.client_key] } })] : []),
    ],
    clientAuthMethods: settings.auth,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    jwks: { keys },
    scopes: scope.split(' '),
    cookies: { keys: ['test'] },
    pkce: { required: () => true },
    ttl: { AccessToken: 600, RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 600, ClientCredentials: 600, IdToken: 600,
      AuthorizationCode: 60 },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      clientCredentials: { enabled: true },
      revocation: { enabled: true, allowedPolicy: () => true },
      introspection: { enabled: true, allowedPolicy: () => true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, resource) => {
          if (!(resource in formats)) throw new errors.InvalidTarget();
          return { scope: 'mail.read mail.write', audience: resource, accessTokenFormat: formats[resource],
            jwt: { sign: { alg: 'ES256', kid: keys[0].kid } } };
        },
      },
    },
  });
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.path === '/jwks' && settings.cache) ctx.set('cache-control', settings.cache);
    say({ method: ctx.method, path: ctx.path, status: ctx.status, client: ctx.oidc?.client?.clientId, error: ctx.body?.error,
      body: Object.keys(ctx.oidc?.body || {}), basic: /^Basic /.test(ctx.get('authorization')) });
  });
  provider.on('server_error', (ctx, err) => say({ event: 'server error', text: String(err.stack) }));
  return provider.callback();
}

let answer = make(settings.keys);
createServer({ cert: readFileSync(settings.cert), key: readFileSync(settings.key) }, (request, response) => answer(request, response))
  .listen(settings.port, '127.0.0.1', () => say({ event: 'listening' }));
createInterface({ input: process.stdin }).on('line', (line) => {
  answer = make(JSON.parse(line));
  say({ event: 'keys' });
});
