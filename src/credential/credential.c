// SPDX-License-Identifier: MIT
//
// A credential's value: copying it, freeing it, and completing what the store says from what its
// tokens say. What a store says itself always comes first.

#include "base/clock.h"
#include "credential/credential.h"

bool token_is_sound(const char *token, size_t len)
{
	if (len > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (token[i] <= ' ' || token[i] >= 0x7f)
			return false;
	return true;
}

void credential_free(struct credential *credential)
{
	free(credential->provider);
	free(credential->profile);
	secret_free(&credential->access);
	secret_free(&credential->refresh);
	secret_free(&credential->id_token);
	identity_free(&credential->identity);
	free(credential->client_id);
	*credential = (struct credential){0};
}

void credential_copy(struct credential *to, const struct credential *from)
{
	struct credential copy = {
		.provider = xstrdup(from->provider),
		.profile = xstrdup(from->profile),
		.fingerprint = from->fingerprint,
		.expires_ms = from->expires_ms,
		.issued_ms = from->issued_ms,
		.lifetime_s = from->lifetime_s,
		.client_id = xstrdup(from->client_id),
	};

	secret_copy(&copy.access, &from->access);
	secret_copy(&copy.refresh, &from->refresh);
	secret_copy(&copy.id_token, &from->id_token);
	identity_copy(&copy.identity, &from->identity);
	credential_free(to);
	*to = copy;
}

// Who a user is by name comes before a bare `sub`, which can be the name of a login ("google-oauth2|…"). Of two subjects
// the access token's counts: every copy of a login has that token, few have the other, and with pairwise subjects they
// would look like two people's.
static void complete_identity(struct identity *identity, const struct jwt *id,
			      const struct jwt *access)
{
	const struct identity user = {.user_id = access->identity.user_id};

	if (id->identity.user_id && !id->user_is_subject)
		identity_complete(identity, &id->identity);
	identity_complete(identity, &user);
	identity_complete(identity, &id->identity);
	identity_complete(identity, &access->identity);
}

// Opaque tokens are the normal case: nothing is read from them, and nothing is wrong.
static void complete_from(struct identity *identity, const struct secret *id_token,
			  const struct jwt *access)
{
	struct jwt id = {0};

	(void)jwt_read(id_token, &id);
	complete_identity(identity, &id, access);
	jwt_free(&id);
}

void identity_complete_from_tokens(struct identity *identity, const struct secret *id_token,
				   const struct secret *access)
{
	struct jwt of_access = {0};

	(void)jwt_read(access, &of_access);
	complete_from(identity, id_token, &of_access);
	jwt_free(&of_access);
}

static void compare_subjects(struct jwt *jwt)
{
	free(jwt->identity.user_id);
	jwt->identity.user_id = TAKE_PTR(jwt->subject);
}

enum identity_match identity_compare_tokens(const struct secret *before, const struct secret *after)
{
	enum identity_match match = IDENTITY_UNKNOWN;
	struct jwt a = {0}, b = {0};

	if (jwt_read(before, &a) == 0 && jwt_read(after, &b) == 0) {
		if (a.user_is_subject != b.user_is_subject) { // not the same kind of name
			compare_subjects(&a);
			compare_subjects(&b);
		}
		match = identity_compare(&a.identity, &b.identity);
		if (match == IDENTITY_DIFFERENT) { // by more than an address?
			free(TAKE_PTR(a.identity.email));
			match = identity_compare(&a.identity, &b.identity);
		}
	}
	jwt_free(&a);
	jwt_free(&b);
	return match;
}

// What a store holds half of may be half of two different ids.
static void forget_if_blurred(char **id)
{
	if (*id && strstr(*id, "\xef\xbf\xbd"))
		free(TAKE_PTR(*id));
}

void credential_complete(struct credential *credential)
{
	struct identity *identity = &credential->identity;
	struct jwt access = {0};

	forget_if_blurred(&identity->account_id);
	forget_if_blurred(&identity->user_id);
	forget_if_blurred(&identity->email);
	(void)jwt_read(&credential->access, &access);
	credential->fingerprint = fingerprint_of(&credential->refresh);
	complete_from(identity, &credential->id_token, &access);
	credential->issued_ms = access.issued_ms;
	credential->lifetime_s = 0;
	if (access.issued_ms && access.expires_ms > access.issued_ms)
		credential->lifetime_s = (access.expires_ms - access.issued_ms) / SECOND_MS;
	if (credential->expires_ms == 0)
		credential->expires_ms = access.expires_ms;
	jwt_free(&access);
}
