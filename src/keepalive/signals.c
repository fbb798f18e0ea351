// SPDX-License-Identifier: MIT
//
// See signals.h.
#include "keepalive/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "base/util.h"

void signals_hold(struct signals *signals)
{
	static const int held[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP};
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	// What is ignored (nohup, a script's background) stays so: held back, it would be read all the same.
	for (size_t i = 0; i < ARRAY_SIZE(held); i++)
		if (sigaction(held[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&set, held[i]);
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
