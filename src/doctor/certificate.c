// SPDX-License-Identifier: MIT
//
// See certificate.h.
#include "doctor/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"

#define FILE_MAX (1u << 20)
#define BEGIN	 "-----BEGIN CERTIFICATE-----"
#define END	 "-----END CERTIFICATE-----"

enum { DER_SEQUENCE = 0x30, DER_VERSION = 0xa0, DER_UTC_TIME = 0x17, DER_TIME = 0x18 };

// What is left of a value, and the next element in it.
struct der {
	const unsigned char *at;
	size_t left;
};

// Lengths of more than three bytes are longer than any file we read; of none, they are not DER.
static bool read_length(struct der *der, size_t *ret)
{
	size_t bytes, length = 0;

	if (!der->left || der->at[0] == 0x80)
		return false;
	bytes = der->at[0] & 0x80 ? der->at[0] & 0x7f : 0;
	if (bytes > 3 || der->left <= bytes)
		return false;
	length = bytes ? 0 : der->at[0];
	for (size_t i = 1; i <= bytes; i++)
		length = length << 8 | der->at[i];
	der->at += 1 + bytes;
	der->left -= 1 + bytes;
	*ret = length;
	return length <= der->left;
}

static bool next(struct der *der, int *ret_tag, struct der *ret)
{
	size_t length;

	if (der->left < 2)
		return false;
	*ret_tag = der->at[0];
	der->at++;
	der->left--;
	if (!read_length(der, &length))
		return false;
	*ret = (struct der){der->at, length};
	der->at += length;
	der->left -= length;
	return true;
}

static bool enter(struct der *der, struct der *ret)
{
	int tag;

	return next(der, &tag, ret) && tag == DER_SEQUENCE;
}

// Two digits of the year, from 1950 on, or four; always UTC, and with seconds.
static int read_time(int tag, const struct der *value, int64_t *ret_ms)
{
	size_t digits = tag == DER_TIME ? 14 : 12;
	char text[20] = "";
	struct tm tm = {0};

	if ((tag != DER_TIME && tag != DER_UTC_TIME) || value->left != digits + 1 ||
	    value->at[digits] != 'Z')
		return -EBADMSG;
	if (tag == DER_UTC_TIME)
		snprintf(text, sizeof(text), "%s", value->at[0] < '5' ? "20" : "19");
	memcpy(text + strlen(text), value->at, digits);
	const char *end = strptime(text, "%Y%m%d%H%M%S", &tm);
	if (!end || *end)
		return -EBADMSG;
	*ret_ms = (int64_t)timegm(&tm) * SECOND_MS;
	return 0;
}

int certificate_parse(const unsigned char *der, size_t len, int64_t *ret_ms)
{
	struct der all = {der, len}, certificate, signed_part, skipped, validity, end;
	int tag;

	if (!enter(&all, &certificate) || !enter(&certificate, &signed_part) ||
	    !next(&signed_part, &tag, &skipped) ||
	    (tag == DER_VERSION && !next(&signed_part, &tag, &skipped)) || // the serial number
	    !enter(&signed_part, &skipped) ||				   // how it is signed
	    !enter(&signed_part, &skipped) ||				   // by whom
	    !enter(&signed_part, &validity) || !next(&validity, &tag, &skipped) ||
	    !next(&validity, &tag, &end))
		return -EBADMSG;
	return read_time(tag, &end, ret_ms);
}

static int parse_pem(const char *text, size_t len, int64_t *ret_ms)
{
	_cleanup_free_ unsigned char *der = xcalloc(len + 1, 1);
	size_t n;

	if (sodium_base642bin(der, len, text, len, "\r\n \t", &n, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		return -EBADMSG;
	return certificate_parse(der, n, ret_ms);
}

int certificate_end(const char *path, bool last, int64_t *ret_ms)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_secret_ struct secret text = {0};
	int r = fd < 0 ? -errno : secret_read(fd, FILE_MAX, &text);
	const char *at = text.text, *end;
	bool found = false;

	if (r < 0)
		return r;
	while (at && (at = strstr(at, BEGIN)) && (end = strstr(at += strlen(BEGIN), END)) &&
	       (last || !found)) {
		int64_t ms;
		if (parse_pem(at, (size_t)(end - at), &ms) == 0) {
			*ret_ms = found && *ret_ms > ms ? *ret_ms : ms;
			found = true;
		}
		at = end;
	}
	return found ? 0 : -EBADMSG;
}
