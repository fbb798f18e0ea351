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
	const struct copy_verdict *v = verdict_of(account, member);

	if (!report->dry_run || !result || v->fixed || member->store->obstacle ||
	    (member->copy->kind != COPY_OAUTH && member->copy->kind != COPY_FENCED &&
	     member->copy->kind != COPY_ACCESS))
		return false;
	return v->write || (account->verdict.send && v->state != COPY_DIVERGED);
}

enum copy_state report_copy_state(const struct report *report, const struct account *account,
				  const struct result *result, const struct member *member)
{
	const struct copy_verdict *v = verdict_of(account, member);

	// A copy that is still behind after a run that writes is left to write.
	if (!report->dry_run && result && result->copies_pending && v->write)
		return COPY_PENDING;
	return v->state;
}

struct process_id report_lock_holder(const struct report *report, const struct account *account)
{
	struct lock_set set = LOCK_SET_NONE;
	struct process_id holder = {0};

	(void)report;
	account_add_refresh_locks(account, &set);
	for (size_t i = 0; i < set.n; i++)
		if (lock_file_holder(set.files[i].path, &holder) == 0)
			break;
	lock_set_free(&set);
	return holder;
}
