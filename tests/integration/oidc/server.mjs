// The OpenID provider that forge is tested against: every login it knows, with pages for whoever logs in, JWT access
// tokens, and refresh tokens that rotate, where using one twice revokes the whole family. It prints one line of JSON
// when it listens.
//
// Clients: basic-client and post-client have a secret, public-client has none, key-client signs with the key of that
// line, par-client (with a secret) has to push its authorization requests, strict-client (public) has to say at the
// token endpoint, too, what its token is for.
//
//   POST /test/refresh-token {scope}         a first refresh token, without a browser: {"refresh_token"}
//   POST /test/settings {access_token_ttl}   seconds
//   POST /test/reset                         forget the counts
//   GET  /test/counts                        {"token": requests to the token endpoint, "grants": {...}, "errors": {...}}

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const RESOURCE = 'urn:forge:test:api';
const OPAQUE = 'urn:forge:test:opaque'; // its access tokens can be introspected
const SCOPE = 'openid offline_access read write';
const settings = { access_token_ttl: 60 };
let counts;

function reset() {
  counts = { token: 0, grants: {}, errors: {} };
}

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const PERSON = ['authorization_code', 'refresh_token', DEVICE];

function client(id, method, more = {}) {
  return {
    client_id: id,
    client_name: id,
    token_endpoint_auth_method: method,
    grant_types: ['client_credentials', ...PERSON],
    redirect_uris: ['http://127.0.0.1/callback'],
    application_type: 'native',
    scope: SCOPE,
    ...more,
  };
}

const secret = { client_secret: 'provider-client-secret' };
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });

function clients() {
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'client', use: 'sig', alg: 'RS256' };
  return [
    client('basic-client', 'client_secret_basic', secret),
    client('post-client', 'client_secret_post', secret),
    client('public-client', 'none', { grant_types: PERSON }),
    client('strict-client', 'none', { grant_types: PERSON }),
    client('key-client', 'private_key_jwt', { jwks: { keys: [jwk] } }),
    client('par-client', 'client_secret_basic', { ...secret, require_pushed_authorization_requests: true }),
  ];
}

function configuration() {
  const life = () => settings.access_token_ttl;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    clients: clients(),
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'test', use: 'sig', alg: 'RS256' }] },
    cookies: { keys: ['not-a-real-cookie-key'] },
    scopes: SCOPE.split(' '),
    rotateRefreshToken: true,
    findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    ttl: {
      RefreshToken: 86400, Grant: 86400, AccessToken: life, ClientCredentials: life, IdToken: 60,
      DeviceCode: 600, Interaction: 600, Session: 600,
    },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx) => (ctx.oidc.client.clientId === 'strict-client' ? undefined : RESOURCE),
        useGrantedResource: (ctx) => ctx.oidc.client.clientId !== 'strict-client',
        getResourceServerInfo: (ctx, resource) => ({
          scope: 'read write',
          audience: resource,
          accessTokenFormat: resource === OPAQUE ? 'opaque' : 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  };
}

async function firstRefreshToken(provider, { client_id = 'basic-client', scope = 'openid offline_access read' }) {
  const owner = await provider.Client.find(client_id);
  const grant = new provider.Grant({ accountId: 'ada', clientId: owner.clientId });
  grant.addOIDCScope(scope);
  grant.addResourceScope(RESOURCE, scope);
  const token = new provider.RefreshToken({
    accountId: 'ada',
    client: owner,
    grantId: await grant.save(),
    gty: 'authorization_code',
    authTime: Math.floor(Date.now() / 1000),
    resource: RESOURCE,
    scope,
    rotations: 0,
  });
  return { refresh_token: await token.save() };
}

async function read(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text ? JSON.parse(text) : {};
}

async function control(provider, request) {
  const route = `${request.method} ${request.url}`;
  if (route === 'GET /test/counts') return counts;
  const body = await read(request);
  if (route === 'POST /test/refresh-token') return firstRefreshToken(provider, body);
  if (route === 'POST /test/settings') return Object.assign(settings, body);
  if (route === 'POST /test/reset') return reset() ?? {};
  return { error: 'no such route' };
}

function count(provider) {
  const grant = (ctx) => ctx.oidc?.params?.grant_type ?? 'none';
  provider.on('grant.success', (ctx) => { counts.grants[grant(ctx)] = (counts.grants[grant(ctx)] ?? 0) + 1; });
  provider.on('grant.error', (ctx, error) => { counts.errors[error.error] = (counts.errors[error.error] ?? 0) + 1; });
}

reset();
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  // What the provider has to say would be taken for the line.
  console.info = console.error;
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration());
  const answer = provider.callback();
  count(provider);
  server.on('request', async (request, response) => {
    if (request.url.startsWith('/test/')) {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify(await control(provider, request)));
      return;
    }
    if (request.url === '/token') counts.token += 1;
    answer(request, response);
  });
  const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
  console.log(JSON.stringify({ issuer, resource: RESOURCE, opaque: OPAQUE, key }));
});
// The tests hold the other end of standard input: when they are gone, so is this.
process.stdin.resume().on('end', () => process.exit(0));
