// SPDX-License-Identifier: MIT
//
// Whose a login is to refresh, of several hosts: by its own record, or by another name's.
#include "account/judge.h"

// Its own record says so, or that of another name of this login, which heard of a later hand-over or of the same. NULL: ours.
const struct custody *elsewhere(const struct judgement *j)
{
	const struct account *a = j->account;
	const struct account_record *r = &j->verdict->record;

	if (r->custody.ownership != OWNERSHIP_OURS)
		return &r->custody;
	for (size_t i = 0; i < a->n_unowned; i++) {
		const struct account_record *other = a->unowned[i];
		if (!string_equal(other->key, a->record.key) &&
		    other->custody.term >= r->custody.term &&
		    provider_same_family(config_provider(j->config, other->provider),
					 a->provider) &&
		    record_knows(other, r->live.fingerprint))
			return &other->custody;
	}
	return NULL;
}

struct custody custody_of(const struct judgement *j)
{
	const struct custody *theirs = elsewhere(j);

	return theirs ? *theirs : j->verdict->record.custody;
}

void set_custody(struct judgement *j, const struct custody *to)
{
	struct custody *is = &j->verdict->record.custody;
	bool moves = is->ownership != to->ownership || is->term != to->term ||
		     !string_equal(is->ledger, to->ledger);

	if (!moves && is->heard_ms == to->heard_ms)
		return;
	int64_t since_ms = moves ? j->policy->now_ms : is->since_ms;
	*is = *to;
	is->since_ms = since_ms;
	j->verdict->record_changed = true;
}

void own_what_is_new(struct judgement *j)
{
	struct custody ours = j->verdict->record.custody;

	if (ours.ownership == OWNERSHIP_OURS)
		return;
	ours.ownership = OWNERSHIP_OURS;
	ours.nonce[0] = '\0';
	set_custody(j, &ours);
}

const char *custody_objection(const struct custody *custody)
{
	return custody->ownership == OWNERSHIP_OURS ? NULL
	       : custody->ownership == OWNERSHIP_FOLLOWS
		       ? "this host follows another one, whose login it is to give away"
		       : "it was released before; where no host has imported it, `oauth-keepalive "
			 "own` takes it back";
}
