// SPDX-License-Identifier: MIT
//
// Grants: which accounts belong together, whose turn comes first, and how all that one holds is let go.
#include "keepalive/grant.h"

#include "base/clock.h"

static bool grant_has(const struct grant *g, const char *key)
{
	for (size_t i = 0; i < g->n_keys; i++)
		if (string_equal(g->keys[i], key))
			return true;
	return false;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

// Grows while it is walked: whoever is connected to one that joined joins, too.
bool grant_complete(struct grant *g, const struct observation *o)
{
	size_t before = g->n_keys;

	for (size_t i = 0; i < g->n_keys; i++) {
		const struct account *a = observation_account(o, g->keys[i]);
		size_t n = 0;
		_cleanup_free_ struct account **others = a ? observation_connected(o, a, &n) : NULL;
		for (size_t k = 0; k < n; k++) {
			const char *key = others[k]->record.key;
			if (key[0] && !others[k]->skip && !grant_has(g, key))
				*array_add(&g->keys, &g->n_keys) = xstrdup(key);
		}
	}
	// Sorted: two runs take the locks of the same accounts in the same order. Not while locks are held beside them.
	if (g->n_keys != before && !g->account_locks)
		qsort(g->keys, g->n_keys, sizeof(*g->keys), compare_keys);
	return g->n_keys == before;
}

void grant_follow(struct grant *g, const struct observation *o)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		for_each_found (found, &o->ties, hash_string(g->keys[i])) {
			const struct account *a = o->accounts[found->at];
			if (string_equal(a->renamed_from, g->keys[i]) &&
			    !grant_has(g, a->record.key))
				*array_add(&g->keys, &g->n_keys) = xstrdup(a->record.key);
		}
	}
}

struct account *grant_sender(const struct grant *g, const struct observation *o)
{
	struct account *a;

	for_each_account (a, g, o)
		if (a->verdict.send && !g->refusal[0] &&
		    (fingerprint_empty(g->only) ||
		     fingerprint_equal(a->verdict.record.live.fingerprint, g->only)))
			return a;
	return NULL;
}

static struct part *part_of(struct grant *g, struct fingerprint token)
{
	for (size_t i = 0; i < g->n_parts; i++)
		if (fingerprint_equal(g->parts[i].token, token))
			return &g->parts[i];
	struct part *part = array_add(&g->parts, &g->n_parts);
	part->token = token;
	return part;
}

// Its lock goes with it: whoever takes it next may do so at once.
static void leave(struct grant *g, size_t i, struct fingerprint token)
{
	struct part *part = part_of(g, token);

	*array_add(&part->keys, &part->n_keys) = g->keys[i];
	g->n_keys--;
	memmove(&g->keys[i], &g->keys[i + 1], (g->n_keys - i) * sizeof(*g->keys));
	if (i >= g->n_account_locks)
		return;
	cleanup_close(&g->account_locks[i]);
	g->n_account_locks--;
	memmove(&g->account_locks[i], &g->account_locks[i + 1],
		(g->n_account_locks - i) * sizeof(*g->account_locks));
}

void grant_keep_to(struct grant *g, const struct observation *o, const struct account *sender)
{
	const struct fingerprint token = sender->verdict.record.live.fingerprint;

	for (size_t i = g->n_keys; i > 0; i--) {
		const struct account *a = observation_account(o, g->keys[i - 1]);
		if (!a || !a->verdict.send ||
		    fingerprint_equal(a->verdict.record.live.fingerprint, token))
			continue;
		leave(g, i - 1, a->verdict.record.live.fingerprint);
		g->only = token;
	}
}

// An answer that waits to be saved goes first: what guards it ends with its courier's patience.
static int64_t urgency_of(const struct account *a)
{
	return a->verdict.decision == DECISION_RECOVER ? 0 : a->verdict.record.live.expires_ms;
}

static int compare_urgency(const void *a, const void *b)
{
	const struct grant *x = a, *y = b;

	if (x->urgency != y->urgency)
		return x->urgency < y->urgency ? -1 : 1;
	return x->id < y->id ? -1 : 1;
}

static struct grant *grant_new(struct grants *grants)
{
	struct grant *g = array_add(&grants->list, &grants->n);

	g->id = (uint32_t)grants->n;
	g->discovery_fd = g->receipt_fd = -1;
	g->urgency = INT64_MAX;
	return g;
}

static struct grant *grant_add(struct grants *grants, const struct observation *o,
			       const struct account *first)
{
	struct grant *g = grant_new(grants);
	const struct account *a;

	*array_add(&g->keys, &g->n_keys) = xstrdup(first->record.key);
	grant_complete(g, o);
	for_each_account (a, g, o)
		if (urgency_of(a) < g->urgency)
			g->urgency = urgency_of(a);
	return g;
}

void grants_part(struct grants *grants)
{
	for (size_t i = 0; i < grants->n; i++) {
		while (grants->list[i].n_parts) {
			struct part part = grants->list[i].parts[--grants->list[i].n_parts];
			struct grant *g = grant_new(grants);
			g->only = part.token;
			g->keys = part.keys;
			g->n_keys = part.n_keys;
		}
	}
}

static bool is_taken(const struct grants *grants, const struct index *by_key, const char *key)
{
	for_each_found (found, by_key, hash_string(key))
		if (grant_has(&grants->list[found->at], key))
			return true;
	return false;
}

void grants_collect(struct grants *grants, const struct observation *o,
		    bool (*has_work)(const struct result *, const struct account *))
{
	_cleanup_index_ struct index by_key = {0};

	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		const struct result *result = results_find(grants->results, a->record.key);
		if (!result || !has_work(result, a) || is_taken(grants, &by_key, a->record.key))
			continue;
		const struct grant *g = grant_add(grants, o, a);
		for (size_t k = 0; k < g->n_keys; k++)
			index_add(&by_key, hash_string(g->keys[k]), grants->n - 1);
	}
	if (grants->n > 1)
		qsort(grants->list, grants->n, sizeof(*grants->list), compare_urgency);
}

bool grant_is_written(const struct grant *g, const struct observation *o)
{
	const struct account *a;

	for_each_account (a, g, o)
		if (account_has_writes(a))
			return false;
	return true;
}

static void note_lock_age(struct grants *grants, const struct grant *g)
{
	int64_t age_ms = g->locked_ms ? clock_boot_ms() - g->locked_ms : 0;

	if (age_ms > grants->oldest_lock_ms)
		grants->oldest_lock_ms = age_ms;
}

void grant_release(struct grants *grants, struct grant *g)
{
	note_lock_age(grants, g);
	g->locked_ms = g->hold_until_ms = 0;
	if (g->guards)
		lock_set_leave(&g->locks);
	lock_set_free(&g->locks);
	for (size_t i = 0; i < g->n_account_locks; i++)
		cleanup_close(&g->account_locks[i]);
	free(TAKE_PTR(g->account_locks));
	g->n_account_locks = 0;
	cleanup_close(&g->receipt_fd);
	cleanup_close(&g->discovery_fd);
	g->token = (struct fingerprint){0};
	g->stage = GRANT_DONE;
	qsort(g->keys, g->n_keys, sizeof(*g->keys), compare_keys);
}

void grant_conclude(struct grants *grants, struct grant *g, enum outcome outcome, const char *code,
		    char *message)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		struct result *result = results_find(grants->results, g->keys[i]);
		if (result)
			result_conclude(result, outcome, code, 0, xstrdup(message));
	}
	free(message);
	grant_release(grants, g);
}

void grant_give_up(struct grants *grants, struct grant *g, const char *code, int error,
		   const char *what)
{
	grant_conclude(grants, g, OUTCOME_FAILED, code,
		       xasprintf("%s: %s", what, error_text(error)));
}

void grants_free(struct grants *grants)
{
	struct grant *g;

	for_each_grant (g, grants) {
		grant_release(grants, g);
		for (size_t k = 0; k < g->n_keys; k++)
			free(g->keys[k]);
		free(g->keys);
		free(g->parts);
		free(g->ids);
		free(g->busy_path);
		free(g->endpoint);
		free(g->said);
	}
	free(TAKE_PTR(grants->list));
	grants->n = 0;
}
