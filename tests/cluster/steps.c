// SPDX-License-Identifier: MIT
//
// steps CONFIG ROUNDS: what a refresh asks of etcd, by the code that asks it, without the refresh: lock and read, intent, commit,
// unlock. A line for each: median µs; the last is of all four together. For tests/bench/cluster.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "cluster/claims.h"
#include "cluster/cluster.h"
#include "cluster/publish.h"

#define UUID "00000000-0000-4000-8000-000000000000"

enum step { LOCK, INTEND, PUBLISH, UNLOCK, ALL, STEPS };
static const char *const names[STEPS] = {"lock", "intent", "commit", "unlock", "all"};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void end_if(bool wrong, const char *what, const struct cluster *c)
{
	if (!wrong)
		return;
	fprintf(stderr, "steps: %s: %s\n", what, c && c->trouble ? c->trouble : "failed");
	exit(1);
}

// A store's worth: an access token of 2 KiB.
static void set_live(struct account_record *record, int n)
{
	char refresh[64], access[2048];

	snprintf(refresh, sizeof(refresh), "FAKE-REFRESH-OF-ROUND-%d", n);
	snprintf(access, sizeof(access), "FAKE-ACCESS-%d-", n);
	memset(access + strlen(access), 'x', sizeof(access) - strlen(access) - 1);
	access[sizeof(access) - 1] = '\0';
	secret_set_string(&record->live.refresh, refresh);
	secret_set_string(&record->live.access, access);
	record->live.fingerprint = fingerprint_of(&record->live.refresh);
	record->live.expires_ms = clock_wall_ms() + 6 * HOUR_S * SECOND_MS;
}

static void one_round(struct cluster *c, struct account_record *record, int n, int64_t us[STEPS])
{
	char ids[1][33], *host = NULL, receipt[33] = "0123456789abcdef0123456789abcdef";
	struct cluster_sending sending = {.ids = ids,
					  .n = 1,
					  .token = record->live.fingerprint,
					  .sends = 1,
					  .receipt = receipt};
	int64_t at[STEPS], until_ms;
	int r;

	sending.hold_s = CLUSTER_HOLD_LEAST_S;
	cluster_account_id(c, record, ids[0]);
	at[LOCK] = now_us();
	r = cluster_lock(c, ids, 1, sending.token, &host);
	at[INTEND] = now_us();
	end_if(r < 0, "lock", c);
	r = cluster_intend(c, &sending, &until_ms);
	at[PUBLISH] = now_us();
	end_if(r < 0, "intent", c);
	set_live(record, n);
	const struct cluster_account *there = cluster_account(c, ids[0]);
	r = cluster_publish(c, ids[0], record, there ? there->revision : 0, false);
	at[UNLOCK] = now_us();
	end_if(r < 0, "commit", c);
	cluster_unlock(c);
	at[ALL] = now_us();
	for (enum step s = LOCK; s < ALL; s++)
		us[s] = at[s + 1] - at[s];
	us[ALL] = at[ALL] - at[LOCK];
}

static int compare(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	const int rounds = argc > 2 ? atoi(argv[2]) : 0;
	struct account_record record = {.provider = xstrdup("xai"),
					.profile = xstrdup("xai:bench")};
	struct config config = {0};
	struct cluster cluster;
	char *error = NULL;

	end_if(rounds < 1 || config_load(argv[1], &config, &error) < 0,
	       error ? error : "usage: steps CONFIG ROUNDS", NULL);
	int64_t *us[STEPS];
	for (enum step s = 0; s < STEPS; s++)
		us[s] = xcalloc((size_t)rounds, sizeof(**us));
	cluster_open(&config, UUID, true, &cluster);
	end_if(!cluster.reached, "etcd", &cluster);
	set_live(&record, -1);
	for (int n = 0; n < rounds; n++) {
		int64_t round[STEPS];
		one_round(&cluster, &record, n, round);
		for (enum step s = 0; s < STEPS; s++)
			us[s][n] = round[s];
	}
	for (enum step s = 0; s < STEPS; s++) {
		qsort(us[s], (size_t)rounds, sizeof(**us), compare);
		printf("%s %lld\n", names[s], (long long)us[s][rounds / 2]);
	}
	cluster_close(&cluster);
	return 0;
}
