/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk with a disk that fails, changes its size and answers late, depending on the input.
 */
#include <errno.h>

#include "block/internal.h"
#include "fuzz-virtio.h"

static int failing; /* the results of requests */
static BlockDriver faulty;

static void submit(BlockNode *n, BlockRequest *req)
{
    block_complete_any(req, failing);
}

static void prepare(Fixture *f)
{
    failing = 0;
    faulty = block_raw;
    faulty.submit = submit;
    block_find(f->m, "d0")->drv = &faulty;
}

static void host(Fixture *f, Input *in)
{
    static const int results[] = { 0, -EIO, -ENOSPC, 0 };
    uint8_t what = input_take(in, 1);

    if (what & 0x80) {
        block_resize(block_find(f->m, "d0"), (uint64_t)(what & 0x7f) << 16, NULL);
    } else {
        failing = results[what & 3];
    }
}

/* Requests that were delayed must complete like all others. */
static void finish(Fixture *f)
{
    failing = 0;
    machine_set_state(f->m, RUN_RUNNING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const FuzzVirtio target = {
        .type = "virtio-blk-pci",
        .settings = { "drive=d0", "drive=d0,num-queues=3,packed=on", "drive=d0,werror=stop",
                      "drive=d0,vectors=0,packed=on,rerror=stop,queue-size=16" },
        .queues = 3,
        .drive = "{'id':'d0','file':{'driver':'null-co','size':1048576},'format':'raw'}",
        .prepare = prepare,
        .host = host,
        .finish = finish,
    };

    return fuzz_virtio(&target, data, size);
}
