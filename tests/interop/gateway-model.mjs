// SPDX-License-Identifier: MIT
//
// A model for a real gateway to talk to, on loopback: answers every message with "fine", and says on standard output
// first its port, then for each request the fingerprint of the token that came with it.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';

const EVENTS = [
	['message_start', { message: { id: 'msg_1', type: 'message', role: 'assistant', model: 'fake', content: [], usage: { input_tokens: 1, output_tokens: 1 } } }],
	['content_block_start', { index: 0, content_block: { type: 'text', text: '' } }],
	['content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'fine' } }],
	['content_block_stop', { index: 0 }],
	['message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 1 } }],
	['message_stop', {}],
];
const fingerprint = (token) => createHash('sha256').update(token).digest('hex').slice(0, 12);
const say = (line) => fs.writeSync(1, `${line}\n`);

const server = http.createServer((request, response) => {
	say(fingerprint(request.headers['x-api-key'] ?? request.headers.authorization?.replace(/^Bearer /, '') ?? ''));
	request.resume().on('end', () => {
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		for (const [type, data] of EVENTS) response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
		response.end();
	});
});
server.listen(0, '127.0.0.1', () => say(server.address().port));
