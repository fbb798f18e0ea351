// SPDX-License-Identifier: MIT
//
// What etcd is given: sealed text, which says nothing and cannot be changed, nor moved to another name.
//
//	1 byte 1 | 4 bytes key id | 24 bytes nonce | XChaCha20-Poly1305 of the text, with the name as associated data
//
// The name is the whole key under which it stands, prefix and account id included. The key id says which of the keys sealed
// it: the first of the list seals, all of them open, so that keys can be rotated host by host (docs/cluster.md).
#ifndef CLUSTER_SEAL_H
#define CLUSTER_SEAL_H

#include "base/secret.h"

#define SEAL_KEY_BYTES 32
#define SEAL_ID_BYTES  4

struct seal_key {
	struct secret bytes;
	unsigned char id[SEAL_ID_BYTES];
	const char *path; // its file; NULL
};
struct seal {
	struct seal_key *keys; // the first seals
	size_t n;
};
void seal_free(struct seal *seal);
// A key file, 32 bytes raw or as base64. -EBADMSG: it is none. -EDOM: what it holds is text, as a password or hex digits are,
// and no 32 random bytes, of which one in 10^13 would look like that. Or what reading said. `path` must live as long.
int seal_add_key_file(struct seal *seal, const char *path);
void seal_add_key(struct seal *seal, const struct secret *bytes); // of SEAL_KEY_BYTES

// Its id, in what it has sealed …
const unsigned char *seal_id(const struct secret *sealed);
// … and it is the one that seals, from now on. One of ours, or nothing changes.
void seal_use(struct seal *seal, const unsigned char *id);

struct secret seal_text(const struct seal *seal, const char *name, const struct secret *text);
// -EPROTONOSUPPORT (a newer form), -ENOKEY (none of our keys), -EBADMSG (changed, or of another name).
int seal_open(const struct seal *seal, const char *name, const struct secret *sealed, struct secret *ret, bool *ret_old);

// A name that tells nobody what it is made of: 32 hex digits of a keyed hash.
void seal_name(const struct secret *key, const char *text, size_t len, char ret[33]);
struct secret seal_random(size_t len);
void seal_nonce(char ret[33]); // a name that nothing else has

#endif
