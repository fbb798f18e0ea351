// SPDX-License-Identifier: MIT
//
// Verdicts: how one is spoken, what its words are called, and memory.
#include <stdio.h>

#include "account/judge.h"

static const char *const decision_names[] = {
	[DECISION_NONE] = "none",     [DECISION_REFRESH] = "refresh", [DECISION_ADOPT] = "adopt",
	[DECISION_MIRROR] = "mirror", [DECISION_RECOVER] = "recover", [DECISION_HOLD] = "hold",
	[DECISION_LOGIN] = "login",   [DECISION_SKIP] = "skip",
};

static const char *const outcome_names[] = {
	[OUTCOME_UNCHANGED] = "unchanged",
	[OUTCOME_REFRESHED] = "refreshed",
	[OUTCOME_ADOPTED] = "adopted",
	[OUTCOME_MIRRORED] = "mirrored",
	[OUTCOME_RECOVERED] = "recovered",
	[OUTCOME_FAILED] = "failed",
	[OUTCOME_BUSY] = "busy",
	[OUTCOME_HELD] = "held",
	[OUTCOME_NEEDS_LOGIN] = "needs_login",
	[OUTCOME_SKIPPED] = "skipped",
	[OUTCOME_PLANNED] = "planned",
};

static const char *const copy_state_names[] = {
	[COPY_CURRENT] = "current",	[COPY_SUPERSEDED] = "superseded",
	[COPY_NEWER] = "newer",		[COPY_DIVERGED] = "diverged",
	[COPY_UNPROVEN] = "unproven",	[COPY_FOREIGN] = "foreign",
	[COPY_WITHHELD] = "withheld",	[COPY_PENDING] = "pending",
	[COPY_STATE_FENCED] = "fenced", [COPY_ENDED] = "ended",
	[COPY_RETIRED] = "retired",	[COPY_STATE_UNREADABLE] = "unreadable",
	[COPY_STATE_STATIC] = "static",
};

const char *decision_name(enum decision decision)
{
	return decision_names[decision];
}

const char *outcome_name(enum outcome outcome)
{
	return outcome_names[outcome];
}

const char *copy_state_name(enum copy_state state)
{
	return copy_state_names[state];
}

const char *choice_refused(enum choice_kind kind)
{
	return kind == CHOICE_RELEASE  ? "export_refused"
	       : kind == CHOICE_OWN    ? "own_refused"
	       : kind == CHOICE_IMPORT ? "import_refused"
				       : "adopt_refused";
}

void conclude(struct judgement *j, enum decision decision, enum outcome outcome, char *reason)
{
	struct verdict *v = j->verdict;

	v->decision = decision;
	v->outcome = outcome;
	free(v->reason);
	v->reason = reason;
}

void object(struct judgement *j, enum decision decision, enum outcome outcome, const char *code,
	    char *reason)
{
	conclude(j, decision, outcome, reason);
	snprintf(j->verdict->code, sizeof(j->verdict->code), "%s", code);
}

void displace(struct judgement *j, const struct credential *credential, const char *store,
	      const char *why)
{
	struct displaced *d = array_add(&j->verdict->displaced, &j->verdict->n_displaced);

	credential_copy(&d->credential, credential);
	d->store = xstrdup(store);
	d->why = why;
}

void displace_live_of(struct judgement *j, const struct account_record *r, const char *why)
{
	const struct generation *live = &r->live;
	struct credential c = {
		.provider = r->provider,
		.profile = r->profile,
		.access = live->access,
		.refresh = live->refresh,
		.id_token = live->id_token,
		.fingerprint = live->fingerprint,
		.expires_ms = live->expires_ms,
		.issued_ms = live->issued_ms,
		.identity = r->identity,
	};

	displace(j, &c, NULL, why);
}

void verdict_free(struct verdict *verdict)
{
	account_record_free(&verdict->record);
	free(verdict->copies);
	free(verdict->reason);
	for (size_t i = 0; i < verdict->n_displaced; i++) {
		credential_free(&verdict->displaced[i].credential);
		free(verdict->displaced[i].store);
	}
	free(verdict->displaced);
	free(verdict->take_back);
	free(verdict->settle);
	free(verdict->drop);
	free(verdict->close);
	*verdict = (struct verdict){0};
}
