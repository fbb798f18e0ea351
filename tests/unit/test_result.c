// SPDX-License-Identifier: MIT
//
// What a run says of an account that was begun anew at its end: that its token was refreshed is not lost, whatever came of the
// rest; nor is what a person should know.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keepalive/result.h"

static enum outcome outcome_after(enum outcome first, enum outcome second, const char *code)
{
	struct results results = {0};
	struct result *result = array_add(&results.list, &results.n);

	result->first = first;
	result_conclude(result, second, code, 0, code ? xstrdup("why") : NULL);
	results_finish(&results, NULL);
	enum outcome outcome = result->outcome;
	assert_int_equal(result->error_code[0] == '\0', outcome == first);
	results_free(&results);
	return outcome;
}

static void test_begun_anew(void **state)
{
	(void)state;
	assert_int_equal(outcome_after(OUTCOME_REFRESHED, OUTCOME_UNCHANGED, NULL),
			 OUTCOME_REFRESHED);
	assert_int_equal(outcome_after(OUTCOME_RECOVERED, OUTCOME_BUSY, "account_busy"),
			 OUTCOME_RECOVERED);
	assert_int_equal(outcome_after(OUTCOME_REFRESHED, OUTCOME_FAILED, "interrupted"),
			 OUTCOME_REFRESHED);
	assert_int_equal(outcome_after(OUTCOME_REFRESHED, OUTCOME_HELD, "cluster_beside"),
			 OUTCOME_HELD);
	assert_int_equal(outcome_after(OUTCOME_UNCHANGED, OUTCOME_FAILED, "interrupted"),
			 OUTCOME_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begun_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
