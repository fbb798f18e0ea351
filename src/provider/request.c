// SPDX-License-Identifier: MIT
//
// From a provider and a refresh token to the bytes of one request; and the other request there is,
// the discovery of a token endpoint (OpenID Connect Discovery 1.0, 4).
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "json/json.h"
#include "provider/provider.h"

#define FIELDS_MAX 5

struct field {
	const char *name;
	const struct secret *value;
};

void http_request_free(struct http_request *request)
{
	for (size_t i = 0; i < request->n_headers; i++)
		free(request->headers[i]);
	free(request->headers);
	free(request->url);
	secret_free(&request->body);
	secret_free(&request->bearer);
	*request = (struct http_request){0};
}

static void add_header(struct http_request *request, const char *line)
{
	*array_add(&request->headers, &request->n_headers) = xstrdup(line);
}

// application/x-www-form-urlencoded, with %20 for a space: every server reads that, not all read
// "+".
static void append_encoded(struct secret *body, const struct secret *value)
{
	size_t from = 0;

	for (size_t i = 0; i < value->len; i++) {
		unsigned char c = (unsigned char)value->text[i];
		char escape[4];

		if (isalnum(c) || (c && strchr("-._~", c)))
			continue;
		secret_append(body, value->text + from, i - from);
		snprintf(escape, sizeof(escape), "%%%02X", c);
		secret_append(body, escape, 3);
		explicit_bzero(escape, sizeof(escape));
		from = i + 1;
	}
	secret_append(body, value->text + from, value->len - from);
}

static struct secret encode_form(const struct field *fields, size_t n)
{
	struct secret body = {0};

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			secret_append(&body, "&", 1);
		secret_append(&body, fields[i].name, strlen(fields[i].name));
		secret_append(&body, "=", 1);
		append_encoded(&body, fields[i].value);
	}
	return body;
}

static struct secret encode_json(const struct field *fields, size_t n)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();

	for (size_t i = 0; i < n; i++)
		json_put_secret(json, fields[i].name, fields[i].value);
	return json_print(json, false);
}

void provider_build_request(const struct provider *provider, const char *token_url,
			    const char *client_id, const struct secret *client_secret,
			    const struct secret *refresh_token, struct http_request *ret)
{
	_cleanup_secret_ struct secret grant_type = {0}, id = {0}, scope = {0};
	struct field all[FIELDS_MAX] = {
		{"grant_type", &grant_type}, {"refresh_token", refresh_token},
		{"client_id", &id},	     {"client_secret", client_secret},
		{"scope", &scope},
	};
	struct http_request request = {.url = xstrdup(token_url)};
	bool form = provider->encoding == ENCODING_FORM;
	struct field fields[FIELDS_MAX];
	size_t n = 0;

	secret_set_string(&grant_type, "refresh_token");
	secret_set_string(&id, client_id);
	secret_set_string(&scope, provider->scope);
	for (size_t i = 0; i < FIELDS_MAX; i++)
		if (all[i].value && !secret_empty(all[i].value))
			fields[n++] = all[i];

	add_header(&request, form ? "Content-Type: application/x-www-form-urlencoded"
				  : "Content-Type: application/json");
	for (const char *const *header = provider->headers; header && *header; header++)
		add_header(&request, *header);
	request.body = form ? encode_form(fields, n) : encode_json(fields, n);
	*ret = request;
}

// The configured headers stay out of it: they are meant for the token endpoint.
void provider_build_discovery(const struct provider *provider, struct http_request *ret)
{
	struct http_request request = {.url = xstrdup(provider->discovery_url)};

	add_header(&request, "Accept: application/json");
	*ret = request;
}

void provider_build_knock(const char *url, struct http_request *ret)
{
	*ret = (struct http_request){.url = xstrdup(url)};
}

// An account id comes from a store, and goes into a header line: only what looks like one.
static bool is_account_id(const char *text)
{
	size_t n = 0;

	while (text && (isalnum((unsigned char)text[n]) || (text[n] && strchr("-_.", text[n]))))
		n++;
	return n > 0 && n <= 128 && !text[n];
}

void provider_build_probe(const struct provider *provider, const char *account_id,
			  const struct secret *access, struct http_request *ret)
{
	struct http_request request = {.url = xstrdup(provider->probe_url)};

	add_header(&request, "Accept: application/json");
	if (provider->probe_header)
		add_header(&request, provider->probe_header);
	if (provider->probe_account_header && is_account_id(account_id))
		*array_add(&request.headers, &request.n_headers) =
			xasprintf("%s: %s", provider->probe_account_header, account_id);
	secret_copy(&request.bearer, access);
	*ret = request;
}

static bool host_within(const char *host, const char *domain)
{
	size_t host_len = strlen(host), domain_len = strlen(domain);

	if (host_len == domain_len)
		return string_equal(host, domain);
	return host_len > domain_len && string_ends(host, domain) &&
	       host[host_len - domain_len - 1] == '.';
}

int provider_read_discovery(const struct provider *provider, const char *body, size_t len,
			    char **ret_url)
{
	_cleanup_json_ cJSON *json = json_parse_foreign(body, len);
	_cleanup_free_ char *host = NULL;
	const char *url = json_text(json, "token_endpoint");

	if (!url)
		return -EBADMSG;
	host = url_is_safe(url) ? url_host(url) : NULL;
	if (!host || string_empty(provider->endpoint_domain) ||
	    !host_within(host, provider->endpoint_domain))
		return -EPERM;
	*ret_url = xstrdup(url);
	return 0;
}
