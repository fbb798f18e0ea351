// SPDX-License-Identifier: MIT
//
// doctor --probe: what the network says of the logins, with nothing spent and nothing written. Through the courier go
//
//	a GET of each token endpoint (of its discovery document first, where it has one): no header of ours but
//	    User-Agent and Accept, no body, so that it answers with an error or a page; that it answers is all that is asked
//	a GET of each login's `probe_url` (provider/provider.h), with "Authorization: Bearer <access token>": https, and
//	    no redirect is followed; once for each login, however many names and copies it has
//
// and never a refresh token. What is not to be refreshed by us (excluded, ended, expired, of a provider without a read that
// is known) is not asked for, and the reason is said.
#ifndef KEEPALIVE_PROBE_H
#define KEEPALIVE_PROBE_H

#include "keepalive/cycle.h"

struct probe {
	const struct provider *provider;
	const struct account *account; // whose access token asks; NULL: nobody's, it is the token endpoint
	char *url;		       // NULL: not known, or nobody to ask
	char *why;		       // it was not asked; NULL
	bool answered;
	char code[32];	    // why there is no answer: dns, connect, tls …
	char *text;	    // … in the courier's words
	int64_t at_ms;	    // when it answered, by our clock
	int64_t date_ms;    // … and by the server's; 0: it does not say
	int64_t took_ms;
	struct probe_answer answer;

	uint32_t id; // while it is under way
	int fd;
	char *discovered;
};

struct probes {
	struct probe *list;
	size_t n;
	char *trouble; // the courier cannot be started: nothing was asked; NULL
};

// Of the accounts that the cycle has selected; takes as long as the slowest answer, `http.deadline` at most, twice where an
// endpoint is discovered.
void probe_all(const struct config *config, const struct cycle *cycle, struct probes *ret);
void probes_free(struct probes *probes);
// The one whose answer counts for this account; NULL: there is none.
const struct probe *probes_find(const struct probes *probes, const struct account *account);

#endif
