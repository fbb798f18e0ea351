// SPDX-License-Identifier: MIT
//
// A credential as one store holds it, and who it belongs to. Pure: no file, no clock, no network.
//
// Identity is what decides whether a credential may land somewhere. Every id that both sides have must agree;
// an account id alone may be a workspace that several people share, so it proves nothing about a person.
#ifndef CREDENTIAL_CREDENTIAL_H
#define CREDENTIAL_CREDENTIAL_H

#include "base/secret.h"

struct identity { // each NULL when unknown; compared trimmed, the email also without regard to case
	char *account_id;
	char *user_id; // chatgpt_user_id, else the JWT's `sub`
	char *email;
};

enum identity_match {
	IDENTITY_SAME,      // a person's id (user id or email) in common, and every common id agrees
	IDENTITY_WORKSPACE, // only the account id in common, and it agrees
	IDENTITY_UNKNOWN,   // no id in common
	IDENTITY_DIFFERENT, // some common id disagrees
};

void identity_free(struct identity *identity);
void identity_copy(struct identity *to, const struct identity *from);
bool identity_equal(const struct identity *a, const struct identity *b); // as spelt
bool identity_empty(const struct identity *identity);
enum identity_match identity_compare(const struct identity *a, const struct identity *b); // symmetric
// Fill in what `identity` lacks from `more`; what it has stays.
void identity_complete(struct identity *identity, const struct identity *more);
// Who it is, for keys and messages: user id, else email, else account id, else "". Not to be freed.
const char *identity_name(const struct identity *identity);

// Claims of a JWT, unverified (we trust them no more than the store they stand in).
struct jwt {
	int64_t issued_ms;  // `iat`, 0 unknown
	int64_t expires_ms; // `exp`, 0 unknown
	struct identity identity; // from `sub`, `email`, and OpenAI's claim objects (facts: providers.md 1)
	bool user_is_subject;     // the user id is the bare `sub`: no `chatgpt_user_id` was there
};
// -EBADMSG if the token is no JWT with a JSON object as payload; opaque tokens are the normal case.
// Bounded: tokens over 64 KiB are no JWT to us.
int jwt_read(const struct secret *token, struct jwt *ret);
void jwt_free(struct jwt *jwt);

struct credential {
	char *provider; // as the store spells it
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
// Compute fingerprint, issued_ms, lifetime_s, and complete identity and expires_ms (if 0) from the JWTs.
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
