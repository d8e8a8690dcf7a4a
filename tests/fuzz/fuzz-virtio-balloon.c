/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-balloon with free page reporting and statistics. The input determines the size that the
 * host requests, the interval of statistics, and when time passes.
 */
#include "fuzz-virtio.h"

#include "hw/virtio/balloon.h"

static void host(Fixture *f, Input *in)
{
    VirtioBalloon *b = virtio_balloon_find(f->m);
    uint8_t way = input_take(in, 1);

    if (way & 1) {
        clock_step_ns(f, (int64_t)input_take(in, 5));
    } else if (b && way & 2) {
        virtio_balloon_set_interval(b, input_take(in, 1));
    } else if (b) {
        virtio_balloon_set_target(b, input_take(in, 4));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const FuzzVirtio target = {
        .type = "virtio-balloon-pci",
        .settings = { NULL, "free-page-reporting=on,packed=on", "free-page-reporting=on",
                      "vectors=0,guest-stats-polling-interval=1" },
        .queues = 4,
        .host = host,
    };

    return fuzz_virtio(&target, data, size);
}
