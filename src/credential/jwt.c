// SPDX-License-Identifier: MIT
//
// The claims of a JSON Web Token (RFC 7519, compact form): three parts between dots, the second one
// JSON in base64url without padding. Nothing is verified: the signature's key is not ours, and a
// token that lies about itself can lie no more than the store it stands in.

#include <errno.h>
#include <sodium.h>

#include "base/index.h"
#include "json/json.h"
#include "credential/credential.h"

#define LAST_DATE_S 8.64e12 // the last moment that JavaScript's Date knows (ECMA-262)

// The claim objects of OpenAI's tokens, as Codex reads them.
#define OPENAI_AUTH    "https://api.openai.com/auth"
#define OPENAI_PROFILE "https://api.openai.com/profile"

void jwt_free(struct jwt *jwt)
{
	identity_free(&jwt->identity);
	free(jwt->subject);
	*jwt = (struct jwt){0};
}

// The second of exactly three parts. A signature may be empty (alg "none"), header and payload may
// not. Five parts are an encrypted token, which says nothing to us.
static int find_payload(const struct secret *token, const char **ret_start, size_t *ret_len)
{
	const char *start, *end;

	if (secret_empty(token) || token->len > TOKEN_MAX)
		return -EBADMSG;
	start = memchr(token->text, '.', token->len);
	if (!start || start == token->text)
		return -EBADMSG;
	start++;
	end = memchr(start, '.', token->len - (size_t)(start - token->text));
	if (!end || end == start)
		return -EBADMSG;
	if (memchr(end + 1, '.', token->len - (size_t)(end + 1 - token->text)))
		return -EBADMSG;
	*ret_start = start;
	*ret_len = (size_t)(end - start);
	return 0;
}

static int decode_payload(const char *text, size_t len, struct secret *ret)
{
	_cleanup_secret_ struct secret decoded = {0};

	secret_set(&decoded, text, len); // four characters become three bytes: there is room
	if (sodium_base642bin((unsigned char *)decoded.text, len, text, len, NULL, &decoded.len,
			      NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return -EBADMSG;
	decoded.text[decoded.len] = '\0';
	secret_free(ret);
	*ret = secret_take(&decoded);
	return 0;
}

// A NumericDate (RFC 7519 2) may have a fraction.
static int64_t read_date_ms(const cJSON *claims, const char *name)
{
	const cJSON *item = json_get(claims, name);

	if (!cJSON_IsNumber(item))
		return 0;
	if (!(item->valuedouble > 0 && item->valuedouble <= LAST_DATE_S))
		return 0;
	return (int64_t)(item->valuedouble * 1000 + 0.5);
}

static char *read_id(const cJSON *claims, const char *name)
{
	const char *id = json_text(claims, name);

	return id_is_sound(id) ? xstrdup(id) : NULL;
}

static void read_identity(const cJSON *claims, struct jwt *jwt)
{
	const cJSON *auth = json_get(claims, OPENAI_AUTH);
	struct identity alternatives[] = {
		{
			.account_id = read_id(auth, "chatgpt_account_id"),
			.user_id = read_id(auth, "chatgpt_user_id"),
			.email = read_id(claims, "email"),
		},
		{
			.user_id = read_id(auth, "user_id"),
			.email = read_id(json_get(claims, OPENAI_PROFILE), "email"),
		},
	};
	struct identity subject = {.user_id = read_id(claims, "sub")};

	for (size_t i = 0; i < ARRAY_SIZE(alternatives); i++) {
		identity_complete(&jwt->identity, &alternatives[i]);
		identity_free(&alternatives[i]);
	}
	jwt->user_is_subject = !jwt->identity.user_id;
	identity_complete(&jwt->identity, &subject);
	jwt->subject = subject.user_id;
	jwt->user_is_subject = jwt->user_is_subject && jwt->identity.user_id;
}

static int decode(const char *text, size_t len, struct jwt *ret)
{
	_cleanup_secret_ struct secret payload = {0};
	_cleanup_json_ cJSON *claims = NULL;

	if (decode_payload(text, len, &payload) < 0)
		return -EBADMSG;
	claims = json_parse_foreign(payload.text, payload.len);
	if (!cJSON_IsObject(claims))
		return -EBADMSG;
	ret->issued_ms = read_date_ms(claims, "iat");
	ret->expires_ms = read_date_ms(claims, "exp");
	read_identity(claims, ret);
	return 0;
}

// What a payload says is decoded once, however many copies and looks ask for it. It is known by a hash, so that nothing
// secret is kept; what was asked long ago makes room. NULL: none that says anything.
static const struct jwt *find_claims(const struct secret *token)
{
	static struct {
		struct text_hash hash;
		struct jwt jwt;
		bool is_jwt;
	} known[1024];
	const char *text;
	size_t len;

	if (find_payload(token, &text, &len) < 0)
		return NULL;
	struct text_hash hash = hash_text(text, len);
	size_t at = hash.words[0] % ARRAY_SIZE(known);
	if (!text_hash_equal(known[at].hash, hash)) {
		jwt_free(&known[at].jwt);
		known[at].hash = hash;
		known[at].is_jwt = decode(text, len, &known[at].jwt) == 0;
	}
	return known[at].is_jwt ? &known[at].jwt : NULL;
}

int jwt_read(const struct secret *token, struct jwt *ret)
{
	const struct jwt *known = find_claims(token);

	if (!known)
		return -EBADMSG;
	*ret = *known;
	ret->identity = (struct identity){0};
	identity_copy(&ret->identity, &known->identity);
	ret->subject = xstrdup(known->subject);
	return 0;
}

struct jwt_times jwt_times(const struct secret *token)
{
	const struct jwt *known = find_claims(token);

	return known ? (struct jwt_times){known->issued_ms, known->expires_ms}
		     : (struct jwt_times){0};
}
