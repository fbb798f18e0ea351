// SPDX-License-Identifier: MIT
//
// A credential's value: copying it, freeing it, and completing what the store says from what its
// tokens say. What a store says itself always comes first.

#include "base/clock.h"
#include "credential/credential.h"

// What stands before the claim id in the tokens of an OpenClaw fence (2026.9.4+).

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

// The id token speaks about the person, so it comes before the access token. But a `sub` can be the
// name of a login ("google-oauth2|…") where chatgpt_user_id names the user; a copy that holds only
// the access token knows only the latter, and would look like somebody else's.
static void complete_identity(struct identity *identity, const struct jwt *id,
			      const struct jwt *access)
{
	struct identity user = {.user_id = access->identity.user_id};

	if (id->user_is_subject && !access->user_is_subject)
		identity_complete(identity, &user);
	identity_complete(identity, &id->identity);
	identity_complete(identity, &access->identity);
}

void credential_complete(struct credential *credential)
{
	struct jwt id = {0}, access = {0};

	// Opaque tokens are the normal case: nothing is read from them, and nothing is wrong.
	(void)jwt_read(&credential->id_token, &id);
	(void)jwt_read(&credential->access, &access);

	credential->fingerprint = fingerprint_of(&credential->refresh);
	complete_identity(&credential->identity, &id, &access);
	credential->issued_ms = access.issued_ms;
	credential->lifetime_s = 0;
	if (access.issued_ms && access.expires_ms > access.issued_ms)
		credential->lifetime_s = (access.expires_ms - access.issued_ms) / SECOND_MS;
	if (credential->expires_ms == 0)
		credential->expires_ms = access.expires_ms;
	jwt_free(&id);
	jwt_free(&access);
}
