// SPDX-License-Identifier: MIT
//
// Whose a login is to refresh, among several hosts (struct custody, in ledger.h), as a record's JSON has it.
//
// At any time one ledger owns it, or none. It is given away by a document (ledger/handover.h): released here, durably,
// before the first byte of that leaves; taken where it is imported. Lost in between it is nobody's, and `own ACCOUNT` takes
// it back: no crash leaves two owners. Each hand-over is a later term, so that a document of before is known for what
// it is.
#ifndef LEDGER_CUSTODY_H
#define LEDGER_CUSTODY_H

#include "json/json.h"
#include "ledger/ledger.h"

#define CUSTODY_VERSION 2 // of a record that is not ours to send
#define CUSTODY_TERM_MAX (1 << 30) // of a document

void custody_write(cJSON *record, const struct custody *custody); // nothing, if it always was ours
void custody_read(const cJSON *record, struct custody *ret, bool *ok);

// How another host calls itself, fit to be shown.
bool host_name_is_sound(const char *text);
// … and this one.
void host_name_ours(char ret[65]);

#endif
