/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 of the standard's examples, and of every length and division around a block. */
#include <string.h>

#include "util/sha256.h"

static void test_examples(void)
{
    static const struct {
        const char *text, *digest;
    } rows[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Sha256) s = sha256_new();

        sha256_add(s, rows[i].text, strlen(rows[i].text));
        g_assert_cmpstr(sha256_text(s), ==, rows[i].digest);
        g_assert_cmpstr(sha256_text(s), ==, rows[i].digest);
    }
}

static void test_divisions(void)
{
    uint8_t data[600];

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)g_test_rand_int();
    }
    for (size_t len = 0; len <= sizeof(data); len++) {
        g_autofree char *expected = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, len);
        g_autoptr(Sha256) s = sha256_new();

        for (size_t at = 0; at < len;) {
            size_t n = (size_t)g_test_rand_int_range(0, 200);

            n = MIN(n, len - at);
            sha256_add(s, data + at, n);
            at += n;
        }
        g_assert_cmpstr(sha256_text(s), ==, expected);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sha256/examples", test_examples);
    g_test_add_func("/sha256/divisions", test_divisions);
    return g_test_run();
}
