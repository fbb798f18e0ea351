// SPDX-License-Identifier: MIT
//
// The little we need to know about a URL before a token goes there. Parsed by hand and strictly:
// whatever two parsers could read differently (user info, backslashes, fragments, odd numbers for
// addresses, a trailing dot) is refused, so that libcurl cannot end up at another host than the one
// that was checked.
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "provider/provider.h"

#define URL_MAX	 2048
#define HOST_MAX 253

struct url {
	bool https;
	bool bracketed; // an IPv6 address
	const char *host;
	size_t host_len;
};

static bool is_plain(const char *url)
{
	size_t n = 0;

	for (; url[n]; n++)
		if (url[n] <= ' ' || url[n] >= 0x7f || strchr("\\\"<>^`{|}#", url[n]) ||
		    n >= URL_MAX)
			return false;
	return n > 0;
}

// Labels of letters, digits, "-" and "_", none of them empty.
static bool host_is_name(const char *host, size_t len)
{
	if (len == 0 || len > HOST_MAX || host[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (host[i] == '.' && (i == 0 || host[i - 1] == '.'))
			return false;
		if (!isalnum((unsigned char)host[i]) && !strchr(".-_", host[i]))
			return false;
	}
	return true;
}

static bool host_is_ipv6(const char *host, size_t len)
{
	char text[INET6_ADDRSTRLEN] = {0};
	struct in6_addr address;

	if (len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	return inet_pton(AF_INET6, text, &address) == 1;
}

static bool port_is_valid(const char *port, size_t len)
{
	int n = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)port[i]))
			return false;
		n = n * 10 + port[i] - '0';
	}
	return n >= 1 && n <= 65535;
}

static int url_parse(const char *text, struct url *ret)
{
	struct url url = {0};
	const char *end, *rest;

	if (!text || !is_plain(text))
		return -EINVAL;
	url.https = strncasecmp(text, "https://", 8) == 0;
	if (!url.https && strncasecmp(text, "http://", 7) != 0)
		return -EINVAL;
	url.host = text + (url.https ? 8 : 7);
	end = url.host + strcspn(url.host, "/?");

	url.bracketed = *url.host == '[';
	if (url.bracketed) {
		url.host++;
		rest = memchr(url.host, ']', (size_t)(end - url.host));
		if (!rest || !host_is_ipv6(url.host, (size_t)(rest - url.host)))
			return -EINVAL;
		url.host_len = (size_t)(rest++ - url.host);
	} else {
		rest = memchr(url.host, ':', (size_t)(end - url.host));
		if (!rest)
			rest = end;
		url.host_len = (size_t)(rest - url.host);
		if (!host_is_name(url.host, url.host_len))
			return -EINVAL;
	}
	if (rest != end && (*rest != ':' || !port_is_valid(rest + 1, (size_t)(end - rest - 1))))
		return -EINVAL;
	*ret = url;
	return 0;
}

// 127.0.0.0/8 as four decimal numbers (inet_pton takes no other form and no leading zeros), [::1],
// localhost.
static bool is_loopback(const char *host, bool bracketed)
{
	struct in_addr address;

	if (bracketed)
		return string_equal(host, "::1");
	if (string_equal(host, "localhost"))
		return true;
	return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

char *url_host(const char *url)
{
	struct url parsed;
	char *host;

	if (url_parse(url, &parsed) < 0)
		return NULL;
	host = xstrndup(parsed.host, parsed.host_len);
	for (char *p = host; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return host;
}

bool url_is_safe(const char *url)
{
	_cleanup_free_ char *host = NULL;
	struct url parsed;

	if (url_parse(url, &parsed) < 0)
		return false;
	if (parsed.https)
		return true;
	host = url_host(url);
	return is_loopback(host, parsed.bracketed);
}
