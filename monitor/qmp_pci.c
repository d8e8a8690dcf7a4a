/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI as monitors show it: query-pci and info pci (what the guest has programmed), and
 * query-pci-config (config bytes with their masks and the capability lists). Read-only.
 */
#include "internal.h"
#include "json_text.h"

#include <inttypes.h>
#include <string.h>

#include "hw/core/board.h"
#include "hw/pci/bridge.h"
#include "hw/pci/names.h"
#include "hw/pci/regs.h"

static PCIHost *find_host(Machine *m)
{
    const BoardType *board = m->board_type;
    Bus *root = board && board->plan.root_bus ? bus_find(m, board->plan.root_bus) : NULL;

    return root ? ((PCIBus *)root)->host : NULL;
}

/* --- regions --- */

typedef struct Region {
    unsigned bar;
    bool io, is64, prefetch;
    uint64_t addr, size;
} Region;

/* BAR i of the function; false if it has none. */
static bool get_region(PCIDevice *d, unsigned i, Region *r)
{
    MemRegion *region = pci_bar_region(d, i);
    uint32_t value;

    if (!region) {
        return false;
    }
    value = i == PCI_ROM_BAR ? 0 : pci_get(d, (uint16_t)(0x10 + 4 * i), 4);
    *r = (Region){ .bar = i, .io = value & 1, .addr = pci_bar_addr(d, i), .size = region->size };
    r->is64 = !r->io && (value & 6) == 4;
    r->prefetch = !r->io && (value & 8);
    return true;
}

static void put_regions(JsonText *j, PCIDevice *d)
{
    Region r;

    json_text_open(j, "regions", '[');
    for (unsigned i = 0; i < PCI_NUM_BARS; i++) {
        if (!get_region(d, i, &r)) {
            continue;
        }
        json_text_open(j, NULL, '{');
        json_text_uint(j, "bar", r.bar);
        json_text_str(j, "type", r.io ? "io" : "memory");
        json_text_int(j, "address", r.addr == PCI_BAR_UNMAPPED ? -1 : (int64_t)r.addr);
        json_text_uint(j, "size", r.size);
        if (!r.io) {
            json_text_bool(j, "prefetch", r.prefetch);
            json_text_bool(j, "mem_type_64", r.is64);
        }
        json_text_close(j, '}');
    }
    json_text_close(j, ']');
}

/* --- bridges --- */

typedef struct Window {
    uint64_t base, limit;
} Window;

/* B 3.2.5: base and limit of the three windows, as programmed. */
static Window io_window(const PCIDevice *d)
{
    Window w = { (pci_get(d, 0x1c, 1) & 0xf0) << 8, (pci_get(d, 0x1d, 1) & 0xf0) << 8 | 0xfff };

    if ((pci_get(d, 0x1c, 1) & 0xf) == 1) {
        w.base |= (uint64_t)pci_get(d, 0x30, 2) << 16;
        w.limit |= (uint64_t)pci_get(d, 0x32, 2) << 16;
    }
    return w;
}

static Window mem_window(const PCIDevice *d)
{
    return (Window){ (uint64_t)(pci_get(d, 0x20, 2) & 0xfff0) << 16,
                     (uint64_t)(pci_get(d, 0x22, 2) & 0xfff0) << 16 | 0xfffff };
}

static Window pref_window(const PCIDevice *d)
{
    Window w = { (uint64_t)(pci_get(d, 0x24, 2) & 0xfff0) << 16,
                 (uint64_t)(pci_get(d, 0x26, 2) & 0xfff0) << 16 | 0xfffff };

    if ((pci_get(d, 0x24, 2) & 0xf) == 1) {
        w.base |= (uint64_t)pci_get(d, 0x28, 4) << 32;
        w.limit |= (uint64_t)pci_get(d, 0x2c, 4) << 32;
    }
    return w;
}

static void put_window(JsonText *j, const char *key, Window w)
{
    json_text_open(j, key, '{');
    json_text_uint(j, "base", w.base);
    json_text_uint(j, "limit", w.limit);
    json_text_close(j, '}');
}

static void put_devices(JsonText *j, PCIBus *bus);

static void put_bridge(JsonText *j, PCIBridge *br)
{
    PCIDevice *d = &br->pci;

    json_text_open(j, "pci_bridge", '{');
    json_text_open(j, "bus", '{');
    json_text_uint(j, "number", pci_get(d, PCI_PRIMARY_BUS, 1));
    json_text_uint(j, "secondary", pci_get(d, PCI_SECONDARY_BUS, 1));
    json_text_uint(j, "subordinate", pci_get(d, PCI_SUBORDINATE_BUS, 1));
    put_window(j, "io_range", io_window(d));
    put_window(j, "memory_range", mem_window(d));
    put_window(j, "prefetchable_range", pref_window(d));
    json_text_close(j, '}');
    put_devices(j, &br->sec);
    json_text_close(j, '}');
}

/* --- functions --- */

static void put_class(JsonText *j, const PCIDevice *d)
{
    json_text_open(j, "class_info", '{');
    json_text_uint(j, "class", pci_get(d, 0xa, 2));
    json_text_str(j, "desc", d->dev.type->doc ? d->dev.type->doc : d->dev.type->name);
    json_text_close(j, '}');
}

static void put_id(JsonText *j, const PCIDevice *d)
{
    json_text_open(j, "id", '{');
    json_text_uint(j, "device", pci_get(d, 2, 2));
    json_text_uint(j, "vendor", pci_get(d, 0, 2));
    if ((pci_get(d, 0xe, 1) & 0x7f) == 0) {
        json_text_uint(j, "subsystem-vendor", pci_get(d, 0x2c, 2));
        json_text_uint(j, "subsystem", pci_get(d, 0x2e, 2));
    }
    json_text_close(j, '}');
}

static bool put_function(void *opaque, PCIDevice *d)
{
    JsonText *j = opaque;
    PCIBridge *br = pci_bridge_of(d);

    if (!pci_device_visible(d)) {
        return true;
    }
    json_text_open(j, NULL, '{');
    json_text_uint(j, "bus", pci_bus_number(d->bus));
    json_text_uint(j, "slot", PCI_SLOT(d->devfn));
    json_text_uint(j, "function", PCI_FUNC(d->devfn));
    put_class(j, d);
    put_id(j, d);
    json_text_uint(j, "irq", pci_get(d, 0x3c, 1));
    json_text_uint(j, "irq_pin", pci_get(d, 0x3d, 1));
    json_text_str(j, "qdev_id", d->dev.id ? d->dev.id : "");
    put_regions(j, d);
    if (br) {
        put_bridge(j, br);
    }
    json_text_close(j, '}');
    return true;
}

static void put_devices(JsonText *j, PCIBus *bus)
{
    json_text_open(j, "devices", '[');
    pci_bus_walk(bus, false, put_function, j);
    json_text_close(j, ']');
}

static struct json_object *query_pci(Machine *m, struct json_object *args, GError **err)
{
    PCIHost *host = find_host(m);
    JsonText j;

    json_text_begin(&j, '[');
    for (guint i = 0; host && i < host->roots->len; i++) {
        PCIBus *root = host->roots->pdata[i];

        json_text_open(&j, NULL, '{');
        json_text_uint(&j, "bus", pci_bus_number(root));
        put_devices(&j, root);
        json_text_close(&j, '}');
    }
    return json_text_end(&j, ']');
}

/* --- query-pci-config --- */

static void put_str(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

static void put_int(struct json_object *o, const char *key, uint64_t value)
{
    json_object_object_add(o, key, json_object_new_uint64(value));
}

static struct json_object *hex(const PCIDevice *d, int mask)
{
    static const char digits[] = "0123456789abcdef";
    GString *text = g_string_sized_new(2 * d->config.size);
    struct json_object *o;

    for (uint32_t at = 0; at < d->config.size; at++) {
        uint8_t byte = mask < 0 ? (uint8_t)pci_get(d, (uint16_t)at, 1)
                                : pci_config_mask(&d->config, (PCIMaskKind)mask, at);

        g_string_append_c(text, digits[byte >> 4]);
        g_string_append_c(text, digits[byte & 15]);
    }
    o = json_object_new_string_len(text->str, (int)text->len);
    g_string_free(text, TRUE);
    return o;
}

static struct json_object *capability_json(const PCICapEntry *e)
{
    struct json_object *o = json_object_new_object();

    put_int(o, "id", e->id);
    put_str(o, "name", pci_cap_name(e->id, e->extended));
    json_object_object_add(o, "extended", json_object_new_boolean(e->extended));
    put_int(o, "offset", e->offset);
    put_int(o, "size", e->size);
    return o;
}

static struct json_object *config_json(const PCIDevice *d)
{
    struct json_object *o = json_object_new_object(), *caps = json_object_new_array();
    g_autofree char *address = g_strdup_printf("%02x:%02x.%x", pci_bus_number(d->bus),
                                               PCI_SLOT(d->devfn), PCI_FUNC(d->devfn));

    put_str(o, "device", d->dev.id ? d->dev.id : "");
    put_str(o, "path", d->dev.path);
    put_str(o, "type", d->dev.type->name);
    put_str(o, "address", address);
    put_int(o, "size", d->config.size);
    json_object_object_add(o, "config", hex(d, -1));
    json_object_object_add(o, "wmask", hex(d, PCI_WMASK));
    json_object_object_add(o, "w1cmask", hex(d, PCI_W1CMASK));
    json_object_object_add(o, "cmask", hex(d, PCI_CMASK));
    json_object_object_add(o, "used", hex(d, PCI_USED));
    for (unsigned i = 0; i < d->config.n_entries; i++) {
        json_object_array_add(caps, capability_json(&d->config.entries[i]));
    }
    json_object_object_add(o, "capabilities", caps);
    return o;
}

static uint64_t arg_u64(struct json_object *args, const char *key)
{
    return json_object_get_uint64(json_object_object_get(args, key));
}

static PCIDevice *by_address(Machine *m, struct json_object *args, GError **err)
{
    uint64_t bus = arg_u64(args, "bus"), slot = arg_u64(args, "slot"),
             fn = arg_u64(args, "function");
    PCIHost *host = find_host(m);
    PCIBus *on = host && bus < 256 ? pci_host_find_bus(host, (uint8_t)bus) : NULL;
    PCIDevice *d = on && slot < 32 && fn < 8 ? pci_bus_find(on, (uint8_t)(slot << 3 | fn)) : NULL;

    if (!d) {
        qmp_set_error(err, QMP_DEVICE_NOT_FOUND,
                      "There is no PCI function at bus %" PRIu64 " slot %" PRIu64
                      " function %" PRIu64,
                      bus, slot, fn);
    }
    return d;
}

static PCIDevice *by_name(Machine *m, const char *name, GError **err)
{
    Device *dev = *name == '/' ? device_find_path(m, name) : device_find_id(m, name);

    if (!dev || dev->type->kind != &pci_device_kind) {
        qmp_set_error(err, QMP_DEVICE_NOT_FOUND, "PCI function '%s' not found", name);
        return NULL;
    }
    return (PCIDevice *)dev;
}

static struct json_object *query_config(Machine *m, struct json_object *args, GError **err)
{
    const char *name = json_object_get_string(json_object_object_get(args, "device"));
    PCIDevice *d = name ? by_name(m, name, err) : by_address(m, args, err);

    return d ? config_json(d) : NULL;
}

static const QmpCommand commands[] = {
    { "query-pci", query_pci },
    { "query-pci-config", query_config },
};

/* --- human monitor --- */

static void show_window(GString *out, const char *name, Window w)
{
    g_string_append_printf(out, "      %s range [0x%08" PRIx64 ", 0x%08" PRIx64 "]\n", name, w.base,
                           w.limit);
}

static void show_bridge(GString *out, const PCIDevice *d)
{
    g_string_append_printf(out,
                           "      BUS %u.\n      secondary bus %u.\n      subordinate bus %u.\n",
                           pci_get(d, PCI_PRIMARY_BUS, 1), pci_get(d, PCI_SECONDARY_BUS, 1),
                           pci_get(d, PCI_SUBORDINATE_BUS, 1));
    show_window(out, "IO", io_window(d));
    show_window(out, "memory", mem_window(d));
    show_window(out, "prefetchable memory", pref_window(d));
}

static void show_regions(GString *out, PCIDevice *d)
{
    Region r;

    for (unsigned i = 0; i < PCI_NUM_BARS; i++) {
        if (!get_region(d, i, &r)) {
            continue;
        }
        g_string_append_printf(out, "      BAR%u: %s at 0x%08" PRIx64, i,
                               r.io     ? "I/O"
                               : r.is64 ? "64 bit memory"
                                        : "32 bit memory",
                               r.addr);
        if (r.prefetch) {
            g_string_append(out, ", prefetchable");
        }
        g_string_append_printf(out, ", %" PRIu64 " bytes\n", r.size);
    }
}

static bool show_function(void *opaque, PCIDevice *d)
{
    GString *out = opaque;

    if (!pci_device_visible(d)) {
        return true;
    }
    g_string_append_printf(out, "  Bus %2u, device %3u, function %u:\n", pci_bus_number(d->bus),
                           PCI_SLOT(d->devfn), PCI_FUNC(d->devfn));
    g_string_append_printf(out, "    %s: PCI device %04x:%04x\n",
                           d->dev.type->doc ? d->dev.type->doc : d->dev.type->name,
                           pci_get(d, 0, 2), pci_get(d, 2, 2));
    if (pci_get(d, 0x3d, 1)) {
        g_string_append_printf(out, "      IRQ %u, pin %c\n", pci_get(d, 0x3c, 1),
                               'A' + (int)pci_get(d, 0x3d, 1) - 1);
    }
    if (pci_bridge_of(d)) {
        show_bridge(out, d);
    }
    show_regions(out, d);
    g_string_append_printf(out, "      id \"%s\"\n", d->dev.id ? d->dev.id : "");
    return true;
}

static void hmp_pci(Machine *m, const char *args, GString *out)
{
    PCIHost *host = find_host(m);

    if (!host) {
        g_string_append(out, "PCI is not supported by this machine\n");
    }
    for (guint i = 0; host && i < host->roots->len; i++) {
        pci_bus_walk(host->roots->pdata[i], true, show_function, out);
    }
}

static const HmpCommand hmp_commands[] = {
    { "info pci", "", "show PCI functions as the guest has programmed them", hmp_pci },
};

const CommandTable pci_table = { commands, G_N_ELEMENTS(commands), hmp_commands,
                                 G_N_ELEMENTS(hmp_commands) };
