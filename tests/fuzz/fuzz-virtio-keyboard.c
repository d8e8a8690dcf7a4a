/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-keyboard: the input presses the power key.
 */
#include "fuzz-virtio.h"
#include "hw/core/power_button.h"

static void host(Fixture *f, Input *in)
{
    power_button_press(f->m, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const FuzzVirtio target = {
        .type = "virtio-keyboard-pci",
        .settings = { NULL, "packed=on", "serial=abc", "vectors=0,packed=on" },
        .queues = 2,
        .pci_only = true,
        .host = host,
    };

    return fuzz_virtio(&target, data, size);
}
