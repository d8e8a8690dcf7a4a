/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2 images from someone else: opening, reads, writes, zeroes, discards, flushes, resizing and
 * closing. The input is the start of the image, in pieces: {offset (2 bytes, units of 64 bytes),
 * length (2 bytes), data}, and then requests. Backing files are not opened.
 */
#include <string.h>
#include <sys/mman.h>

#include "../unit/block/block-fixture.h"
#include "fuzz-input.h"

enum { IMAGE_MAX = 4 << 20, TRANSFER_MAX = 256 << 10, REQUESTS_MAX = 24 };

static void fuzz_fill_image(int fd, Input *in)
{
    static uint8_t piece[65536];

    for (unsigned pieces = input_take(in, 1) % 16; pieces > 0; pieces--) {
        uint64_t at = input_take(in, 2) * 64, len = input_take(in, 2);

        for (uint64_t i = 0; i < len && in->left; i++) {
            piece[i] = (uint8_t)input_take(in, 1);
        }
        if (pwrite(fd, piece, len, at) != (ssize_t)len) {
            abort();
        }
    }
    if (ftruncate(fd, input_take(in, 1) * (IMAGE_MAX / 256)) < 0) {
        abort();
    }
}

/* Where a request begins: anywhere on the disk, in units of sectors. */
static uint64_t fuzz_place(const BlockNode *n, Input *in)
{
    uint64_t sectors = block_size(n) / BLOCK_SECTOR, at = input_take(in, 8);

    return sectors ? at % sectors * BLOCK_SECTOR : 0;
}

static void fuzz_request(Fixture *f, BlockNode *n, Input *in)
{
    static uint8_t data[TRANSFER_MAX];
    static const BlockOp ops[] = { BLOCK_READ,    BLOCK_WRITE, BLOCK_WRITE_ZEROES,
                                   BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_READ };
    uint8_t what = input_take(in, 1);
    uint64_t at = fuzz_place(n, in), len = (1 + input_take(in, 2) % 512) * BLOCK_SECTOR;

    if (what & 0x80) {
        block_resize(n, at % (1ull << 30), NULL);
    } else {
        len = MIN(len, block_size(n) - at);
        io(f, n, ops[what % G_N_ELEMENTS(ops)], at, data, MIN(len, TRANSFER_MAX));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    int fd = memfd_create("image", MFD_CLOEXEC);
    bool read_only = input_take(&in, 1) & 1;
    g_autofree char *line = g_strdup_printf(
        "{'driver':'qcow2','node-name':'q','backing':null,'read-only':%s,'discard':'unmap',"
        "'l2-cache-size':8192,'file':{'driver':'file','filename':'/proc/self/fd/%d',"
        "'aio':'threads','cache':{'no-flush':true}}}",
        read_only ? "true" : "false", fd);
    Fixture f = { .loop = -1 };
    g_autoptr(GError) err = NULL; /* a damaged image is refused */
    BlockNode *n;

    fuzz_fill_image(fd, &in);
    f.m = machine_new();
    machine_lock(f.m);
    n = node(&f, line, false, &err);
    if (n && block_attach(n, read_only ? &reader : &writer, "disk", NULL)) {
        json_object_put(block_query(f.m, true));
        for (unsigned i = 0; i < REQUESTS_MAX && in.left; i++) {
            fuzz_request(&f, n, &in);
        }
        block_detach(n, read_only ? &reader : &writer);
    }
    block_free_all(f.m);
    machine_unlock(f.m);
    machine_free(f.m);
    close(fd);
    return 0;
}
