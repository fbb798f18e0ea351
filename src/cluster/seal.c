// SPDX-License-Identifier: MIT
//
// See seal.h.
#include "cluster/seal.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#define VERSION_BYTE 1
#define NONCE_BYTES  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES    crypto_aead_xchacha20poly1305_ietf_ABYTES
#define HEAD_BYTES   (1 + SEAL_ID_BYTES + NONCE_BYTES)
#define KEY_FILE_MAX 256
#define NAME_BYTES   16

static_assert(SEAL_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "a key of ours");

static unsigned char *bytes_of(const struct secret *s)
{
	return (unsigned char *)s->text;
}

// ---- keys

void seal_free(struct seal *seal)
{
	for (size_t i = 0; i < seal->n; i++)
		secret_free(&seal->keys[i].bytes);
	free(seal->keys);
	*seal = (struct seal){0};
}

void seal_add_key(struct seal *seal, const struct secret *bytes)
{
	struct seal_key *key = array_add(&seal->keys, &seal->n);
	unsigned char id[crypto_generichash_BYTES_MIN];

	secret_copy(&key->bytes, bytes);
	crypto_generichash(id, sizeof(id), bytes_of(bytes), bytes->len,
			   (const unsigned char *)"key id", 0);
	memcpy(key->id, id, SEAL_ID_BYTES);
}

// 32 bytes as they are, or their base64, with or without an end of line.
static int key_of_text(const struct secret *text, struct secret *ret)
{
	_cleanup_secret_ struct secret key = {0};
	size_t len = 0;

	if (text->len == SEAL_KEY_BYTES) {
		secret_copy(ret, text);
		return 0;
	}
	secret_set(&key, "", 0);
	for (size_t i = 0; i < SEAL_KEY_BYTES + 1; i++)
		secret_append(&key, "", 1);
	if (secret_empty(text) ||
	    sodium_base642bin(bytes_of(&key), SEAL_KEY_BYTES, text->text, text->len, " \t\r\n",
			      &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    len != SEAL_KEY_BYTES)
		return -EBADMSG;
	secret_set(ret, key.text, SEAL_KEY_BYTES);
	return 0;
}

static bool is_text(const struct secret *key)
{
	for (size_t i = 0; i < key->len; i++)
		if (!isprint((unsigned char)key->text[i]) && !isspace((unsigned char)key->text[i]))
			return false;
	return true;
}

int seal_add_key_file(struct seal *seal, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_secret_ struct secret text = {0}, key = {0};
	int r = fd < 0 ? -errno : secret_read(fd, KEY_FILE_MAX, &text);

	if (r >= 0)
		r = key_of_text(&text, &key);
	if (r >= 0 && is_text(&key))
		r = -EDOM;
	if (r < 0)
		return r;
	seal_add_key(seal, &key);
	seal->keys[seal->n - 1].path = path;
	return 0;
}

static const struct seal_key *find_key(const struct seal *seal, const unsigned char *id)
{
	for (size_t i = 0; i < seal->n; i++)
		if (memcmp(seal->keys[i].id, id, SEAL_ID_BYTES) == 0)
			return &seal->keys[i];
	return NULL;
}

const unsigned char *seal_id(const struct secret *sealed)
{
	return bytes_of(sealed) + 1;
}

void seal_use(struct seal *seal, const unsigned char *id)
{
	for (size_t i = 1; i < seal->n; i++) {
		if (memcmp(seal->keys[i].id, id, SEAL_ID_BYTES) != 0)
			continue;
		struct seal_key first = seal->keys[i];
		memmove(&seal->keys[1], &seal->keys[0], i * sizeof(*seal->keys));
		seal->keys[0] = first;
		return;
	}
}

// ---- text

static struct secret room_for(size_t len)
{
	struct secret room = {
		.text = xcalloc(len + 1, 1),
		.len = len,
		.capacity = len + 1,
	};

	return room;
}

struct secret seal_random(size_t len)
{
	struct secret random = room_for(len);

	randombytes_buf(random.text, len);
	return random;
}

struct secret seal_text(const struct seal *seal, const char *name, const struct secret *text)
{
	struct secret sealed = room_for(HEAD_BYTES + text->len + TAG_BYTES);
	unsigned char *at = bytes_of(&sealed), *nonce = at + 1 + SEAL_ID_BYTES;

	at[0] = VERSION_BYTE;
	memcpy(at + 1, seal->keys[0].id, SEAL_ID_BYTES);
	randombytes_buf(nonce, NONCE_BYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt(at + HEAD_BYTES, NULL, bytes_of(text), text->len,
						   (const unsigned char *)name, strlen(name), NULL,
						   nonce, bytes_of(&seal->keys[0].bytes));
	return sealed;
}

int seal_open(const struct seal *seal, const char *name, const struct secret *sealed,
	      struct secret *ret, bool *ret_old)
{
	const unsigned char *at = bytes_of(sealed);

	if (secret_empty(sealed) || sealed->len < HEAD_BYTES + TAG_BYTES)
		return -EBADMSG;
	if (at[0] != VERSION_BYTE)
		return -EPROTONOSUPPORT;
	const struct seal_key *key = find_key(seal, at + 1);
	if (!key)
		return -ENOKEY;
	_cleanup_secret_ struct secret text = room_for(sealed->len - HEAD_BYTES - TAG_BYTES);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    bytes_of(&text), NULL, NULL, at + HEAD_BYTES, sealed->len - HEAD_BYTES,
		    (const unsigned char *)name, strlen(name), at + 1 + SEAL_ID_BYTES,
		    bytes_of(&key->bytes)) != 0)
		return -EBADMSG;
	*ret = secret_take(&text);
	*ret_old = key != seal->keys;
	return 0;
}

void seal_name(const struct secret *key, const char *text, size_t len, char ret[33])
{
	unsigned char hash[NAME_BYTES];

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)text, len, bytes_of(key),
			   key->len);
	sodium_bin2hex(ret, 33, hash, sizeof(hash));
}

void seal_nonce(char ret[33])
{
	_cleanup_secret_ struct secret random = seal_random(SEAL_KEY_BYTES);

	seal_name(&random, "", 0, ret);
}
