/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 of data that is available in pieces (FIPS 180-4).
 *
 * A Sha256 is used by one thread at a time.
 */
#ifndef UTIL_SHA256_H
#define UTIL_SHA256_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_TEXT 65 /* hexadecimal digits and a NUL */

typedef struct Sha256 Sha256;

/* Begin. Undone by sha256_free(). */
Sha256 *sha256_new(void);

/* Free. NULL is allowed. */
void sha256_free(Sha256 *s);

/* Add len bytes at data. Not allowed after sha256_text(). */
void sha256_add(Sha256 *s, const void *data, size_t len);

/* Complete the digest. Returns 64 lower-case hexadecimal digits, owned by s. */
const char *sha256_text(Sha256 *s);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sha256, sha256_free)

#endif
