// SPDX-License-Identifier: MIT
//
// The multimap: what was added is found, all of it, in order, and nothing else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/index.h"

static size_t count(const struct index *index, uint64_t hash)
{
	size_t n = 0;

	for_each_found (found, index, hash)
		n++;
	return n;
}

static void test_nothing(void **state)
{
	struct index index = {0};

	(void)state;
	assert_null(index_first(&index, hash_string("a")));
	index_free(&index);
}

// Many names, each several times, added in turns.
static void test_all_are_found_in_order(void **state)
{
	enum { NAMES = 3000, TIMES = 5 };
	struct index index = {0};

	(void)state;
	for (size_t i = 0; i < NAMES * TIMES; i++) {
		_cleanup_free_ char *name = xasprintf("name%zu", i % NAMES);
		index_add(&index, hash_string(name), i);
	}
	for (size_t i = 0; i < NAMES; i++) {
		_cleanup_free_ char *name = xasprintf("name%zu", i);
		size_t next = i;
		for_each_found (found, &index, hash_string(name)) {
			assert_int_equal(found->at, next);
			next += NAMES;
		}
		assert_int_equal(next, i + NAMES * TIMES);
	}
	assert_int_equal(count(&index, hash_string("name")), 0);
	index_free(&index);
}

// One name a hundred thousand times: a chain is not walked to be made longer.
static void test_one_name(void **state)
{
	struct index index = {0};

	(void)state;
	for (size_t i = 0; i < 100000; i++)
		index_add(&index, hash_string("same"), i);
	assert_int_equal(count(&index, hash_string("same")), 100000);
	index_free(&index);
}

// Hashes that a table of any size puts into one slot.
static void test_collisions(void **state)
{
	struct index index = {0};

	(void)state;
	for (uint64_t i = 0; i < 500; i++)
		index_add(&index, i << 40, i);
	for (uint64_t i = 0; i < 500; i++) {
		const struct index_entry *found = index_first(&index, i << 40);
		assert_non_null(found);
		assert_int_equal(found->at, i);
		assert_null(index_next(&index, found));
	}
	index_free(&index);
}

static void test_hashes(void **state)
{
	(void)state;
	assert_true(hash_string("a") == hash_string("a"));
	assert_true(hash_string("a") != hash_string("b"));
	assert_true(hash_strings("a", "b") != hash_strings("b", "a"));
	assert_true(hash_strings("ab", "") != hash_strings("a", "b"));
	assert_true(hash_string(NULL) == hash_string(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),	 cmocka_unit_test(test_all_are_found_in_order),
		cmocka_unit_test(test_one_name), cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
