// SPDX-License-Identifier: MIT
//
// Signals are read, not handled: nothing happens between two instructions, and a screen is never left half drawn.
#include "command/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/terminal.h"

#define PERIOD_MS 2000

// Another screen, no cursor, long lines cut at the edge; and back.
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
// What is between them is shown at once, where the terminal knows them.
#define BEGIN_FRAME "\033[?2026h\033[H"
#define END_FRAME   "\033[J\033[?2026l"

static bool entered;
static struct termios typed_before;
static bool typing; // keys come as they are pressed, and are not echoed
static FILE *said;  // what would be said on standard error, and spoil the screen

static void put(const char *text)
{
	write_full(STDOUT_FILENO, text, strlen(text));
}

static void enter(void)
{
	struct termios keys;

	// In the background, to change the terminal would stop us.
	typing = isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp() &&
		 tcgetattr(STDIN_FILENO, &typed_before) == 0;
	if (typing) {
		keys = typed_before;
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
	}
	put(ENTER);
	entered = true;
}

static void leave(void)
{
	if (!entered)
		return;
	put(LEAVE);
	if (typing)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &typed_before);
	entered = false;
}

static void keep_said(enum log_level level, const char *line)
{
	(void)level;
	fprintf(said, "%s\n", line);
}

// ---- a frame

// As many lines as there is room for; if that is not all, the last says so.
static void draw(const char *text, int height, FILE *out)
{
	int lines = 0, n = 0;

	for (const char *s = text; *s; s++)
		lines += *s == '\n';
	fputs(BEGIN_FRAME, out);
	for (const char *s = text; *s && n < (lines > height ? height - 1 : height); n++) {
		size_t len = strcspn(s, "\n");
		fprintf(out, "%s\033[2K%.*s", n ? "\r\n" : "", (int)len, s);
		s += len + (s[len] == '\n');
	}
	if (lines > height)
		fprintf(out, "\r\n\033[2K\033[2m... %d more lines\033[0m", lines - n);
	fputs(END_FRAME, out);
}

static char *frame_text(int (*show)(const struct invocation *, FILE *),
			const struct invocation *invocation, int *ret_status)
{
	_cleanup_free_ char *messages = NULL, *at = NULL;
	char *text = NULL;
	size_t len = 0, messages_len = 0;
	FILE *out = xopen_memstream(&text, &len);

	said = xopen_memstream(&messages, &messages_len);
	log_set_sink(keep_said);
	*ret_status = show(invocation, out);
	log_set_sink(NULL);
	fclose(said);
	at = time_format_local(clock_wall_ms());
	if (*ret_status != STATUS_USAGE)
		fprintf(out, "\n%s%s\n", at, typing ? "; q ends" : "");
	fclose(out);
	if (*ret_status == STATUS_USAGE) { // why it ends
		free(text);
		return TAKE_PTR(messages);
	}
	return text;
}

// False: nobody reads it.
static bool draw_frame(const char *text)
{
	_cleanup_free_ char *frame = NULL;
	size_t len = 0;
	FILE *out = xopen_memstream(&frame, &len);

	draw(text, terminal_height(STDOUT_FILENO), out);
	fclose(out);
	return write_full(STDOUT_FILENO, frame, len) == 0;
}

// ---- between two frames

static int open_signals(sigset_t *ret_before)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};
	sigset_t set = signals_heeded(signals, ARRAY_SIZE(signals));

	sigprocmask(SIG_BLOCK, &set, ret_before);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// A signal that ends it; 0: none.
static int take_signals(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTSTP:
			leave();
			raise(SIGSTOP);
			break;
		case SIGCONT:
			if (entered)
				leave(); // it was stopped by a signal that cannot be read: the terminal may be another
			enter();
			break;
		case SIGWINCH:
			break;
		default:
			return (int)info.ssi_signo;
		}
	}
	return 0;
}

// Until it is time for the next frame. True: q was pressed, or there are no keys any more.
static bool is_ended_by_key(void)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	return n <= 0 ? n == 0 || errno != EINTR : memchr(keys, 'q', (size_t)n) != NULL;
}

static bool wait_for_next(int signals, int *ret_signal)
{
	struct pollfd polls[] = {{.fd = signals, .events = POLLIN},
				 {.fd = typing ? STDIN_FILENO : -1, .events = POLLIN}};

	*ret_signal = 0;
	if (poll(polls, ARRAY_SIZE(polls), PERIOD_MS) <= 0)
		return true;
	if (polls[0].revents)
		*ret_signal = take_signals(signals);
	return !*ret_signal && !(polls[1].revents && is_ended_by_key());
}

static int watch_screen(int (*show)(const struct invocation *, FILE *),
			const struct invocation *invocation)
{
	sigset_t before;
	_cleanup_close_ int signals = open_signals(&before);
	int status, signal_came = 0;
	bool go_on = signals >= 0;

	atexit(leave);
	enter();
	do {
		_cleanup_free_ char *text = frame_text(show, invocation, &status);
		if (status == STATUS_USAGE) {
			leave();
			log_error("%.*s", (int)strcspn(text, "\n"), text);
			break;
		}
		go_on = go_on && draw_frame(text) && wait_for_next(signals, &signal_came);
	} while (go_on);
	leave();
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (signal_came) {
		signal(signal_came, SIG_DFL);
		raise(signal_came);
	}
	return status;
}

int screen_watch(int (*show)(const struct invocation *, FILE *),
		 const struct invocation *invocation)
{
	int status;

	if (isatty(STDOUT_FILENO) && !invocation->json && !string_equal(getenv("TERM"), "dumb"))
		return watch_screen(show, invocation);
	for (;;) {
		status = show(invocation, stdout);
		if (status == STATUS_USAGE || ferror(stdout)) // nobody reads it
			return status;
		poll(NULL, 0, PERIOD_MS);
	}
}
