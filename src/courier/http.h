// SPDX-License-Identifier: MIT
//
// The transfer: once, on a connection of its own, with one deadline, to the address named and
// nowhere else.
#ifndef COURIER_HTTP_H
#define COURIER_HTTP_H

#include "courier/errand.h"

// Give the errand to `multi`; or conclude it, if the request is not one we send.
void http_start(CURLM *multi, struct errand *errand);
// The transfer has ended with `code`, or is to end now (CURLE_OPERATION_TIMEDOUT,
// CURLE_ABORTED_BY_CALLBACK): take it out of `multi`. Either it is concluded (nothing came), or
// errand->answer is to be saved and its state is SAVING.
void http_end(CURLM *multi, struct errand *errand, CURLcode code);

#endif
