// SPDX-License-Identifier: MIT
//
// What a token endpoint might say, and what JavaScript reads in it: node tests/unit/bodies.mjs >tests/unit/bodies.h
//
// An oracle that is not the code under test: fetch's text() and JSON.parse. A body gives tokens if it is an object with
// an access token, and with a new refresh token or none.
const KEYS = ['access_token', 'access_token', 'refresh_token', 'refresh_token', 'access\\u005ftoken', 'id_token',
	'Access_Token', 'access_token\\u0000', 'name', 'expires_in', '__proto__', '\\ud83d', '', 'account'];
const VALUES = ['"FAKE-1"', '"FAKE-2"', '"FAKE\\u002d3"', '"FAKE-1"', '"FAKE-2"', '"FAKE-6"', 'null', '""', 'null', '7', 'true', '-1e99', '1e999',
	'"a b"', '"a\\u0000"', '"Ann \\ud83d"', '"\\udc00\\ud83d\\ude00"', '"\\ud83d\\u0041"', '{}', '[]', '"\\u00e4"', '"\\/\\b\\f\\n"',
	'9'.repeat(70), '0.' + '3'.repeat(60), '-' + '8'.repeat(100), '{"access_token":"FAKE-9"}'];
const deep = (n) => '['.repeat(n) + ']'.repeat(n);
let seed = 8;
const random = (n) => {
	seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
	return (seed >>> 8) % n;
};
const pick = (list) => list[random(list.length)];

function body() {
	const members = Array.from({ length: 1 + random(6) }, () => `"${pick(KEYS)}":${random(700) ? pick(VALUES) : deep(600 + random(600))}`);
	if (random(4))
		members.unshift('"access_token":"FAKE-4","refresh_token":"FAKE-5"');
	if (random(20) === 0)
		members.push(`"bad":${pick(['"\\u12G4"', '"\\x"', 'nul', '[', '01x', '{]'])}`);
	const text = Buffer.from(`{${members.join(pick([',', ' , ', '\n,\t']))}}`);
	const bytes = [Buffer.from(random(12) ? '' : '\ufeff'), text, Buffer.from(random(20) ? '' : pick([' \n', 'x', ',{}', '}']))];
	if (random(8) === 0) // in a string or not: bytes that are no UTF-8
		bytes[1] = Buffer.concat([text.subarray(0, -1), Buffer.from(',"n":"'),
			Buffer.from(pick([[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf0, 0x9f], [0xc0, 0x80], [0xc3, 0xa4]])), Buffer.from(pick(['"}', '"}', '}']))]);
	const whole = Buffer.concat(bytes);
	return random(15) ? whole : whole.subarray(0, random(whole.length + 1));
}

const sound = (value) => typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
const nothing = (value) => value === undefined || value === null || value === '';

function read(bytes) {
	try {
		const json = JSON.parse(new TextDecoder().decode(bytes));
		if (typeof json === 'object' && json && !Array.isArray(json) && Object.hasOwn(json, 'access_token') && sound(json.access_token)) {
			const refresh = Object.hasOwn(json, 'refresh_token') ? json.refresh_token : undefined;
			if (sound(refresh) || nothing(refresh))
				return [json.access_token, refresh || null];
		}
	} catch { /* no JSON */ }
	return [null, null];
}

const literal = (value) => (value ? JSON.stringify(value) : 'NULL');
console.log(`// SPDX-License-Identifier: MIT\n//\n// By bodies.mjs: bodies (hex), and the tokens that node ${process.versions.node.split('.')[0]} reads in each.`);
for (let i = 0; i < 600; i++) {
	const bytes = body();
	console.log(`{"${bytes.toString('hex')}", ${read(bytes).map(literal).join(', ')}},`);
}
