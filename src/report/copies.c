// SPDX-License-Identifier: MIT
//
// What is said of one copy, the same in text and JSON.
#include "lock/lock.h"
#include "report/report.h"

bool report_copy_written(const struct result *result, const struct member *member)
{
	for (size_t i = 0; result && i < result->n_written; i++)
		if (string_equal(result->written[i], member->store->path))
			return true;
	return false;
}

bool report_copy_planned(const struct report *report, const struct account *account,
			 const struct result *result, const struct member *member)
{
	if (!report->dry_run || !result || member->fixed ||
	    (member->copy->kind != COPY_OAUTH && member->copy->kind != COPY_FENCED))
		return false;
	return member->write || (account->send && member->state != COPY_DIVERGED);
}

enum copy_state report_copy_state(const struct report *report, const struct account *account,
				  const struct result *result, const struct member *member)
{
	(void)account;
	// A copy that is still behind after a run that writes is left to write.
	if (!report->dry_run && result && result->copies_pending && member->write)
		return COPY_PENDING;
	return member->state;
}

struct process_id report_lock_holder(const struct report *report, const struct account *account)
{
	const char *state_dir = report->cycle->now.stores.state_dir;
	_cleanup_free_ char *sha256 =
		lock_name_sha256(account->record.provider, account->record.profile);
	_cleanup_free_ char *fnv = lock_name_fnv(account->record.provider, account->record.profile);
	const char *names[] = {sha256, fnv};

	for (size_t i = 0; state_dir && i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path =
			xasprintf("%s/locks/oauth-refresh/%s.lock", state_dir, names[i]);
		struct process_id holder;
		if (lock_file_holder(path, &holder) == 0)
			return holder;
	}
	return (struct process_id){0};
}
