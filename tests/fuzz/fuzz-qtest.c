/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest lines to a complete machine: every line has exactly one reply.
 */
#include <string.h>

#include "system/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Replies {
    unsigned lines;
} Replies;

static size_t count(void *opaque, const char *bytes, size_t len)
{
    const char *end = bytes + len;

    for (const char *p = bytes; (p = memchr(p, '\n', (size_t)(end - p))); p++) {
        /* "IRQ raise N" may precede a reply and is not a reply */
        const char *start = p;

        while (start > bytes && start[-1] != '\n') {
            start--;
        }
        ((Replies *)opaque)->lines += strncmp(start, "IRQ ", 4) != 0;
    }
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const args[] = {
        "fuzz",
        "-M",
        "virt",
        "-accel",
        "qtest",
        "-m",
        "16",
        "-bios",
        "none",
        "-serial",
        "null",
        "-device",
        "pcie-root-port,id=rp",
        "-device",
        "ticker,bus=rp",
        "-device",
        "edu",
        "-device",
        "ticker,addr=4.0,multifunction=on",
        "-device",
        "pci-testdev,addr=4.1",
    };
    Session *s = session_new("fuzz");
    g_autoptr(GError) err = NULL;
    Replies replies = { 0 };
    unsigned want = 0;
    Qtest *q;

    if (!session_prepare(s, G_N_ELEMENTS(args), (char **)args, &err) || !session_start(s, &err)) {
        g_error("%s", err->message);
    }
    q = qtest_new(s->m, count, &replies);
    for (size_t i = 0; i < size; i++) {
        want += data[i] == '\n';
    }
    qtest_feed(q, data, size);
    g_assert_cmpuint(replies.lines, ==, want);
    qtest_free(q);
    session_free(s);
    return 0;
}
