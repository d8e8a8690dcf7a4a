/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 (contract in util/sha256.h): FIPS 180-4.
 *
 * On x86 processors with the SHA extensions a block takes about 64 instructions. Elsewhere GLib's
 * implementation is used, which is five to ten times slower.
 */
#include "util/sha256.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#define SHA256_X86 1
#endif

#define SHA256_BLOCK 64

struct Sha256 {
    GChecksum *generic; /* NULL: the members below are used */
    uint32_t state[8];
    uint8_t block[SHA256_BLOCK]; /* the first len % 64 bytes wait for a complete block */
    uint64_t len;                /* bytes */
    char text[SHA256_TEXT];
};

#ifdef SHA256_X86

static const uint32_t sha256_k[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static bool sha256_x86_available(void)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) &&
           __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3) && (c & bit_SSE4_1);
}

/* The instructions keep the state as {A,B,E,F} and {C,D,G,H}, the first in the highest lane. */
__attribute__((target("sha,sse4.1,ssse3"))) static void
sha256_x86_blocks(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
    __m128i dcba = _mm_loadu_si128((const __m128i *)&state[0]);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)&state[4]);
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

    for (; blocks > 0; blocks--, data += SHA256_BLOCK) {
        __m128i abef0 = abef, cdgh0 = cdgh, w[4];

#pragma GCC unroll 16
        for (unsigned i = 0; i < 16; i++) { /* four rounds each; w holds the last 16 words */
            __m128i *now = &w[i % 4], sum;

            if (i < 4) {
                *now = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)data + i), swap);
            } else {
                const __m128i last = w[(i + 3) % 4];

                *now = _mm_sha256msg1_epu32(*now, w[(i + 1) % 4]);
                *now = _mm_add_epi32(*now, _mm_alignr_epi8(last, w[(i + 2) % 4], 4));
                *now = _mm_sha256msg2_epu32(*now, last);
            }
            sum = _mm_add_epi32(*now, _mm_load_si128((const __m128i *)sha256_k + i));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef0);
        cdgh = _mm_add_epi32(cdgh, cdgh0);
    }
    cdab = _mm_shuffle_epi32(abef, 0x1b);
    efgh = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)&state[0], _mm_blend_epi16(cdab, efgh, 0xf0));
    _mm_storeu_si128((__m128i *)&state[4], _mm_alignr_epi8(efgh, cdab, 8));
}

#else

static bool sha256_x86_available(void)
{
    return false;
}

static void sha256_x86_blocks(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    g_assert_not_reached();
}

#endif

Sha256 *sha256_new(void)
{
    static const uint32_t initial[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    Sha256 *s = g_new0(Sha256, 1);

    memcpy(s->state, initial, sizeof(initial));
    if (!sha256_x86_available()) {
        s->generic = g_checksum_new(G_CHECKSUM_SHA256);
    }
    return s;
}

void sha256_free(Sha256 *s)
{
    if (s) {
        g_clear_pointer(&s->generic, g_checksum_free);
        g_free(s);
    }
}

void sha256_update(Sha256 *s, const void *data, size_t len)
{
    const uint8_t *p = data;
    size_t have = s->len % SHA256_BLOCK, n;

    if (s->generic) {
        g_checksum_update(s->generic, data, (gssize)len);
        return;
    }
    s->len += len;
    if (have) {
        n = MIN(len, SHA256_BLOCK - have);
        memcpy(s->block + have, p, n);
        p += n;
        len -= n;
        if (have + n < SHA256_BLOCK) {
            return;
        }
        sha256_x86_blocks(s->state, s->block, 1);
    }
    sha256_x86_blocks(s->state, p, len / SHA256_BLOCK);
    memcpy(s->block, p + len / SHA256_BLOCK * SHA256_BLOCK, len % SHA256_BLOCK);
}

const char *sha256_text(Sha256 *s)
{
    const uint64_t bits = GUINT64_TO_BE(s->len * 8);
    static const uint8_t padding[SHA256_BLOCK] = { 0x80 };

    if (s->generic) {
        return g_checksum_get_string(s->generic);
    }
    if (!s->text[0]) {
        sha256_update(s, padding,
                      1 + (SHA256_BLOCK * 2 - 9 - s->len % SHA256_BLOCK) % SHA256_BLOCK);
        sha256_update(s, &bits, sizeof(bits));
        for (unsigned i = 0; i < 8; i++) {
            g_snprintf(s->text + 8 * i, 9, "%08x", s->state[i]);
        }
    }
    return s->text;
}
