// SPDX-License-Identifier: MIT
//
// See write.h.
#include "cluster/write.h"

#include <errno.h>
#include <time.h>

#define RETRY_MS    200
#define RETRIES_MAX 40

static bool shows_nonce(struct cluster *c, const struct etcd_entries *found, const char *key,
			const char *nonce)
{
	const struct etcd_entry *entry = etcd_find(found, key);
	_cleanup_secret_ struct secret text = {0};

	if (!entry || view_open(c, entry, &text) < 0)
		return false;
	_cleanup_json_ cJSON *json = json_parse(text.text, text.len);
	return string_equal(json_text(json, "nonce"), nonce);
}

static void wait_a_moment(void)
{
	const struct timespec moment = {.tv_nsec = RETRY_MS * 1000000};

	nanosleep(&moment, NULL);
}

// Until it is known whether it was done: -ESTALE if not, because the guards did not hold. A nonce of this very write, in what
// stands under `key`, says that it was done, whatever its own reply was or would have been.
int write_surely(struct cluster *c, const struct etcd_txn *txn, const char *key, const char *nonce,
		 struct etcd_reply *ret)
{
	const struct etcd_txn look = {.reads = txn->reads, .n_reads = txn->n_reads};
	bool sent = false;
	int r = 0;

	for (int tries = 0; tries < RETRIES_MAX; tries++) {
		struct etcd_reply reply = {0};
		// What may have been done is looked at, before anything else.
		r = sent ? etcd_commit(&c->etcd, &look, &reply) : 0;
		bool done = r == 0 && sent && shows_nonce(c, &reply.found, key, nonce);
		if (r == 0 && !done) {
			etcd_reply_free(&reply);
			r = etcd_commit(&c->etcd, txn, &reply);
			sent |= r == -EINPROGRESS;
			done = r == 0 && (reply.done || shows_nonce(c, &reply.found, key, nonce));
		}
		if (r == 0) {
			*ret = reply;
			return done ? 0 : -ESTALE;
		}
		if (r != -EINPROGRESS && !(sent && r == -ENETUNREACH && c->etcd.patience_ms > 0))
			break;
		wait_a_moment();
		c->etcd.patience_ms -= RETRY_MS;
	}
	view_lose(c);
	return sent ? -EINPROGRESS : r;
}
