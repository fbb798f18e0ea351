// SPDX-License-Identifier: MIT
//
// watch: with a cluster, follow what the other hosts commit, and make an ordinary run as soon as there is something new.
//
// What etcd's watch says is a bell, and no more: what has changed, the run reads for itself, under its locks, as the timer's
// run does. So nothing that comes by that way is believed, and what was missed (no connection, a revision that is not kept
// any more, an older snapshot) is found by one question: which was the last change?
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "cluster/etcd.h"
#include "command/command.h"

#define WAIT_MS	       (60 * SECOND_MS) // a member that has lost its quorum stays silent
#define WAIT_LEAST_MS  SECOND_MS	// to connect takes a moment, and less would count as lost
#define PAUSE_FIRST_MS 200
#define PAUSE_MOST_MS  (60 * SECOND_MS)
#define RETRIES	       6 // of a run that failed or was busy, after 1 s, 2 s, 4 s …; then it is the timer's

struct watch {
	const struct invocation *invocation;
	struct etcd etcd;
	char *accounts;	  // their prefix
	int signals;	  // those that end it can be read here
	int64_t seen;	  // the last change that a run has looked at; -1: none yet
	int64_t pause_ms; // before the next attempt; 0
	int retries;	  // so far
	int64_t retry_ms; // when; 0
	bool lost;	  // … the cluster, and that was said
};

static bool is_ended(const struct watch *w)
{
	struct pollfd polled = {.fd = w->signals, .events = POLLIN};

	return poll(&polled, 1, 0) > 0;
}

static void pause_longer(struct watch *w)
{
	struct pollfd polled = {.fd = w->signals, .events = POLLIN};

	w->pause_ms = w->pause_ms ? w->pause_ms * 2 : PAUSE_FIRST_MS;
	if (w->pause_ms > PAUSE_MOST_MS)
		w->pause_ms = PAUSE_MOST_MS;
	poll(&polled, 1, (int)w->pause_ms);
}

// ---- the run

static void plan_retry(struct watch *w, int status)
{
	bool again = (status == STATUS_FAILED || status == STATUS_BUSY) && w->retries < RETRIES;

	w->retry_ms = again ? clock_boot_ms() + (SECOND_MS << w->retries) : 0;
	w->retries = again ? w->retries + 1 : 0;
}

// A courier may end a moment after the run that started it (courier_stop), and here no process follows that reaps it. Nobody
// waits for another child of ours between two runs.
static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

// The very same as the timer's. What it reads is at least what we have seen.
static int run(struct watch *w, int64_t changed)
{
	bool first = w->seen < 0;
	int status;

	if (changed != w->seen)
		w->retries = 0;
	w->seen = changed;
	status = command_refresh(w->invocation);
	fflush(stdout);
	reap();
	plan_retry(w, status);
	// A configuration may be half written just now: only who begins with a bad one is told by our end.
	return status == STATUS_USAGE && !first ? STATUS_FAILED : status;
}

static bool is_due(const struct watch *w, int64_t changed)
{
	return changed != w->seen || (w->retry_ms && clock_boot_ms() >= w->retry_ms);
}

// ---- following

static void say_lost(struct watch *w, bool lost)
{
	if (lost && !w->lost)
		log_warning("the cluster cannot be watched; it is tried again, and the timer goes "
			    "on meanwhile: %s",
			    w->etcd.trouble ? w->etcd.trouble : "no endpoint answers");
	if (!lost && w->lost)
		log_info("the cluster is watched again");
	w->lost = lost;
}

static int64_t wait_ms(const struct watch *w)
{
	int64_t left_ms = w->retry_ms - clock_boot_ms();

	if (!w->retry_ms || left_ms > WAIT_MS)
		return WAIT_MS;
	return left_ms > WAIT_LEAST_MS ? left_ms : WAIT_LEAST_MS;
}

// One question, one run if there is something new, and then until there may be again. STATUS_USAGE ends it.
static int follow_once(struct watch *w)
{
	int64_t changed = 0, now = 0, began_ms;
	int r = etcd_last_change(&w->etcd, w->accounts, &changed, &now), status = 0;
	bool ran = r == 0 && is_due(w, changed);

	if (ran)
		status = run(w, changed);
	if (status == STATUS_USAGE || is_ended(w))
		return status;
	began_ms = clock_boot_ms();
	if (r == 0)
		r = etcd_wait(&w->etcd, w->accounts, now, wait_ms(w), w->signals);
	if (r == -ECANCELED)
		return status;
	say_lost(w, r < 0);
	if (ran || clock_boot_ms() - began_ms > SECOND_MS)
		w->pause_ms = 0;
	if (r < 0 || !(ran || clock_boot_ms() - began_ms > SECOND_MS))
		pause_longer(w);
	return status;
}

// ---- the process

// They wait while a run is at work, which does what it has begun.
static int open_signals(void)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
	sigset_t set = signals_heeded(signals, ARRAY_SIZE(signals));

	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int watch_cluster(struct watch *w)
{
	int status = STATUS_DONE;

	if (w->signals < 0) {
		log_error("signals cannot be read: %s", strerror(errno));
		return STATUS_FAILED;
	}
	while (status != STATUS_USAGE && !is_ended(w))
		status = follow_once(w);
	return status == STATUS_USAGE ? status : STATUS_DONE;
}

int command_watch(const struct invocation *invocation)
{
	static const struct command refresh = {.name = "refresh"};
	_cleanup_session_ struct session session = {0};
	struct invocation each = *invocation;
	int status = session_open(invocation, &session);

	if (status)
		return status;
	if (!session.config.cluster.n_endpoints) {
		log_error("watch: there is no cluster to watch; name one in the configuration "
			  "(`cluster`), or leave it to the timer");
		return STATUS_USAGE;
	}
	each.command = &refresh;
	each.quiet = !invocation->verbose;
	setenv("OAUTH_KEEPALIVE_RUN", "watch", 1);
	unsetenv("TRIGGER_UNIT");
	struct watch w = {.invocation = &each, .etcd = ETCD_NONE, .seen = -1};
	w.etcd.config = &session.config;
	w.accounts = xasprintf("%saccounts/", session.config.cluster.prefix);
	w.signals = open_signals();
	status = watch_cluster(&w);
	etcd_stop(&w.etcd);
	cleanup_close(&w.signals);
	free(w.accounts);
	return status;
}
