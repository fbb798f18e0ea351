// SPDX-License-Identifier: MIT
//
// An answer may be the only copy of a login. What it meets here is a full disk, a quota, a
// read-only or failing file system; some of that passes.
#include "courier/save.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "courier/answer.h"
#include "courier/guard.h"

#define TRIES	   5
#define TRY_GAP_MS 200

static void conclude_saved(struct errand *errand)
{
	bool cut = errand->answer.cut;

	secret_free(&errand->answer.body);
	errand->unsaved = false;
	errand->kept = errand->type == COURIER_SEND;
	errand_conclude(errand, COURIER_ANSWERED, cut ? "cut" : "",
			cut ? "the answer is incomplete" : "");
}

// Not saved, but the keeper gets it; we keep ours, in case the keeper dies before it has saved it.
static int hand_over(struct errand *errand, int reason)
{
	_cleanup_close_ int fd = memfd_create("answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	int r = answer_append(fd, &errand->answer, errand->received_ms);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	errand->event_fd = TAKE_FD(fd);
	errand->unsaved = true;
	errand_conclude(errand, COURIER_NOT_SAVED, "receipt", strerror(-reason));
	return 0;
}

static bool still_worth_trying(const struct errand *errand)
{
	return errand->tries < TRIES ||
	       (clock_boot_ms() < errand->request.hold_until_ms && guard_receipt_open(errand->fd));
}

void save_attempt(struct errand *errand, bool keeper_gone)
{
	int64_t now = clock_boot_ms();

	if (now < errand->next_try_ms)
		return;
	int r = answer_append(errand->fd, &errand->answer, errand->received_ms);
	if (r == 0) {
		conclude_saved(errand);
		return;
	}
	struct stat st;
	if (fstat(errand->fd, &st) == 0) // longer by what could not be cut off again
		errand->receipt_size = st.st_size;
	errand->next_try_ms = now + TRY_GAP_MS;
	errand->tries++;
	if (errand->tries >= TRIES && !keeper_gone && hand_over(errand, r) == 0)
		return;
	if (!still_worth_trying(errand))
		errand_conclude(errand, COURIER_NO_ANSWER, "receipt", strerror(-r));
}

void save_resume(struct errand *errand)
{
	struct stat st;

	if (!errand->unsaved)
		return;
	errand->unsaved = false;
	errand->kept = true;
	// Longer than we left it: the keeper has saved the answer, or another keeper has taken
	// over.
	if (fstat(errand->fd, &st) < 0 || st.st_size != errand->receipt_size)
		return;
	errand->tries = 0;
	errand->next_try_ms = 0;
	errand->state = ERRAND_SAVING;
}
