/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Documentation of a function's registers (-show registers=TYPE): the rows of the header, of the
 * capabilities and of the BARs, with the masks and values of an instance after a cold reset.
 *
 * The instance belongs to a separate machine. An Express endpoint is below a root port, as it
 * usually is; every other function is on the root bus. A type whose realize() requires a back end
 * is shown with the registers that its tables give.
 */
#include <stdlib.h>

#include "hw/pci/names.h"
#include "internal.h"

/* --- the instance --- */

typedef struct Specimen {
    Machine *m;
    PCIHost host;
    PCIDevice *port, *d;
    bool realized; /* d is complete; else only attached */
} Specimen;

static PCIDevice *specimen_create(Specimen *s, const DeviceType *type, const char *bus,
                                  bool realize, GError **err)
{
    g_autofree char *text = g_strdup_printf("%s,bus=%s", type->name, bus);
    g_autoptr(PlanDevice) plan = plan_device_parse(text, err);
    Device *dev;

    if (!plan) {
        return NULL;
    }
    plan->has_addr = true;
    dev = device_new(s->m, type, plan, err);
    if (!dev) {
        return NULL;
    }
    if (realize) {
        return device_realize(dev, plan, NULL, err) ? (PCIDevice *)dev : NULL;
    }
    dev->bus = bus_find(s->m, bus);
    if (!type->kind->attach(dev, plan, err)) {
        device_unpin_any(dev);
        return NULL;
    }
    return (PCIDevice *)dev;
}

static bool specimen_init(Specimen *s, const PCIDeviceType *type, GError **err)
{
    const DeviceType *port = device_type_find("pcie-root-port");
    bool endpoint = type->role == PLAN_PCI_NONE || type->role == PLAN_PCI_ENDPOINT ||
                    type->role == PLAN_PCI_UPSTREAM;
    bool below = port && endpoint && (type->slots & PLAN_SLOT_EXPRESS);
    const char *bus = below ? "port" : "pcie.0";

    s->m = machine_new();
    machine_lock(s->m);
    if (!pci_host_init(&s->host, s->m, 0, PLAN_BUS_PCIE_ROOT, "pcie.0", NULL, err)) {
        return false;
    }
    if (below) {
        s->port = specimen_create(s, port, "pcie.0,id=port", true, err);
        if (!s->port) {
            return false;
        }
    }
    s->d = specimen_create(s, &type->base, bus, true, NULL);
    s->realized = s->d != NULL;
    if (!s->d) {
        s->d = specimen_create(s, &type->base, bus, false, err);
    }
    if (s->realized) {
        machine_reset(s->m, RESET_COLD);
    }
    return s->d != NULL;
}

static void specimen_fini(Specimen *s)
{
    if (s->d && s->realized) {
        device_unplug(&s->d->dev);
    } else if (s->d) {
        s->d->dev.type->kind->detach(&s->d->dev);
        device_unpin_any(&s->d->dev);
    }
    if (s->port) {
        device_unplug(&s->port->dev);
    }
    pci_host_fini(&s->host);
    machine_free(s->m);
}

/* --- configuration space --- */

/* The columns of a configuration row as this instance has them: setup() and realize() may restrict
 * writable bits and set values. */
static RegDesc registers_effective(const PCIConfig *c, uint16_t pos, const RegDesc *r)
{
    RegDesc live = *r;

    live.rw = live.w1c = live.sticky = live.reset = 0;
    live.wrote = NULL; /* the masks determine the access column */
    for (unsigned i = 0; i < r->width && i < 8; i++) {
        uint32_t at = pos + r->offset + i;
        uint8_t writable = pci_config_mask(c, PCI_WMASK, at) | pci_config_mask(c, PCI_W1CMASK, at);

        live.rw |= (uint64_t)pci_config_mask(c, PCI_WMASK, at) << 8 * i;
        live.w1c |= (uint64_t)pci_config_mask(c, PCI_W1CMASK, at) << 8 * i;
        live.sticky |= (uint64_t)(pci_config_mask(c, PCI_STICKY, at) & writable) << 8 * i;
        live.reset |= (uint64_t)c->bytes[at] << 8 * i;
    }
    return live;
}

static int registers_by_offset(const void *a, const void *b)
{
    const RegDesc *x = *(const RegDesc *const *)a, *y = *(const RegDesc *const *)b;

    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void registers_collect(GPtrArray *rows, const PCIRegTable *t)
{
    for (size_t i = 0; i < t->n; i++) {
        g_ptr_array_add(rows, (void *)&t->rows[i]);
    }
}

static void registers_print(GString *out, const PCIConfig *c, uint16_t pos, GPtrArray *rows)
{
    g_ptr_array_sort(rows, registers_by_offset);
    reg_describe_head(out);
    for (guint i = 0; i < rows->len; i++) {
        RegDesc live = registers_effective(c, pos, g_ptr_array_index(rows, i));

        reg_describe(out, &live, pos + live.offset);
    }
}

static void registers_header(GString *out, const PCIConfig *c)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_new();
    PCIRegTable header = pci_config_header_rows(c->type);

    registers_collect(rows, &header);
    g_string_append_printf(out, "### Configuration header (type %u)\n\n", c->type);
    registers_print(out, c, 0, rows);
}

static void registers_entry(GString *out, const PCIConfig *c, const PCICapEntry *e)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_new();
    PCIRegTable head = pci_config_head_rows(e->extended);

    registers_collect(rows, &head);
    for (uint32_t left = e->selected; left; left &= left - 1) {
        registers_collect(rows, &e->tables[__builtin_ctz(left)]);
    }
    g_string_append_printf(out, "\n### %s capability (%sID %xh) at %xh, %u bytes\n\n",
                           pci_cap_name(e->id, e->extended), e->extended ? "extended " : "", e->id,
                           e->offset, e->size);
    registers_print(out, c, e->offset, rows);
}

static int registers_by_place(const void *a, const void *b)
{
    const PCICapEntry *x = a, *y = b;

    return (int)x->offset - (int)y->offset;
}

static void registers_entries(GString *out, const PCIConfig *c)
{
    g_autofree PCICapEntry *sorted = g_memdup2(c->entries, c->n_entries * sizeof(*sorted));

    if (sorted) {
        qsort(sorted, c->n_entries, sizeof(*sorted), registers_by_place);
    }
    for (unsigned i = 0; i < c->n_entries; i++) {
        registers_entry(out, c, &sorted[i]);
    }
}

/* --- BARs --- */

static void registers_bar(GString *out, const PCIBar *bar)
{
    g_string_append_printf(out, "\n### BAR %u: %s, %" PRIu64 " bytes\n\n", bar->index,
                           bar->io     ? "I/O"
                           : bar->is64 ? "64-bit memory"
                                       : "32-bit memory",
                           bar->size);
    if (!bar->file.n) {
        g_string_append(out, "Memory, the MSI-X table, or registers without rows.\n");
        return;
    }
    reg_describe_head(out);
    for (size_t i = 0; i < bar->file.n; i++) {
        reg_describe(out, &bar->file.regs[i], bar->file.regs[i].offset);
    }
}

char *pci_type_registers(const DeviceType *base, GError **err)
{
    const PCIDeviceType *type = (const PCIDeviceType *)base;
    GString *out = g_string_new(NULL);
    Specimen s = { 0 };
    bool ok = specimen_init(&s, type, err);

    if (ok) {
        registers_header(out, &s.d->config);
        registers_entries(out, &s.d->config);
    }
    for (const PCIBar *bar = ok ? s.d->bars : NULL; bar; bar = bar->next) {
        if (bar->index < PCI_ROM_BAR) {
            registers_bar(out, bar);
        }
    }
    specimen_fini(&s);
    return g_string_free(out, !ok);
}
