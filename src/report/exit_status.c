// SPDX-License-Identifier: MIT
//
// The exit status: 3 a person, 1 may pass, 4 busy, 5 due (preview --check), 0.
#include "report/report.h"

bool report_problem_counts(const struct report *report, const struct problem *problem)
{
	if (!report->selected)
		return true;
	for (size_t i = 0; problem->profile && i < report->cycle->now.n_accounts; i++) {
		const struct account *a = report->cycle->now.accounts[i];
		if (string_equal(a->record.profile, problem->profile) &&
		    results_find(&report->cycle->results, a->record.key))
			return true;
	}
	return false;
}

int report_exit_status(const struct report *report)
{
	const struct cycle *cycle = report->cycle;
	bool person = false, failed = false, busy = false, due = false;

	for (size_t i = 0; i < cycle->results.n; i++) {
		const struct result *result = &cycle->results.list[i];
		person |= result->outcome == OUTCOME_HELD || result->outcome == OUTCOME_NEEDS_LOGIN;
		failed |= result->outcome == OUTCOME_FAILED || result->copies_pending;
		busy |= result->outcome == OUTCOME_BUSY;
		due |= result->outcome == OUTCOME_PLANNED;
	}
	for (size_t i = 0; i < cycle->now.problems.n; i++) {
		const struct problem *problem = &cycle->now.problems.list[i];
		bool counts = report_problem_counts(report, problem);
		person |= counts && problem->needs_person;
		busy |= counts && problem->passes;
	}
	return person		      ? STATUS_PERSON
	       : failed		      ? STATUS_FAILED
	       : busy		      ? STATUS_BUSY
	       : due && report->check ? STATUS_DUE
				      : STATUS_DONE;
}
