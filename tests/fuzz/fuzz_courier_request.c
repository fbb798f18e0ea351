// SPDX-License-Identifier: MIT
//
// A request of any bytes, as the courier takes it: refused, or bounded and free of whatever could
// make two lines, or two requests, of one.
#include <sys/mman.h>

#include "courier/request.h"
#include "fuzz.h"

static void check_line(const char *text)
{
	for (; text && *text; text++)
		fuzz_check((unsigned char)*text >= 0x20 && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("request", MFD_CLOEXEC);
	struct request request = {0};

	fuzz_check(fd >= 0 && write_full(fd, data, size) == 0);
	if (request_read(fd, &request) < 0) {
		fuzz_check(!request.url && !request.headers && !request.locks);
		return 0;
	}
	check_line(request.url);
	check_line(request.method);
	check_line(request.ca_file);
	check_line(request.proxy);
	for (size_t i = 0; i < request.n_headers; i++) {
		check_line(request.headers[i]);
		fuzz_check(strchr(request.headers[i], ':'));
	}
	for (size_t i = 0; i < request.n_locks; i++)
		fuzz_check(request.locks[i].path);
	fuzz_check(request.n_headers <= 32 && request.n_locks <= 1024);
	fuzz_check(request.deadline_ms > 0 && request.deadline_ms <= 60000);
	fuzz_check(request.connect_timeout_ms > 0 &&
		   request.connect_timeout_ms <= request.deadline_ms);
	request_free(&request);
	return 0;
}
