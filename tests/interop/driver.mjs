// SPDX-License-Identifier: MIT
//
// The real OpenClaw, driven in-process: its own lock, store and refresh functions, with its network turned to loopback.
//
//	driver.mjs index ROOT                  where its functions are, as JSON, for $OPENCLAW_ROOT/../../modules.json
//	driver.mjs COMMAND [KEY=VALUE…]        one command
//	driver.mjs serve                       commands from standard input, one a line (a warm process, for rounds)
//
//	hold-refresh-lock profile= [ms=] [until=]  take it as OpenClaw does, say {"held": …}, keep it so long (or until that
//	                                        file is there), say {"until_ms"}
//	hold-store-lock [agent=] [ms=] [until=]
//	refresh profile= [agent=]              want an access token, as a model call does: OpenClaw refreshes if it must
//	save-usage profile= [agent=] [times=] [pause=] [other=]   locked updates that count: a usage statistic of the
//	                                       profile (auth-state.json), and a number in the profile `other`
//	cache-race profile= [agent=]           be caught by another writer between read and stat, then update under the lock
//	read [agent=]                          what OpenClaw sees, tokens as fingerprints
//
// Environment: OPENCLAW_ROOT (the package), OPENCLAW_STATE_DIR, TOKEN_URL (where token requests go; none are possible
// without), POLLS=dense (wait 1 to 3 ms for a lock rather than 100 ms to 10 s: what is rare becomes frequent).
// The package's exports have one-letter names that change with every version, so they are found by Function.name.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const FUNCTIONS = [
	'withFileLock', 'resolveOAuthRefreshLockPath', 'ensureAuthProfileStore', 'updateAuthProfileStoreWithLock',
	'loadAuthProfileStoreForSecretsRuntime', 'resolveApiKeyForProfile',
];
const root = process.env.OPENCLAW_ROOT;
const dense = process.env.POLLS === 'dense';

// Only we speak on standard output.
const say = (what) => fs.writeSync(1, `${JSON.stringify(what)}\n`);
process.stdout.write = process.stderr.write.bind(process.stderr);

const fingerprint = (token) => createHash('sha256').update(token ?? '').digest('hex').slice(0, 12);

// ---- its modules

// A candidate defines the function; only one of them also exports it.
function index(dist) {
	const found = Object.fromEntries([...FUNCTIONS, 'OAUTH_REFRESH_LOCK_OPTIONS'].map((name) => [name, []]));
	for (const file of fs.readdirSync(dist).filter((name) => name.endsWith('.js'))) {
		const text = fs.readFileSync(path.join(dist, file), 'utf8');
		for (const name of Object.keys(found)) {
			if (new RegExp(`^(async function|function|const) ${name}\\b`, 'm').test(text)) found[name].push(file);
		}
	}
	// Wrappers of the same name come last: the store's module is the one that can update it.
	const [store] = found.updateAuthProfileStoreWithLock;
	for (const files of Object.values(found)) files.sort((a, b) => (b === store) - (a === store));
	return found;
}

const modules = process.argv[2] === 'index' ? {} : JSON.parse(fs.readFileSync(path.resolve(root, '../../modules.json'), 'utf8'));
const exportsOf = async (file) => Object.values(await import(pathToFileURL(path.join(root, 'dist', file))));

async function find(name) {
	for (const file of modules[name]) {
		const found = (await exportsOf(file)).find((value) => typeof value === 'function' && value.name === name);
		if (found) return found;
	}
	throw new Error(`this OpenClaw has no ${name}`);
}

// The options of its two locks are known by when they call a lock stale.
async function lockOptions(stale) {
	for (const file of modules.OAUTH_REFRESH_LOCK_OPTIONS) {
		const found = (await exportsOf(file)).find((value) => value?.stale === stale && value.retries);
		if (found) return found;
	}
	throw new Error('this OpenClaw has no lock options');
}

const openclaw = {};
async function load() {
	await Promise.all(FUNCTIONS.map(async (name) => { openclaw[name] = await find(name); }));
	openclaw.storeLock = await lockOptions(30_000);
	openclaw.refreshLock = await lockOptions(180_000);
	if (!dense) return;
	for (const options of [openclaw.storeLock, openclaw.refreshLock]) {
		Object.assign(options.retries, { retries: 30_000, minTimeout: 1, maxTimeout: 3 });
	}
}

// ---- its network

const loopback = globalThis.fetch;
const sent = []; // when it sent which refresh token
globalThis.fetch = async (input, init) => {
	const url = new URL(input.url ?? input);
	if (!process.env.TOKEN_URL || !/\/(oauth|oauth2)\/token$/.test(url.pathname)) throw new Error(`no network here: ${url.host}`);
	const body = String(init.body);
	const fields = body.startsWith('{') ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body));
	sent.push({ token: fingerprint(fields.refresh_token), at: Date.now() });
	return loopback(process.env.TOKEN_URL, init);
};

// ---- commands

const stateDir = process.env.OPENCLAW_STATE_DIR;
const agentDir = (agent) => (agent && agent !== 'main' ? path.join(stateDir, 'agents', agent, 'agent') : undefined);
const storeOf = (agent) => path.join(stateDir, 'agents', agent ?? 'main', 'agent', 'auth-profiles.json');
const providerOf = (profile) => profile.split(':')[0];

async function hold(target, options, { ms = 3000, until: end }) {
	const asked = Date.now();
	let until = 0;
	await openclaw.withFileLock(target, options, async () => {
		say({ held: `${target}.lock`, pid: process.pid, waited_ms: Date.now() - asked });
		if (!end) await sleep(+ms);
		while (end && !fs.existsSync(end)) await sleep(20);
		until = Date.now();
	});
	return { until_ms: until };
}

function describe(profiles) {
	const described = {};
	for (const [id, { type, provider, access, refresh, expires, displayName }] of Object.entries(profiles)) {
		described[id] = { type, provider, expires, displayName, access: fingerprint(access), refresh: fingerprint(refresh) };
	}
	return described;
}

async function refresh({ profile, agent }) {
	const asked = Date.now();
	const first = sent.length;
	let key = null;
	let error = null;
	try {
		const store = openclaw.ensureAuthProfileStore(agentDir(agent));
		const resolved = await openclaw.resolveApiKeyForProfile({ cfg: {}, store, profileId: profile, agentDir: agentDir(agent) });
		key = resolved?.apiKey ?? null;
	} catch (cause) {
		error = `${cause.code ?? cause.name}: ${cause.message}`.slice(0, 200);
	}
	return { agent: agent ?? 'main', ok: !!key, access: key && fingerprint(key), error, sent: sent.slice(first), waited_ms: Date.now() - asked };
}

async function count({ profile, agent, other }) {
	return openclaw.updateAuthProfileStoreWithLock({
		agentDir: agentDir(agent),
		updater: (store) => {
			const usage = (store.usageStats ??= {});
			usage[profile] = { ...usage[profile], lastUsed: Date.now(), errorCount: (usage[profile]?.errorCount ?? 0) + 1 };
			const credential = other && store.profiles[other];
			if (credential) credential.displayName = String(Number(credential.displayName ?? 0) + 1);
			return true;
		},
	});
}

// OpenClaw swallows what goes wrong in an update and answers null.
async function saveUsage({ times = 10, pause = 0, ...what }) {
	let saved = 0;
	let failed = 0;
	for (let i = 0; i < +times; i++) {
		if (await count(what)) saved += 1;
		else failed += 1;
		if (+pause) await sleep(Math.random() * 2 * pause);
	}
	return { saved, failed };
}

// Its loader reads the store, then asks for the mtime, and caches what it read under that. The other writer's rename
// comes in between: the second stat waits for it. `late_ms` is how long this process was not there to see it.
async function cacheRace({ profile, agent }) {
	const store = fs.realpathSync(storeOf(agent));
	const realStat = fs.statSync;
	const before = realStat(store).ino;
	let calls = 0;
	let late = 0;
	fs.statSync = (name, ...rest) => {
		if (path.resolve(String(name)) !== store || ++calls !== 2) return realStat(name, ...rest);
		say({ caught: true });
		const limit = Date.now() + 20_000;
		let asked = performance.now(); // before the last look at the old file, or sleeping after that look would not count
		let last = asked;
		while (Date.now() < limit && inode(realStat, store) === before) {
			last = asked;
			asked = performance.now();
		}
		const stat = realStat(name, ...rest);
		late = performance.now() - last;
		return stat;
	};
	const seen = openclaw.ensureAuthProfileStore(agentDir(agent)).profiles[profile];
	fs.statSync = realStat;
	await sleep(300); // the writer finishes
	const updated = await count({ profile, agent });
	return { saw: fingerprint(seen?.refresh), calls, late_ms: Math.ceil(late), updated: !!updated };
}

function inode(stat, name) {
	try {
		return stat(name).ino;
	} catch {
		return 0;
	}
}

const commands = {
	'hold-refresh-lock': ({ profile, ...end }) =>
		hold(openclaw.resolveOAuthRefreshLockPath(providerOf(profile), profile), openclaw.refreshLock, end),
	'hold-store-lock': ({ agent, ...end }) => hold(storeOf(agent), openclaw.storeLock, end),
	refresh,
	'save-usage': saveUsage,
	'cache-race': cacheRace,
	read: ({ agent }) => {
		const store = openclaw.loadAuthProfileStoreForSecretsRuntime(agentDir(agent));
		return { profiles: describe(store.profiles), usage: store.usageStats ?? {} };
	},
};

async function run([name, ...pairs]) {
	const { at, ...options } = Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
	if (at) await sleep(Math.max(0, +at - Date.now())); // all workers at once
	return commands[name](options);
}

if (process.argv[2] === 'index') {
	say(index(path.join(process.argv[3], 'dist')));
} else if (process.argv[2] === 'serve') {
	await load();
	say({ ready: true, pid: process.pid });
	for await (const line of createInterface({ input: process.stdin })) {
		say(await run(line.trim().split(' ')).catch((error) => ({ broken: String(error) })));
	}
	process.exit(0);
} else {
	await load();
	say(await run(process.argv.slice(2)));
	process.exit(0);
}
