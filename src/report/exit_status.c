// SPDX-License-Identifier: MIT
//
// The exit status: 3 a person, 1 may pass, 4 busy, 5 due (preview --check), 0. Of doctor: 3 an error, 1 a warning, 0.
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

static bool holds_selected(const struct report *report, const char *store)
{
	for (size_t i = 0; i < report->cycle->now.n_accounts; i++) {
		const struct account *a = report->cycle->now.accounts[i];
		bool there = string_equal(a->record.main_store, store);
		for (size_t k = 0; k < a->n_members; k++)
			there |= string_equal(a->members[k].store->path, store);
		if (there && results_find(&report->cycle->results, a->record.key))
			return true;
	}
	return false;
}

bool report_problem_is_shown(const struct report *report, const struct problem *problem)
{
	const struct stores *stores = &report->cycle->now.stores;

	if (!report->selected || report_problem_counts(report, problem))
		return true;
	if (problem->profile)
		return false;
	for (size_t i = 0; i < stores->n; i++)
		if (string_equal(stores->list[i].path, problem->store))
			return stores->list[i].state != STORE_OK || // who knows
			       holds_selected(report, problem->store);
	return true; // the ledger, the locks, the clock: everybody's
}

static int grade(const struct report *report)
{
	enum severity worst = SEVERITY_INFO;

	for (size_t i = 0; i < report->cycle->now.problems.n; i++) {
		const struct problem *problem = &report->cycle->now.problems.list[i];
		if (report_problem_is_shown(report, problem) && problem->severity > worst)
			worst = problem->severity;
	}
	return worst == SEVERITY_ERROR	   ? STATUS_PERSON
	       : worst == SEVERITY_WARNING ? STATUS_FAILED
					   : STATUS_DONE;
}

int report_exit_status(const struct report *report)
{
	if (report->doctor)
		return grade(report);
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
