// SPDX-License-Identifier: MIT
//
// A credential as one store holds it, and who it belongs to. Pure: no file, no clock, no network.
//
// Identity is what decides whether a credential may land somewhere. A person is told by the user id where both sides
// have one, else by the e-mail address, which is otherwise an attribute that people change. An account id that both have
// must agree, too: one person may have two logins in two workspaces; but alone it proves nothing about a person.
#ifndef CREDENTIAL_CREDENTIAL_H
#define CREDENTIAL_CREDENTIAL_H

#include "base/secret.h"

struct identity { // each NULL when unknown; compared trimmed, the email also without regard to case
	char *account_id;
	char *user_id; // chatgpt_user_id, else the JWT's `sub`
	char *email;
};

enum identity_match {
	IDENTITY_SAME,      // the user id agrees, or, where one side has none, the email
	IDENTITY_WORKSPACE, // only the account id in common, and it agrees
	IDENTITY_UNKNOWN,   // no id in common
	IDENTITY_DIFFERENT, // user id or account id disagrees, or, without a user id, the email
};

void identity_free(struct identity *identity);
void identity_copy(struct identity *to, const struct identity *from);
bool identity_equal(const struct identity *a, const struct identity *b); // as spelt
bool identity_empty(const struct identity *identity);
enum identity_match identity_compare(const struct identity *a, const struct identity *b); // symmetric
// Fill in what `identity` lacks from `more`; what it has stays.
void identity_complete(struct identity *identity, const struct identity *more);
// … from what the tokens claim: the one reader for stores and answers. Either may be unset or opaque.
void identity_complete_from_tokens(struct identity *identity, const struct secret *id_token,
				   const struct secret *access);
// Two tokens of one kind, of one login at two times: is it still the same person's? IDENTITY_UNKNOWN unless both say;
// an e-mail address says so if it is the same, and nothing if it is not.
enum identity_match identity_compare_tokens(const struct secret *before, const struct secret *after);
// An id as a token or an answer gives it: no control characters, no U+FFFD (it may have been two different ids), not
// endless.
bool id_is_sound(const char *id);
// Who it is, for keys and messages: user id, else email, else account id, else "". Not to be freed.
const char *identity_name(const struct identity *identity);
// … as a person knows it: the email first.
const char *identity_label(const struct identity *identity);

// Claims of a JWT, unverified (we trust them no more than the store they stand in).
struct jwt {
	int64_t issued_ms;  // `iat`, 0 unknown
	int64_t expires_ms; // `exp`, 0 unknown
	struct identity identity; // from `sub`, `email`, and OpenAI's claim objects (facts: providers.md 1)
	bool user_is_subject;     // the user id is the bare `sub`: no `chatgpt_user_id` was there
	char *subject;            // the `sub`
};
// -EBADMSG if the token is no JWT with a JSON object as payload; opaque tokens are the normal case.
// Bounded: tokens over 64 KiB are no JWT to us.
int jwt_read(const struct secret *token, struct jwt *ret);
void jwt_free(struct jwt *jwt);
// The two times alone (0: unknown, or no JWT). Of either, a token is decoded once in a run, as long as it is not thousands.
struct jwt_times {
	int64_t issued_ms, expires_ms;
};
struct jwt_times jwt_times(const struct secret *token);

// What may be a token, in stores and in answers: visible ASCII (RFC 6749 A.12, without its blank, which goes into no
// header), 64 KiB at most. Nothing at all is no fault.
#define TOKEN_MAX (64u << 10)
bool token_is_sound(const char *token, size_t len);

struct credential {
	char *provider; // as OpenClaw normalises it since 2026.6.1: trimmed, in lower case
	char *profile;  // profile id, the key in the store
	struct secret access, refresh, id_token;
	struct fingerprint fingerprint; // of the refresh token
	int64_t expires_ms;             // the true expiry: what the store says plus the provider's skew; 0 unknown
	int64_t issued_ms;              // the access token's JWT `iat`; 0 unknown
	int64_t lifetime_s;             // JWT exp - iat; 0 unknown
	struct identity identity;       // the store's fields, completed from the JWTs
	char *client_id;                // or NULL
};
void credential_free(struct credential *credential);
void credential_copy(struct credential *to, const struct credential *from);
// Compute fingerprint, issued_ms, lifetime_s, and complete identity and expires_ms (if 0) from the JWTs. An id with U+FFFD in it
// is none.
void credential_complete(struct credential *credential);

// OpenClaw's fence (2026.9.4+): what stands in the place of both tokens while it refreshes (pending), and for ever if
// that failed. It names the refresh token it took the place of by a digest (facts: openclaw-sqlite-store.md 2.1).
struct fence {
	bool failed;
	char claim[33];            // 32 hex digits; "": it is malformed and names nothing
	struct fingerprint digest; // of the refresh token's generation, fence_digest()
};
// Does either stand for a fence? Never to be sent as a token. `ret` may be NULL.
bool fence_read(const struct secret *access, const struct secret *refresh, struct fence *ret);
struct fingerprint fence_digest(const char *profile, const char *provider, const struct secret *refresh);
bool token_is_fence(const struct secret *token);

#endif
