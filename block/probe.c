/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signatures of disk image formats, in the first sector of an image.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

typedef struct Signature {
    const char *format;
    unsigned at, len;
    const char *bytes;
} Signature;

#define SIGNATURE(name, at, text)                                                                  \
    {                                                                                              \
        name, at, sizeof(text) - 1, text                                                           \
    }
static const Signature signatures[] = {
    SIGNATURE("qcow2", 0, "QFI\xfb"), /* also version 1, "qcow" */
    SIGNATURE("qed", 0, "QED\0"),
    SIGNATURE("vmdk", 0, "KDMV"),
    SIGNATURE("vmdk", 0, "COWD"),
    SIGNATURE("vmdk", 0, "# Disk DescriptorFile"),
    SIGNATURE("vhdx", 0, "vhdxfile"),
    SIGNATURE("vdi", 64, "\x7f\x10\xda\xbe"),
    SIGNATURE("vpc", 0, "conectix"),
    SIGNATURE("luks", 0, "LUKS\xba\xbe"),
    SIGNATURE("parallels", 0, "WithoutFreeSpace"),
    SIGNATURE("parallels", 0, "WithouFreSpacExt"),
    SIGNATURE("bochs", 0, "Bochs Virtual HD Image"),
    SIGNATURE("cloop", 0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop"),
};

const char *probe_format(const uint8_t *head, size_t len)
{
    for (size_t i = 0; i < G_N_ELEMENTS(signatures); i++) {
        const Signature *s = &signatures[i];

        if (len >= s->at + s->len && memcmp(head + s->at, s->bytes, s->len) == 0) {
            bool old = g_str_equal(s->format, "qcow2") && len >= 8 && head[7] == 1;

            return old ? "qcow" : s->format;
        }
    }
    return NULL;
}

bool probe_knows(const char *format)
{
    for (size_t i = 0; i < G_N_ELEMENTS(signatures); i++) {
        if (g_str_equal(signatures[i].format, format)) {
            return true;
        }
    }
    return g_str_equal(format, "qcow") || g_str_equal(format, "dmg") ||
           g_str_equal(format, "vvfat");
}

bool probe_node(BlockNode *n, const char **format, GError **err)
{
    uint8_t head[BLOCK_SECTOR];
    int result = node_read_any(n, 0, head, sizeof(head));

    if (result < 0) {
        return error_set_errno(err, -result, "cannot read '%s' to find its format",
                               node_filename(n));
    }
    *format = probe_format(head, sizeof(head));
    return true;
}
