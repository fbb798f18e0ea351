// SPDX-License-Identifier: MIT
//
// An account record of any bytes: it holds its account as unreadable, or it is whole, and then
// saving it and reading it again yields the same.
#include "fuzz.h"
#include "ledger/ledger.h"

#define KEY "00112233445566778899aabbccddeeff"

static void make_ledger(struct ledger *ledger)
{
	char *message = NULL, *fix = NULL;
	_cleanup_free_ char *directory = path_join(fuzz_directory(), "ledger");

	fuzz_check(ledger_open(directory, ledger, &message, &fix) == 0);
	fuzz_check(ledger_create(ledger) == 0);
}

static void read_one(struct ledger *ledger, struct account_records *ret)
{
	struct problems problems = {0};

	fuzz_check(account_records_read(ledger, ret, &problems) == 0);
	fuzz_check(ret->n == 1 && string_equal(ret->list[0].key, KEY));
	fuzz_check(ret->list[0].unreadable == (problems.n == 1));
	problems_free(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ledger ledger;
	struct account_records records = {0}, again = {0};

	if (!ledger.directory)
		make_ledger(&ledger);
	_cleanup_free_ char *path = xasprintf("%s/accounts/" KEY ".json", ledger.directory);
	fuzz_write(path, data, size);
	read_one(&ledger, &records);
	struct account_record *record = &records.list[0];
	if (!record->unreadable) {
		struct fingerprint own = fingerprint_of(&record->live.refresh);

		fuzz_check(fingerprint_empty(own) ||
			   fingerprint_equal(own, record->live.fingerprint));
		fuzz_check(account_record_save(&ledger, record, record->updated_ms) == 0);
		_cleanup_secret_ struct secret first = fuzz_read(path), second = {0};
		read_one(&ledger, &again);
		fuzz_check(!again.list[0].unreadable);
		fuzz_check(again.list[0].n_superseded == record->n_superseded);
		fuzz_check(account_record_save(&ledger, &again.list[0], record->updated_ms) == 0);
		second = fuzz_read(path);
		fuzz_check(secret_equal(&first, &second));
	}
	account_records_free(&records);
	account_records_free(&again);
	return 0;
}
