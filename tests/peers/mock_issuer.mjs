// SPDX-License-Identifier: BSD-2-Clause
// npm oauth2-mock-server by HTTPS, for test_real_issuers.py: tokens that its events alter before it signs them, as a request asks.
// node mock_issuer.mjs PORT CERT KEY with POSTERN_PEERS.  A token request has, besides what it always has, `alter`: JSON with header
// and payload (members to set, null takes one out) and cut (header, payload, signature that are put into the token when it is signed).
// POST /turn: kid is the key that signs next.  POST /say: answer is what every introspection is answered with.
import { createRequire } from 'node:module';
const require = createRequire(process.env.POSTERN_PEERS + '/');
const { OAuth2Server } = await import(require.resolve('oauth2-mock-server'));

const [port, cert, key] = process.argv.slice(2);
const server = new OAuth2Server(key, cert);
const { issuer, service } = server;
for (const [alg, kid] of [['RS256', 'rsa'], ['ES256', 'ec'], ['PS384', 'pss'], ['ES256', 'ec-2']]) await issuer.keys.generate(alg, { kid });
issuer.url = `https://127.0.0.1:${port}`;

function put(into, members = {}) {
  for (const [name, value] of Object.entries(members)) {
    if (value === null) delete into[name];
    else into[name] = value;
  }
}
const wish = (request) => JSON.parse(request.body.alter || '{}');
const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

// The store gives its keys in turn: the next one is made the one that is wanted.
service.addRoute('POST', '/turn', (request, response) => {
  while (issuer.keys.toJSON()[0].kid !== request.body.kid) issuer.keys.get();
  response.end('{}');
});
const words = {};
service.addRoute('POST', '/say', (request, response) => {
  Object.assign(words, { body: JSON.parse(request.body.answer) });
  response.end('{}');
});
service.on('beforeTokenSigning', (token, request) => {
  const { header, payload } = wish(request);
  Object.assign(token.header, { typ: 'at+jwt' });
  Object.assign(token.payload, { sub: 'alice', client_id: 'agent-7', jti: crypto.randomUUID(), aud: 'https://mock.example.org/imap',
    scope: 'mail.read', tenant: 'north' });
  put(token.header, header);
  put(token.payload, payload);
});
service.on('beforeResponse', (answer, request) => {
  const parts = answer.body.access_token.split('.');
  const { cut = {} } = wish(request);
  if ('header' in cut) parts[0] = encode(cut.header);
  if ('payload' in cut) parts[1] = encode(cut.payload);
  if ('signature' in cut) parts[2] = cut.signature;
  answer.body.access_token = parts.join('.');
});
service.on('beforeIntrospect', (answer) => Object.assign(answer, { body: words.body }));
service.on('beforeWellKnownOpenIdConfiguration', (answer) => {
  answer.body.introspection_endpoint_auth_methods_supported = ['client_secret_post'];
});
await server.start(Number(port), '127.0.0.1');
process.stdout.write('{"event":"listening"}\n');
