// SPDX-License-Identifier: MIT
//
// What we know about token endpoints: a table of presets, how a token request is built, how an
// answer is read. Pure: bytes in, bytes out (facts: providers.md; openclaw-json-store.md 6).
#ifndef PROVIDER_PROVIDER_H
#define PROVIDER_PROVIDER_H

#include "credential/credential.h"

enum encoding { ENCODING_FORM, ENCODING_JSON };

// A margin: seconds, or a share of the lifetime in percent; neither: unset.
struct margin {
	int64_t seconds;
	int percent;
};

// Strings are literals in the presets and owned by `struct config` after merging; nobody else frees
// them.
struct provider {
	const char *name;
	const char
		*family; // one upstream under two names ("openai" for openai-codex); else the name
	const char *token_url;	   // NULL: by discovery
	const char *discovery_url; // OpenID configuration whose token_endpoint is used
	const char
		*endpoint_domain; // a discovered endpoint's host must be this or end in ".<this>"
	const char *client_id;	  // NULL: the credential's own, else it cannot be refreshed
	const char *client_secret_file;
	enum encoding encoding;
	const char *scope;	    // NULL: not sent
	const char *const *headers; // "Name: value", NULL-terminated, or NULL
	bool rotates; // an answer usually carries a new refresh token and spends the old
	bool needs_client_secret;	 // as Google's installed apps do
	bool takes_credential_client_id; // the credential's clientId goes before client_id (chutes,
					 // google)
	int64_t reuse_window_s;		 // a second send within it is harmless
	int64_t lifetime_s;	  // of an access token, where the answer does not say; 0 unknown
	int64_t grant_lifetime_s; // from login on, not extended by refreshing; 0 unknown
	int64_t store_skew_ms;	  // OpenClaw writes `expires` this much early
	int64_t store_least_ms;	  // … but at least now + this (chutes)
	struct margin margin;
	// An authenticated read that costs nothing, at the provider's own API: there, and nowhere else, the access token of
	// a login is sent by `doctor --probe`. NULL: none is known.
	const char *probe_url;
	const char *probe_header;	  // "Name: value" that it takes besides, or NULL
	const char *probe_account_header; // the name of the one that says which account, or NULL
	const char *login_command;
	const char *no_refresh; // why it is never refreshed, in words that help; NULL: it is
};

// The presets, by name; NULL for an unknown one. `config_provider` (config/config.h) merges the
// configuration in.
const struct provider *provider_preset(const char *name);
const struct provider *provider_presets(size_t *ret_n);
// Why this credential cannot be refreshed, or NULL: no_refresh, no client id, no secret file …
// Static or freed by nobody.
const char *provider_obstacle(const struct provider *provider, const struct credential *credential);
// The client id to send: the provider's or the credential's own; NULL if there is neither.
const char *provider_client_id(const struct provider *provider,
			       const struct credential *credential);
bool provider_same_family(const struct provider *a, const struct provider *b);

// One HTTP request, as the courier sends it.
struct http_request {
	char *url;
	char **headers; // "Name: value"
	size_t n_headers;
	struct secret body;   // unset: GET
	struct secret bearer; // unset: no Authorization
};
void http_request_free(struct http_request *request);
// `token_url` is provider->token_url or the discovered one; client_secret may be NULL.
// Percent-encoding per application/x-www-form-urlencoded, JSON strings escaped. The order of the
// fields is fixed.
void provider_build_request(const struct provider *provider, const char *token_url,
			    const char *client_id, const struct secret *client_secret,
			    const struct secret *refresh_token, struct http_request *ret);
void provider_build_discovery(const struct provider *provider, struct http_request *ret);
// The read of `probe_url` with this access token; `account_id` may be NULL.
void provider_build_probe(const struct provider *provider, const char *account_id,
			  const struct secret *access, struct http_request *ret);
// Is anybody there? Says nothing of anybody.
void provider_build_knock(const char *url, struct http_request *ret);
// The token endpoint in a discovery document: https (http only to a loopback address), its host
// within endpoint_domain, no user info, no control characters. -EBADMSG, -EPERM. Free it.
int provider_read_discovery(const struct provider *provider, const char *body, size_t len,
			    char **ret_url);
// https, or http to 127.0.0.0/8, [::1] or localhost; no user info, no spaces or control characters.
bool url_is_safe(const char *url);
// The host part, lower case, without port or brackets; NULL if there is none. Free it.
char *url_host(const char *url);

// An HTTP answer as it was received.
struct http_answer {
	int status;
	int64_t retry_after_s; // -1: not said
	int64_t date_ms;       // the server's own time (`Date`); 0: not said
	bool challenge;	       // an edge's challenge page: `cf-mitigated: challenge`
	bool cut;	       // the transfer ended early: the body may be incomplete
	struct secret body;
};

enum answer_kind {
	ANSWER_TOKENS,	 // a new access token
	ANSWER_DEAD,	 // this refresh token is dead (reused, expired, revoked, invalid_grant …)
	ANSWER_REJECTED, // refused for another reason: not spent; back off, after three a person
	ANSWER_BARRED,	 // refused for what only a person can change (plan, payment, hold, country):
			 // not spent; a person, at once
	ANSWER_NOT_SPENT, // 429, 503 with Retry-After or an OAuth error body, a challenge page:
			  // later
	ANSWER_UNKNOWN,	  // every other 5xx, 408, cut or unreadable: it may have been spent
};

#define SAID_MAX 160

struct answer {
	enum answer_kind kind;
	int status;
	int64_t retry_after_s; // -1
	char code[64]; // the OAuth error code if it reads like one (words of one case joined by _ -
		       // . and no digits: no token looks so), else "http_<status>"; never free text
	char said[SAID_MAX]; // what a refusal says for people (said.c); "" nothing
	struct secret access, refresh, id_token; // refresh unset: the old one stays
	int64_t lifetime_s; // expires_in, or MiniMax's expired_in brought to a duration; 0: not
			    // said
	int64_t grant_lifetime_s; // refresh_token_expires_in; 0: not said
	struct identity identity; // from the answer's account object and the JWTs in it
};
void answer_free(struct answer *answer);
// A server's words for people: only what looks like words and can be no token; "" if there are none. `json`: its answer.
struct cJSON;
void said_plainly(const char *text, char ret[SAID_MAX]);
void said_in_answer(const struct cJSON *json, char ret[SAID_MAX]);
// Does it show a part of this token after all?
bool said_shows(const char *said, const struct secret *token);
// `received_ms` is needed for absolute expiries only.
void provider_read_answer(const struct provider *provider, const struct http_answer *http,
			  int64_t received_ms, struct answer *ret);

// What the API says to an access token.
enum probe_kind {
	PROBE_ALIVE,
	PROBE_REFUSED, // 401: it does not know the token, or not any more
	PROBE_PLAN,    // 403: it knows it, and the plan or the organisation does not allow this
	PROBE_PAYMENT, // 402
	PROBE_LIMITED, // 429
	PROBE_EDGE,    // a page of something in between, which never asked the API
	PROBE_UNCLEAR, // whatever else
};
const char *probe_kind_name(enum probe_kind kind);
struct probe_answer {
	enum probe_kind kind;
	int status;
	int64_t retry_after_s;		       // -1
	char code[sizeof((struct answer){0}.code)]; // as of struct answer
	char said[SAID_MAX];
};
void provider_read_probe(const struct provider *provider, const struct http_answer *http,
			 const struct secret *access, struct probe_answer *ret);

// True expiry of the access token: received + lifetime, else JWT exp, else received + the preset's
// lifetime, else an hour from then: what nobody says would never be refreshed again.
int64_t answer_expires_ms(const struct provider *provider, const struct answer *answer,
			  int64_t received_ms);

#endif
