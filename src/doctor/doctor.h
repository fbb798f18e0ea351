// SPDX-License-Identifier: MIT
//
// What is wrong around the logins, beyond what a look at them says by itself: a check a file, each of which reads, says
// and changes nothing. A finding's `fix` is a command that can be pasted into a shell, and once it was run the finding is
// gone.
//
//	logins.c     what the accounts say; copies that are behind; how many agents hang on one login
//	openclaw.c   openclaw.json: names that an upgrade changed, the version; orders.c which of several profiles is used;
//	             models.c which model is tried after which
//	git.c        stores, or the ledger, that git tracks
//	locks.c      lock files whose holder is dead
//	programs.c   other programs whose login is in no file
//	timer.c      whether anything runs this program, and often enough
//	cluster.c    etcd's members and certificates, where hosts share logins; certificate.c reads one
//	probe.c      with --probe: what the network said
#ifndef DOCTOR_DOCTOR_H
#define DOCTOR_DOCTOR_H

#include "report/report.h"

void doctor_examine(const struct report *report, struct problems *problems);

void doctor_check_logins(const struct report *report, struct problems *problems);
void doctor_check_openclaw(const struct report *report, struct problems *problems);
void doctor_check_git(const struct report *report, struct problems *problems);
void doctor_check_locks(const struct report *report, struct problems *problems);
void doctor_check_programs(const struct report *report, struct problems *problems);
void doctor_check_timer(const struct report *report, struct problems *problems);
void doctor_check_cluster(const struct report *report, struct problems *problems);
void doctor_check_probes(const struct report *report, struct problems *problems);

#endif
