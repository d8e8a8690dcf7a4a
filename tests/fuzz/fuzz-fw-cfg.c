/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg: accesses of all sizes, DMA descriptors at arbitrary addresses, turns of the main loop,
 * resets, and saved records that the input changes.
 */
#include "../unit/hw/fixture.h"
#include "fuzz-input.h"
#include "hw/misc/fw_cfg.h"

#define BASE 0x10100000ull
#define RAM  0x80000000ull
enum { RAM_SIZE = 64 << 10 };

static void reload(Device *dev, Input *in)
{
    const VmState *vm = dev->type->vmstate;
    g_autoptr(GByteArray) record = g_byte_array_new();
    ByteWriter w = { record };
    ByteReader r;

    vm_save(vm, dev, &w);
    record->data[input_take(in, 1) % record->len] ^= (uint8_t)input_take(in, 1);
    reader_init(&r, record->data, record->len);
    if (!vm_load(vm, dev, vm->version, &r, "fw_cfg", NULL))
        device_reset_tree(dev, RESET_COLD);
}

static void start_dma(Machine *m, Input *in)
{
    static const uint64_t places[] = { RAM, RAM + RAM_SIZE - 8, BASE, 0, UINT64_MAX - 4 };
    uint64_t at = places[input_take(in, 1) % G_N_ELEMENTS(places)];

    guest_write32(m, at, (uint32_t)input_take(in, 4));
    guest_write32(m, at + 4, GUINT32_SWAP_LE_BE((uint32_t)input_take(in, 3)));
    guest_write(
        m, at + 8, 8,
        GUINT64_SWAP_LE_BE(places[input_take(in, 1) % G_N_ELEMENTS(places)] + input_take(in, 2)));
    guest_write(m, BASE + 16, 8, GUINT64_SWAP_LE_BE(at));
}

static void step(Machine *m, Device *dev, Input *in)
{
    uint8_t op = input_take(in, 1);

    switch (op & 7) {
    case 0:
        device_reset_tree(dev, RESET_COLD);
        break;
    case 1:
        reload(dev, in);
        break;
    case 2:
        machine_unlock(m);
        g_main_context_iteration(NULL, FALSE);
        machine_lock(m);
        break;
    case 3:
        start_dma(m, in);
        break;
    case 4:
        guest_read(m, BASE + input_take(in, 1) % FW_CFG_MMIO_SIZE, 1u << (op >> 6));
        break;
    case 5:
        guest_write(m, BASE + 8, 2, input_take(in, 2));
        break;
    default:
        guest_write(m, BASE + input_take(in, 1) % FW_CFG_MMIO_SIZE, 1u << (op >> 6),
                    input_take(in, 8));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, MIN(size, 4096) };
    Machine *m = fixture_new(1);
    RamBlock *block = machine_ram_new(m, "ram", RAM_SIZE, NULL);
    MemRegion ram = { 0 };
    Device *dev;

    mem_init_ram(&ram, "ram", block, 0, RAM_SIZE);
    mem_map(&m->memory, RAM, &ram, 0, 0);
    dev = fixture_device(m, FW_CFG_TYPE, NULL, BASE);
    fw_cfg_set_bootorder(dev, "/disk", 6);
    machine_set_state(m, RUN_RUNNING);
    while (in.left)
        step(m, dev, &in);
    machine_set_state(m, RUN_PAUSED);
    mem_fini(&ram);
    machine_free(m);
    return 0;
}
