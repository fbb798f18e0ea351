// SPDX-License-Identifier: MIT
//
// The certified oidc-provider as the strict server of a worried provider: refresh tokens are used once, a replay
// revokes the whole grant, the newest tokens with it. On loopback, in memory, with a second port for the test:
//
//	POST /mint {account, left?, lifetime?, provider?, client?, jwt?, email?}   a login: answers a store's credential
//	POST /peer {account}               somebody else refreshes (not counted as a POST): answers the new credential
//	POST /delay {answers, ms}          the next answers take so long; the token is spent before the wait
//	POST /hold {answers}               the next answers wait for /release; the token is spent before
//	POST /release {}
//	POST /revoke {account}             the provider ends the grant
//	GET  /state                        counters, grants, requests; tokens only as fingerprints (12 hex of SHA-256)
//
// usage: oidc.js [--tls DIR]     (DIR gets a certificate by certificate.sh)
// Prints one line of JSON when it is ready. No token is ever printed but in the answer to /mint and /peer.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

console.warn = console.info = () => {}; // oidc-provider warns of its in-memory adapter; that is what we want here
const { Provider } = await import('oidc-provider');

const { values: options } = parseArgs({ options: { tls: { type: 'string' } } });
const CLIENTS = { // the public client ids of the keeper's presets, and one for a provider of the configuration
	xai: 'b1a00492-073a-47ea-816f-4c329264a828',
	'openai-codex': 'app_EMoamEEZ73f0CkXaXp7hrann',
	openai: 'app_EMoamEEZ73f0CkXaXp7hrann',
	anthropic: '9d1c250a-e61b-44d9-88ed-5944d1962f5e',
	corp: 'agents',
};
const SCOPE = 'openid offline_access profile email grok-cli:access api:access user:profile user:inference';
const RESOURCE = 'urn:oauth-keepalive:test'; // a refresh token bound to it gets access tokens that are JWTs
const OPENAI = 'https://api.openai.com/auth';
const DAY = 86400;

const fingerprint = (token) => createHash('sha256').update(token).digest('hex').slice(0, 12);
const seconds = (text) => {
	const m = /^(-?\d+)([smhd]?)$/.exec(text);
	if (!m) throw new Error(`not a duration: ${text}`);
	return m[1] * { '': 1, s: 1, m: 60, h: 3600, d: DAY }[m[2]];
};

// ---- what the test may know

const accounts = new Map(); // sub -> {name, email, lifetime, jwt, client, provider, grants: [id], current: token}
const requests = [];
const spent = new Map(); // fingerprint -> POSTs with that refresh token
let posts = 0;
let late = { answers: 0, wait: () => {} };
let release = () => {};

// ---- the provider

const listen = (server) => new Promise((ready) => {
	server.listen(0, '127.0.0.1', () => ready(server.address().port));
});
if (options.tls) execFileSync(fileURLToPath(new URL('certificate.sh', import.meta.url)), [options.tls]);
const server = options.tls
	? https.createServer({ key: readFileSync(`${options.tls}/server.key`), cert: readFileSync(`${options.tls}/server.pem`) })
	: http.createServer();
const issuer = `${options.tls ? 'https' : 'http'}://127.0.0.1:${await listen(server)}`;

const lifetime = (ctx, token) => accounts.get(token.accountId).lifetime;
const provider = new Provider(issuer, {
	rotateRefreshToken: true,
	clients: [...new Set(Object.values(CLIENTS))].map((client_id) => ({
		client_id, token_endpoint_auth_method: 'none', application_type: 'native',
		grant_types: ['authorization_code', 'refresh_token'], redirect_uris: ['http://127.0.0.1/callback'],
	})),
	clientDefaults: { id_token_signed_response_alg: 'ES256' },
	jwks: { keys: [generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })] },
	scopes: SCOPE.split(' '),
	claims: { openid: ['sub', OPENAI], email: ['email'] },
	conformIdTokenClaims: false,
	cookies: { keys: ['test'] },
	ttl: { AccessToken: lifetime, RefreshToken: 30 * DAY, Grant: 30 * DAY, IdToken: 3600 },
	findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...claims(accounts.get(sub)) }) }),
	extraTokenClaims: (ctx, token) => claims(accounts.get(token.accountId)),
	features: {
		devInteractions: { enabled: false },
		resourceIndicators: {
			enabled: true,
			useGrantedResource: () => true,
			getResourceServerInfo: () => ({
				scope: SCOPE, accessTokenFormat: 'jwt', accessTokenTTL: 3600, jwt: { sign: { alg: 'ES256' } },
			}),
		},
	},
});
provider.on('refresh_token.saved', (token) => { accounts.get(token.accountId).current = token.jti; });
provider.on('server_error', (ctx, error) => console.error(error));

function claims({ name, email, jwt }) {
	return {
		...(email && { email }),
		...(jwt && { [OPENAI]: { chatgpt_account_id: `acct-${name}`, chatgpt_user_id: `user-${name}` } }),
	};
}

// The answer waits; the token is spent already.
provider.use(async (ctx, next) => {
	await next();
	if (ctx.path !== '/token' || late.answers <= 0) return;
	late.answers -= 1;
	await late.wait();
});

function delay({ answers, ms }) {
	late = { answers, wait: () => new Promise((done) => { setTimeout(done, ms); }) };
	return {};
}

function hold({ answers }) {
	const released = new Promise((done) => { release = done; });
	late = { answers, wait: () => released };
	return {};
}

const handler = provider.callback();
server.on('request', async (request, response) => {
	const text = await read(request);
	if (request.method === 'POST') {
		// Some clients send JSON, as real providers accept; oidc-provider wants a form.
		const json = /json/.test(request.headers['content-type'] ?? '');
		request.body = Object.fromEntries(json ? Object.entries(JSON.parse(text)) : new URLSearchParams(text));
		request.headers['content-type'] = 'application/x-www-form-urlencoded';
	}
	const token = request.body?.refresh_token && fingerprint(request.body.refresh_token);
	const entry = { time: new Date().toISOString(), method: request.method, path: request.url, token: token ?? null, status: null };
	if (!request.headers['x-test-peer']) {
		requests.push(entry);
		if (request.url === '/token') {
			posts += 1;
			spent.set(token, (spent.get(token) ?? 0) + 1);
		}
	}
	response.on('finish', () => { entry.status = response.statusCode; });
	handler(request, response);
});

async function read(request) {
	const chunks = [];
	for await (const chunk of request) chunks.push(chunk);
	return Buffer.concat(chunks).toString();
}

// ---- the test's own port

function credential(account, access, refresh, expires) {
	return {
		type: 'oauth', provider: account.provider, access, refresh, expires,
		...(account.email && { email: account.email }), ...(account.jwt && { accountId: `acct-${account.name}` }),
	};
}

// A login: a grant with a refresh token, and an access token that lives `lifetime` and has `left` to go.
async function mint({ account: name, left, lifetime: life = '6h', provider: as = 'xai', client, jwt = false, email }) {
	const accountId = `user-${name}`;
	const account = accounts.get(accountId) ?? { name, grants: [] };
	Object.assign(account, {
		provider: as, jwt, lifetime: seconds(life), email: email ?? `${name}@example.com`, client: client ?? CLIENTS[as],
	});
	accounts.set(accountId, account);
	const registered = await provider.Client.find(account.client);
	const grant = new provider.Grant({ accountId, clientId: account.client });
	grant.addOIDCScope(SCOPE);
	grant.addResourceScope(RESOURCE, SCOPE);
	const grantId = await grant.save();
	account.grants.push(grantId);
	const expires = Date.now() + seconds(left ?? life) * 1000;
	const exp = Math.floor(expires / 1000);
	const common = { accountId, grantId, client: registered, scope: SCOPE, gty: 'authorization_code' };
	const access = new provider.AccessToken({ ...common, iat: exp - account.lifetime, exp, claims: undefined });
	if (jwt) {
		access.resourceServer = new provider.ResourceServer(RESOURCE, {
			scope: SCOPE, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } },
		});
	}
	const refresh = new provider.RefreshToken({ ...common, ...(jwt && { resource: RESOURCE }) });
	return credential(account, await access.save(), await refresh.save(), jwt ? exp * 1000 : expires);
}

async function peer({ account: name }) {
	const account = accounts.get(`user-${name}`);
	const answer = await fetch(`${issuer}/token`, {
		method: 'POST',
		headers: { 'x-test-peer': '1' },
		body: new URLSearchParams({ grant_type: 'refresh_token', client_id: account.client, refresh_token: account.current }),
	});
	const tokens = await answer.json();
	if (!answer.ok) throw new Error(`peer: ${answer.status} ${tokens.error}`);
	return credential(account, tokens.access_token, tokens.refresh_token, Date.now() + tokens.expires_in * 1000);
}

async function revoke({ account: name }) {
	const id = accounts.get(`user-${name}`).grants.at(-1);
	await provider.RefreshToken.revokeByGrantId(id);
	await (await provider.Grant.find(id))?.destroy();
	return {};
}

async function state() {
	const known = {};
	for (const account of accounts.values()) {
		known[account.name] = {
			alive: !!(await provider.Grant.find(account.grants.at(-1))),
			generation: fingerprint(account.current), logins: account.grants.length,
		};
	}
	return { posts, tokens: Object.fromEntries(spent), accounts: known, requests };
}

const control = http.createServer(async (request, response) => {
	const calls = {
		'/mint': mint, '/peer': peer, '/revoke': revoke, '/state': state,
		'/delay': delay, '/hold': hold, '/release': () => { release(); return {}; },
	};
	try {
		const text = await read(request);
		response.end(JSON.stringify(await calls[request.url](text && JSON.parse(text))));
	} catch (error) {
		response.writeHead(400).end(`${request.url}: ${error.message}\n`);
	}
});

console.log(JSON.stringify({
	token_url: `${issuer}/token`, discovery_url: `${issuer}/.well-known/openid-configuration`,
	control_url: `http://127.0.0.1:${await listen(control)}`, ca_file: options.tls ? `${options.tls}/ca.pem` : null,
}));
