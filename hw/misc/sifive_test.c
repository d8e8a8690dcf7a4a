/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SiFive test finisher: one write-only register through which a guest ends or resets the
 * machine. The low half of the value is the command, the high half the exit code of a failure.
 */
#include "hw/core/sysdev.h"
#include "util/log.h"

enum { FINISHER_FAIL = 0x3333, FINISHER_PASS = 0x5555, FINISHER_RESET = 0x7777 };

typedef struct SifiveTest {
    SysDevice sys;
} SifiveTest;

static uint64_t finisher_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void finisher_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    SifiveTest *t = opaque;
    Machine *m = t->sys.dev.machine;
    unsigned code = value >> 16 & 0xffff;

    if (offset == 0) {
        switch (value & 0xffff) {
        case FINISHER_PASS:
            machine_request(m, SHUTDOWN_GUEST_SHUTDOWN, 0);
            return;
        case FINISHER_FAIL:
            machine_request(m, SHUTDOWN_GUEST_SHUTDOWN, code);
            return;
        case FINISHER_RESET:
            machine_request(m, SHUTDOWN_GUEST_RESET, 0);
            return;
        }
    }
    guest_error("sifive_test",
                "unknown order 0x%" G_GINT64_MODIFIER "x at offset 0x%" G_GINT64_MODIFIER "x",
                value, offset);
}

static const MemOps finisher_ops = {
    .read = finisher_read, .write = finisher_write, .valid_min = 2, .valid_max = 4, .impl_min = 2
};

static const SysRegionDesc regions[] = {
    { .name = "test", .size = 0x1000, .ops = &finisher_ops },
};

static const SysDeviceType sifive_test_type = {
    .base = {
        .name = "riscv.sifive.test",
        .doc = "power-off and reset register (syscon)",
        .kind = &sys_device_kind,
        .size = sizeof(SifiveTest),
        .internal = true,
    },
    .regions = regions, .n_regions = G_N_ELEMENTS(regions),
};
SYS_DEVICE_TYPE(sifive_test_type);
