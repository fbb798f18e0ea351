// SPDX-License-Identifier: MIT
//
// The real OpenClaw from 2026.6.5 on, driven in-process by what its plugin SDK exports, with its network turned to
// loopback or cut:
//
//	sqlite-driver.mjs refresh profile= [agent=]     want an access token, as a model call does: it refreshes if it must
//	sqlite-driver.mjs read [agent=]                 what it sees, tokens as fingerprints
//	sqlite-driver.mjs save-usage profile= other= until= [agent=]
//	                                                updates that count, until the file `until` is there: a usage statistic
//	                                                of the profile, and a number in the profile `other`; the file
//	                                                `until`.PID appears with the first
//	sqlite-driver.mjs turns profile=                one process, a turn that wants a token for each line read:
//	                                                "AHEAD_MS cut|on", how far its clock is ahead, and whether it has a
//	                                                network; each says {ok, sent}
//
// Environment: OPENCLAW_ROOT (the package), OPENCLAW_STATE_DIR, TOKEN_URL (where token requests go; without it no name
// resolves). One JSON object on standard output.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const say = (what) => fs.writeSync(1, `${JSON.stringify(what)}\n`);
process.stdout.write = process.stderr.write.bind(process.stderr);

let ahead = 0; // of the clock
let cut = !process.env.TOKEN_URL;
const RealDate = Date;
globalThis.Date = class extends RealDate {
	constructor(...given) {
		super(...(given.length ? given : [RealDate.now() + ahead]));
	}
	static now() {
		return RealDate.now() + ahead;
	}
};

const fingerprint = (token) => createHash('sha256').update(token ?? '').digest('hex').slice(0, 12);
const sdk = (name) => import(pathToFileURL(path.join(process.env.OPENCLAW_ROOT, 'dist/plugin-sdk', `${name}.js`)));
const openclaw = { ...(await sdk('agent-runtime')), ...(await sdk('provider-auth')) };

const loopback = globalThis.fetch;
const sent = []; // fingerprints of the refresh tokens it sent
globalThis.fetch = async (input, init) => {
	const url = new URL(input.url ?? input);
	if (cut || !/\/(oauth|oauth2)\/token$/.test(url.pathname)) {
		throw Object.assign(new TypeError('fetch failed'), { cause: Object.assign(new Error(`getaddrinfo ENOTFOUND ${url.host}`), { code: 'ENOTFOUND' }) });
	}
	const body = String(init.body);
	const fields = body.startsWith('{') ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body));
	sent.push(fingerprint(fields.refresh_token));
	return loopback(process.env.TOKEN_URL, init);
};

// Main's directory is left out, as OpenClaw does it.
const agentDir = (agent) => (agent && agent !== 'main' ? path.join(process.env.OPENCLAW_STATE_DIR, 'agents', agent, 'agent') : undefined);

async function refresh({ profile, agent }) {
	const asked = Date.now();
	let key = null;
	let error = null;
	try {
		const store = openclaw.ensureAuthProfileStore(agentDir(agent));
		const resolved = await openclaw.resolveApiKeyForProfile({ cfg: {}, store, profileId: profile, agentDir: agentDir(agent) });
		key = resolved?.apiKey ?? null;
	} catch (cause) {
		error = `${cause.code ?? cause.name}: ${cause.message}`.slice(0, 300);
	}
	return { ok: !!key, access: key && fingerprint(key), error, sent, waited_ms: Date.now() - asked };
}

function read({ agent }) {
	const store = openclaw.loadAuthProfileStoreForSecretsRuntime(agentDir(agent));
	const profiles = {};
	for (const [id, { type, provider, access, refresh, expires, displayName }] of Object.entries(store.profiles)) {
		profiles[id] = { type, provider, expires, displayName, access: fingerprint(access), refresh: fingerprint(refresh) };
	}
	return { profiles, usage: store.usageStats ?? {} };
}

// OpenClaw answers null to an update that failed.
async function saveUsage({ profile, other, until, agent }) {
	let saved = 0;
	let failed = 0;
	while (!fs.existsSync(until)) {
		const done = await openclaw.updateAuthProfileStoreWithLock({
			agentDir: agentDir(agent),
			updater: (store) => {
				const usage = (store.usageStats ??= {});
				usage[profile] = { ...usage[profile], lastUsed: Date.now(), errorCount: (usage[profile]?.errorCount ?? 0) + 1 };
				store.profiles[other].displayName = String(Number(store.profiles[other].displayName ?? 0) + 1);
				return true;
			},
		});
		if (done && saved === 0) fs.writeFileSync(`${until}.${process.pid}`, ''); // it is at work
		if (done) saved += 1;
		else failed += 1;
		await sleep(Math.random() * 4);
	}
	return { saved, failed };
}

async function turns({ profile }) {
	for await (const line of createInterface({ input: process.stdin })) {
		const [ms, network] = line.split(' ');
		ahead = Number(ms);
		cut = network === 'cut';
		sent.length = 0;
		const { ok, error } = await refresh({ profile });
		say({ ok, error, sent: sent.length });
	}
	return { ended: true };
}

const [command, ...pairs] = process.argv.slice(2);
const options = Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
say(await { refresh, read, turns, 'save-usage': saveUsage }[command](options));
process.exit(0);
