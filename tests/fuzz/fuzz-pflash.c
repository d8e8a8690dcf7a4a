/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flash memory: commands, loads and stores of all sizes, resets, and saved records that the input
 * changes.
 */
#include "../unit/hw/fixture.h"
#include "fuzz-input.h"
#include "hw/block/pflash.h"

#define BASE 0x20000000ull

/* Save, change a byte, and load. A device that refuses the record is reset. */
static void reload(Device *dev, Input *in)
{
    const VmState *vm = dev->type->vmstate;
    g_autoptr(GByteArray) record = g_byte_array_new();
    ByteWriter w = { record };
    ByteReader r;

    vm_save(vm, dev, &w);
    record->data[input_take(in, 1) % record->len] ^= (uint8_t)input_take(in, 1);
    reader_init(&r, record->data, record->len);
    if (!vm_load(vm, dev, vm->version, &r, "flash", NULL))
        device_reset_tree(dev, RESET_COLD);
}

static void step(Machine *m, Device *dev, Input *in)
{
    static const uint8_t commands[] = { 0xff, 0x70, 0x90, 0x98, 0x20, 0x40, 0xe8, 0xd0, 0x60 };
    uint8_t op = input_take(in, 1);
    uint64_t at = BASE + input_take(in, 4) % (PFLASH_SIZE + 8);

    switch (op & 7) {
    case 0:
        device_reset_tree(dev, RESET_COLD);
        break;
    case 1:
        reload(dev, in);
        break;
    case 2:
    case 3:
        guest_read(m, at, 1u << (op >> 6));
        break;
    case 4:
    case 5:
        guest_write(m, at & ~3ull, 4, commands[op / 8 % G_N_ELEMENTS(commands)]);
        break;
    default:
        guest_write(m, at, 1u << (op >> 6), input_take(in, 8));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, MIN(size, 4096) };
    Machine *m = fixture_new(1);
    Device *dev = device_create(m, PFLASH_TYPE, "name=flash", NULL, NULL);

    pflash_map(dev, BASE);
    while (in.left)
        step(m, dev, &in);
    mem_check(&m->memory);
    machine_free(m);
    return 0;
}
