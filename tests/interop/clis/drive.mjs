// SPDX-License-Identifier: MIT
//
// Lets one of the real programs use its login, and says what it made of it: one line of JSON,
// {ok, says, access}, where `access` is the fingerprint of the access token that the program names itself, if it does.
//
//	drive.mjs PROGRAM DIRECTORY [logout | force]
//
// force: codex shall refresh, whatever it thinks of the time.
//
// DIRECTORY is where install put it. $WORLD is the log of world.py. HOME and the variables for certificates are as the program
// shall have them.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import readline from 'node:readline';

const [program, directory, how] = process.argv.slice(2);
const MODULES = `${directory}/node_modules`;
const MINUTE = 60000;
const seen = readFileSync(process.env.WORLD, 'utf8').length;

const fingerprint = (token) => (token ? createHash('sha256').update(token).digest('hex').slice(0, 12) : null);
const first = (pattern) => {
	const [path] = globSync(`${MODULES}/${pattern}`);
	if (!path) throw new Error(`no ${pattern} in ${MODULES}`);
	return path;
};
const parsed = (text) => { try { return JSON.parse(text); } catch { return {}; } };

// Its exit status and output; `until` ends it earlier.
function run(command, args, { env = {}, until } = {}) {
	return new Promise((done) => {
		const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
		const timer = setTimeout(() => child.kill('SIGKILL'), 2 * MINUTE);
		const watch = until && setInterval(() => until() && child.kill(), 200);
		let text = '';
		for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { text += data; });
		child.on('close', (code) => {
			clearTimeout(timer);
			clearInterval(watch);
			done({ code, text });
		});
	});
}
// It has asked a model by now. (What the world answers does not satisfy all of them, and some ask for ever.)
const asked = () => /responses|completions/.test(readFileSync(process.env.WORLD, 'utf8').slice(seen));
const loggedOut = ({ code, text }) => ({ ok: code === 0, says: text.trim().slice(-200), access: null });
const node = (script, args, options) => run(process.execPath, [script, ...args], options);

// ---- codex: its app server answers for the login

const CODEX = '@openai/codex-linux-*/vendor/*/bin/codex';
async function codex() {
	const child = spawn(first(CODEX), ['app-server'], { stdio: ['pipe', 'pipe', 'ignore'] });
	const waiting = new Map();
	let id = 0;
	readline.createInterface({ input: child.stdout }).on('line', (line) => {
		const message = parsed(line);
		if (message.method === undefined) waiting.get(message.id)?.(message.result ?? { error: message.error });
	});
	const call = (method, params) => new Promise((done) => {
		waiting.set(id += 1, done);
		child.stdin.write(`${JSON.stringify({ id, method, params })}\n`);
	});
	await call('initialize', { clientInfo: { name: 'interop', title: 'interop', version: '0' } });
	child.stdin.write('{"method":"initialized"}\n');
	const ask = async (refreshToken) => {
		const status = await call('getAuthStatus', { includeToken: true, refreshToken });
		return { ok: !!status.authToken, says: status.authMethod ?? JSON.stringify(status.error ?? null), access: fingerprint(status.authToken) };
	};
	return { ask, end: () => child.kill() };
}

// ---- what each of them does with a login

const drives = {
	async 'codex-cli'() {
		if (how === 'logout') return loggedOut(await run(first(CODEX), ['logout']));
		const { ask, end } = await codex();
		const answer = await ask(how === 'force');
		end();
		return answer;
	},
	async 'claude-code'() {
		const claude = first('@anthropic-ai/claude-code-linux-*/claude');
		if (how === 'logout') return loggedOut(await run(claude, ['auth', 'logout']));
		const { text } = await run(claude, ['-p', 'hi']);
		const status = parsed((await run(claude, ['auth', 'status'])).text);
		return { ok: !!status.loggedIn && /ok/.test(text), says: `${status.authMethod}: ${text.slice(0, 200)}`, access: null };
	},
	async 'gemini-cli'() {
		const { text } = await node(first('@google/gemini-cli/bundle/gemini.js'), ['--skip-trust', '-p', 'hi'],
			{ env: { GOOGLE_GENAI_USE_GCA: 'true', GEMINI_CLI_NO_RELAUNCH: 'true' } });
		return { ok: !/Manual authorization is required/.test(text), says: text.slice(-200), access: null };
	},
	async 'qwen-code'() {
		const chunk = globSync(`${MODULES}/@qwen-code/qwen-code/chunks/*.js`)
			.find((path) => readFileSync(path, 'utf8').includes('var QWEN_LOCK_FILENAME'));
		const { SharedTokenManager, QwenOAuth2Client } = await import(chunk);
		try {
			const { access_token: token } = await SharedTokenManager.getInstance().getValidCredentials(new QwenOAuth2Client());
			return { ok: true, says: '', access: fingerprint(token) };
		} catch (error) {
			return { ok: false, says: `${error.type ?? error.name}`, access: null };
		}
	},
	async 'kimi-code'() {
		const config = `${process.env.HOME}/.kimi-code/config.toml`;
		if (!existsSync(config)) writeFileSync(config, KIMI);
		const { text } = await node(first('@moonshot-ai/kimi-code/dist/main.mjs'), ['-p', 'hi'], { until: asked });
		return { ok: !/error:/.test(text), says: text.trim().slice(0, 200), access: null };
	},
	async 'grok-cli'() {
		const { text } = await run(first('@xai-official/grok-linux-*/bin/grok'), ['models']);
		return { ok: !/not (authenticated|logged)/i.test(text), says: text.trim().slice(0, 200), access: null };
	},
	async opencode() {
		const opencode = first('opencode-linux-*/bin/opencode');
		const env = { OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1' };
		const [model] = (await run(opencode, ['models', 'openai'], { env })).text.match(/^openai\/.*/m) ?? [];
		if (!model) return { ok: false, says: 'no models', access: null };
		const { text } = await run(opencode, ['run', '--model', model, 'hi'], { env, until: asked });
		return { ok: asked(), says: text.slice(-200), access: null };
	},
	async pi() {
		const { code, text } = await node(first('@earendil-works/pi-coding-agent/dist/cli.js'),
			['auth', 'check', '--provider', 'openai-codex', '--json', '--credentials'], { env: { PI_SKIP_VERSION_CHECK: '1' } });
		return { ok: code === 0, says: `${parsed(text).status}`, access: fingerprint(parsed(text).credentials) };
	},
	async 'pi-0.73'() {
		const { AuthStorage } = await import(first('@mariozechner/pi-coding-agent/dist/core/auth-storage.js'));
		const storage = AuthStorage.create();
		const token = await storage.getApiKey('openai-codex');
		return { ok: !!token, says: storage.get('openai-codex')?.type ?? 'none', access: fingerprint(token) };
	},
};

const KIMI = `default_model = "kimi-code/kimi-for-coding"
[providers."managed:kimi-code"]
type = "kimi"
api_key = ""
base_url = "https://api.kimi.com/coding/v1"
[providers."managed:kimi-code".oauth]
storage = "file"
key = "oauth/kimi-code"
[models."kimi-code/kimi-for-coding"]
provider = "managed:kimi-code"
model = "kimi-for-coding"
max_context_size = 262144
`;

const say = (answer) => console.log(JSON.stringify(answer));
mkdirSync(`${process.env.HOME}/work`, { recursive: true });
process.chdir(`${process.env.HOME}/work`);
say(await drives[program]());
process.exit(0);
