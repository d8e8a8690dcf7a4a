/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 (contract in util/sha256.h).
 *
 * Nettle uses the SHA instructions of the host. GLib, which is used if the emulator is built
 * without Nettle, computes about six times as long.
 */
#include "util/sha256.h"

#include <string.h>

#include "config-host.h"

#ifdef CONFIG_NETTLE

#include <nettle/base16.h>
#include <nettle/sha2.h>

struct Sha256 {
    struct sha256_ctx context;
    char text[SHA256_TEXT]; /* empty: not completed */
};

Sha256 *sha256_new(void)
{
    Sha256 *s = g_new0(Sha256, 1);

    sha256_init(&s->context);
    return s;
}

void sha256_free(Sha256 *s)
{
    g_free(s);
}

void sha256_add(Sha256 *s, const void *data, size_t len)
{
    nettle_sha256_update(&s->context, len, data);
}

const char *sha256_text(Sha256 *s)
{
    uint8_t digest[SHA256_DIGEST_SIZE];

    if (!s->text[0]) {
        sha256_digest(&s->context, sizeof(digest), digest);
        base16_encode_update(s->text, sizeof(digest), digest);
    }
    return s->text;
}

#else

struct Sha256 {
    GChecksum *checksum;
};

Sha256 *sha256_new(void)
{
    Sha256 *s = g_new0(Sha256, 1);

    s->checksum = g_checksum_new(G_CHECKSUM_SHA256);
    return s;
}

void sha256_free(Sha256 *s)
{
    if (s) {
        g_checksum_free(s->checksum);
        g_free(s);
    }
}

void sha256_add(Sha256 *s, const void *data, size_t len)
{
    const uint8_t *p = data;

    for (; len > 0; p += MIN(len, G_MAXSSIZE), len -= MIN(len, G_MAXSSIZE)) {
        g_checksum_update(s->checksum, p, (gssize)MIN(len, G_MAXSSIZE));
    }
}

const char *sha256_text(Sha256 *s)
{
    return g_checksum_get_string(s->checksum);
}

#endif
