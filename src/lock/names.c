// SPDX-License-Identifier: MIT
//
// The names of OpenClaw's refresh locks, as its versions spell them (facts: openclaw-json-store.md
// 3, openclaw-sqlite-store.md 3.1). Both are digests in hex, so that a hostile profile id cannot
// leave the directory.
#include "lock/lock.h"

#include <inttypes.h>

#include "base/secret.h"

char *lock_name_sha256(const char *provider, const char *profile)
{
	size_t n = strlen(provider) + 1, m = strlen(profile); // with the NUL that stands between
	_cleanup_free_ char *bytes = xcalloc(1, n + m + 1);

	memcpy(bytes, provider, n);
	memcpy(bytes + n, profile, m);
	return xasprintf("sha256-%s", fingerprint_of_bytes(bytes, n + m).hex);
}

// Two FNV-1a hashes over the same bytes, the second of bytes shifted by the golden ratio.
struct fnv_pair {
	uint64_t left, right;
};

#define FNV_PRIME UINT64_C(0x100000001b3)
#define FNV_LEFT  UINT64_C(0xcbf29ce484222325)
#define FNV_RIGHT UINT64_C(0x9ae16a3b2f90404f)
#define FNV_SHIFT UINT64_C(0x9e3779b97f4a7c15)

static void fnv_byte(struct fnv_pair *hash, unsigned char byte)
{
	hash->left = (hash->left ^ byte) * FNV_PRIME;
	hash->right = (hash->right ^ (byte + FNV_SHIFT)) * FNV_PRIME;
}

static void fnv_text(struct fnv_pair *hash, const char *text)
{
	for (; *text; text++)
		fnv_byte(hash, (unsigned char)*text);
}

// As JSON.stringify writes a string: it escapes what ECMA-262 (QuoteJSONString) tells it to, and
// nothing else.
static void fnv_json_string(struct fnv_pair *hash, const char *text)
{
	static const char *const control[0x20] = {
		['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r",
	};

	fnv_byte(hash, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			fnv_byte(hash, '\\');
			fnv_byte(hash, c);
		} else if (c >= 0x20) {
			fnv_byte(hash, c);
		} else if (control[c]) {
			fnv_text(hash, control[c]);
		} else {
			fnv_text(hash, "\\u00");
			fnv_byte(hash, c >> 4 ? '1' : '0');
			fnv_byte(hash, "0123456789abcdef"[c & 0xf]);
		}
	}
	fnv_byte(hash, '"');
}

char *lock_name_fnv(const char *provider, const char *profile)
{
	struct fnv_pair hash = {FNV_LEFT, FNV_RIGHT};

	fnv_byte(&hash, '[');
	fnv_json_string(&hash, provider);
	fnv_byte(&hash, ',');
	fnv_json_string(&hash, profile);
	fnv_byte(&hash, ']');
	return xasprintf("lock-%016" PRIx64 "%016" PRIx64, hash.left, hash.right);
}
