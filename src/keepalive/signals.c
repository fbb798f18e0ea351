// SPDX-License-Identifier: MIT
//
// See signals.h.
#include "keepalive/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "base/process.h"

void signals_hold(struct signals *signals)
{
	static const int held[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP};
	sigset_t set = signals_heeded(held, ARRAY_SIZE(held));

	// Held once more, for an account that is begun anew, it is still the first mask that is put back.
	sigprocmask(SIG_BLOCK, &set, signals->held ? NULL : &signals->before);
	signals->held = true;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigdelset(&set, SIGTSTP); // stopping waits, it does not end the run
	signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool signals_came(struct signals *signals)
{
	struct signalfd_siginfo info;

	while (read(signals->fd, &info, sizeof(info)) == sizeof(info))
		signals->came = (int)info.ssi_signo;
	return signals->came;
}

void signals_unread(struct signals *signals)
{
	cleanup_close(&signals->fd);
}

void signals_let_go(struct signals *signals)
{
	if (signals->held)
		sigprocmask(SIG_SETMASK, &signals->before, NULL);
	signals->held = false;
	if (!signals->came)
		return;
	signal(signals->came, SIG_DFL);
	raise(signals->came);
}
