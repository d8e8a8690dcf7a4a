/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hot-plug controller whose guest writes arbitrary values to its registers while devices are
 * plugged, requested to unplug and removed by force, and the machine is saved and loaded.
 * Invariants: no reserved encoding, no power on an empty slot, exactly the enabled slots are
 * visible, both access paths agree, and the pin is the masked locator.
 */
#include "fuzz-pci.h"

#include "hw/pci/shpc.h"

enum { BRIDGE = PCI_DEVFN(1, 0), SLOTS = 4 };

static PCIDevice *card(Fixture *f, unsigned n)
{
    g_autofree char *id = g_strdup_printf("c%u", n);

    return (PCIDevice *)device_find_id(f->m, id);
}

static void insert(Fixture *f, unsigned n)
{
    g_autofree char *id = g_strdup_printf("c%u", n);

    if (!card(f, n)) {
        plug_function(f, fuzz_type("edu"), "br", id, PCI_DEVFN(n, 0), NULL);
    }
}

static void check(Fixture *f, PCIShpcBridge *b)
{
    uint32_t locator = guest_read(f, MMIO + SHPC_INT_LOCATOR, 4), found = 0;
    uint32_t serr_int = guest_read(f, MMIO + SHPC_SERR_INT, 4);
    uint8_t select = pci_get(&b->br.pci, b->shpc_pos + SHPC_CAP_SELECT, 1);

    g_assert(pci_shpc_state.check(b, NULL));
    for (unsigned n = 1; n <= SLOTS; n++) {
        uint32_t r = guest_read(f, MMIO + SHPC_SLOT + 4 * (n - 1), 4);
        PCIDevice *d = card(f, n);

        g_assert(!d == ((r & SHPC_SLOT_EMPTY) == SHPC_SLOT_EMPTY));
        g_assert(!d || d->present == ((r & SHPC_SLOT_STATE) == SHPC_ENABLED));
        found |= (r & ~(r >> 8) & SHPC_SLOT_EVENTS) ? 1u << n : 0;
    }
    g_assert((locator & ~1u) == found);
    g_assert((b->br.pci.levels & 1) == (locator && !(serr_int & SHPC_GLOBAL_INT_MASK)));
    g_assert(config_read(f, BRIDGE, b->shpc_pos + SHPC_CAP_DATA, 4) ==
             (4u * select < SHPC_END ? guest_read(f, MMIO + 4 * select, 4) : 0));
}

static void save_and_load(PCIShpcBridge *b)
{
    const VmState *vm = b->br.pci.dev.type->vmstate;
    g_autoptr(GByteArray) one = g_byte_array_new(), two = g_byte_array_new();
    ByteWriter w1 = { one }, w2 = { two };
    ByteReader r;

    vm_save(vm, b, &w1);
    reader_init(&r, one->data, one->len);
    g_assert(vm_load(vm, b, vm->version, &r, "br", NULL));
    vm_arm_timers(vm, b);
    vm_save(vm, b, &w2);
    g_assert(one->len == two->len && memcmp(one->data, two->data, one->len) == 0);
}

static void turn(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static void handle(Fixture *f, PCIShpcBridge *b, unsigned what, unsigned n)
{
    PCIDevice *d = card(f, n);

    switch (what) {
    case 0:
        insert(f, n);
        break;
    case 1:
        if (d) {
            pci_unplug_request(d, 5, NULL);
        }
        break;
    case 2:
        if (d) {
            pci_unplug_force(d, NULL);
        }
        break;
    case 3:
        if (d) {
            pci_unplug_cancel(d, NULL);
        }
        break;
    case 4:
        turn();
        break;
    case 5:
        clock_step_ns(f, 2000000);
        break;
    case 6:
        save_and_load(b);
        break;
    default:
        f->m->migrating = !f->m->migrating;
        if (!f->m->migrating) {
            pci_unplug_resume(f->m);
        }
    }
}

static void step(Fixture *f, PCIShpcBridge *b, Input *in)
{
    uint8_t op = input_take(in, 1);
    unsigned size = 1u << (op >> 6), at = input_take(in, 1);

    switch (op & 3) {
    case 0:
        guest_write(f, MMIO + at % (SHPC_SLOT + 4 * SLOTS), size, input_take(in, size));
        break;
    case 1:
        config_write(f, BRIDGE, b->shpc_pos + SHPC_CAP_SELECT + at % 6, MIN(size, 4),
                     input_take(in, 4));
        break;
    case 2: /* a command that is meaningful */
        guest_write(f, MMIO + SHPC_COMMAND, 2, (1 + at % SLOTS) << 8 | (op >> 2 & 0x3f));
        break;
    default:
        handle(f, b, op >> 2 & 7, 1 + at % SLOTS);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    Fixture f;
    PCIShpcBridge *b;

    fixture_init(&f);
    b = (PCIShpcBridge *)plug_function(&f, fuzz_type("pci-bridge"), "pcie.0", "br", BRIDGE, NULL);
    insert(&f, 1);
    f.m->state = RUN_RUNNING;
    config_write(&f, BRIDGE, PCI_PRIMARY_BUS, 4, 0x010100);
    config_write(&f, BRIDGE, PCI_BASE_ADDRESS_0, 4, MMIO);
    config_write(&f, BRIDGE, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    while (in.left) {
        step(&f, b, &in);
        check(&f, b);
    }
    f.m->migrating = 0;
    fuzz_end(&f);
    return 0;
}
