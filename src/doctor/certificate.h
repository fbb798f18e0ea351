// SPDX-License-Identifier: MIT
//
// When a certificate ends. The keeper links nothing that reads certificates, and of one it wants to know nothing else: so the
// few fields before that date are stepped over (RFC 5280, 4.1), and what has another shape is not judged.
#ifndef DOCTOR_CERTIFICATE_H
#define DOCTOR_CERTIFICATE_H

#include "base/util.h"

// Of the first certificate in a PEM file, or of the one that ends last. -EBADMSG: it holds none that can be read; or what
// reading said.
int certificate_end(const char *path, bool last, int64_t *ret_ms);
// Of one, as DER.
int certificate_parse(const unsigned char *der, size_t len, int64_t *ret_ms);

#endif
