// SPDX-License-Identifier: MIT
//
// Signals that are held back more than once in a run, since an account was begun anew, are let go once, as they were before.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keepalive/signals.h"

static bool is_held(int number)
{
	sigset_t now;

	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &now), 0);
	return sigismember(&now, number);
}

static void test_held_twice(void **state)
{
	struct signals signals = SIGNALS_NONE;

	(void)state;
	assert_false(is_held(SIGTERM));
	for (int loop = 0; loop < 2; loop++) {
		signals_hold(&signals);
		assert_true(is_held(SIGTERM) && is_held(SIGTSTP));
		assert_false(signals_came(&signals));
		signals_unread(&signals);
		assert_true(is_held(SIGTERM));
	}
	signals_let_go(&signals);
	assert_false(is_held(SIGTERM) || is_held(SIGTSTP));
}

// What came between two loops is heard in the second.
static void test_came_between(void **state)
{
	struct signals signals = SIGNALS_NONE;

	(void)state;
	signals_hold(&signals);
	signals_unread(&signals);
	raise(SIGTERM);
	signals_hold(&signals);
	assert_true(signals_came(&signals));
	assert_int_equal(signals.came, SIGTERM);
	signals_unread(&signals);
	signals.came = 0; // we do not die of it
	signals_let_go(&signals);
	assert_false(is_held(SIGTERM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_twice),
		cmocka_unit_test(test_came_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
