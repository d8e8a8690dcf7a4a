/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-rng with and without a rate limit. The input determines when its period passes.
 */
#include "fuzz-virtio.h"

static void host(Fixture *f, Input *in)
{
    clock_step_ns(f, (int64_t)input_take(in, 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const FuzzVirtio target = {
        .type = "virtio-rng-pci",
        .settings = { NULL, "packed=on", "max-bytes=100,period=1", "vectors=0,packed=on" },
        .queues = 1,
        .host = host,
    };

    return fuzz_virtio(&target, data, size);
}
