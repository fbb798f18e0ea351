// SPDX-License-Identifier: MIT
//
// The network of a real gateway (node --import): loopback and nothing else. No name resolves, as without DNS; token
// requests go to $TOKEN_URL, unless the file $NETWORK_CUT is there.
import dns from 'node:dns';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/;
const unknown = (host) => Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND', errno: -3008, syscall: 'getaddrinfo', hostname: host });

const lookup = dns.lookup;
dns.lookup = (host, options, callback) => {
	if (LOOPBACK.test(host)) return lookup(host, options, callback);
	return process.nextTick(callback ?? options, unknown(host));
};
const { lookup: promised } = dns.promises;
dns.promises.lookup = async (host, options) => {
	if (!LOOPBACK.test(host)) throw unknown(host);
	return promised(host, options);
};
syncBuiltinESMExports();

const { fetch } = globalThis;
globalThis.fetch = async (input, init) => {
	const url = new URL(input.url ?? input);
	if (LOOPBACK.test(url.hostname)) return fetch(input, init);
	if (/\/(oauth|oauth2)\/token$/.test(url.pathname) && !fs.existsSync(process.env.NETWORK_CUT)) {
		return fetch(process.env.TOKEN_URL, init);
	}
	throw Object.assign(new TypeError('fetch failed'), { cause: unknown(url.host) });
};
