/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about PCI: query-pci and info pci (registers as the guest has programmed them), and
 * query-pci-config (configuration space with its masks and capabilities). All are read-only.
 */
#include "internal.h"
#include "qmp-commands.h"
#include "json_text_internal.h"

#include <inttypes.h>
#include <string.h>

#include "hw/core/board.h"
#include "hw/pci/bridge.h"
#include "hw/pci/names.h"
#include "hw/pci/regs.h"

static PCIHost *pci_monitor_host(Machine *m)
{
    const BoardType *board = m->board_type;
    Bus *root = board && board->plan.root_bus ? bus_find(m, board->plan.root_bus) : NULL;

    return root ? ((PCIBus *)root)->host : NULL;
}

/* --- regions --- */

typedef struct PCIRegionInfo {
    unsigned bar;
    bool io, is64, prefetch;
    uint64_t addr, size;
} PCIRegionInfo;

/* Store BAR @i of the function in *r; return false if the BAR does not exist. */
static bool pci_get_region(PCIDevice *d, unsigned i, PCIRegionInfo *r)
{
    MemRegion *region = pci_bar_region(d, i);
    uint32_t value;

    if (!region) {
        return false;
    }
    value = i == PCI_ROM_BAR ? 0 : pci_get(d, (uint16_t)(0x10 + 4 * i), 4);
    *r = (PCIRegionInfo){
        .bar = i, .io = value & 1, .addr = pci_bar_addr(d, i), .size = region->size
    };
    r->is64 = !r->io && (value & 6) == 4;
    r->prefetch = !r->io && (value & 8);
    return true;
}

static void pci_put_regions(JsonText *j, PCIDevice *d)
{
    PCIRegionInfo r;

    json_text_open(j, "regions", '[');
    for (unsigned i = 0; i < PCI_NUM_BARS; i++) {
        if (!pci_get_region(d, i, &r)) {
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

typedef struct BridgeWindow {
    uint64_t base, limit;
} BridgeWindow;

/* Return the base and limit of each window as the guest has programmed them (PCI-to-PCI Bridge
 * Architecture Specification, 3.2.5). */
static BridgeWindow bridge_io_window(const PCIDevice *d)
{
    BridgeWindow w = { (pci_get(d, 0x1c, 1) & 0xf0) << 8,
                       (pci_get(d, 0x1d, 1) & 0xf0) << 8 | 0xfff };

    if ((pci_get(d, 0x1c, 1) & 0xf) == 1) {
        w.base |= (uint64_t)pci_get(d, 0x30, 2) << 16;
        w.limit |= (uint64_t)pci_get(d, 0x32, 2) << 16;
    }
    return w;
}

static BridgeWindow bridge_mem_window(const PCIDevice *d)
{
    return (BridgeWindow){ (uint64_t)(pci_get(d, 0x20, 2) & 0xfff0) << 16,
                           (uint64_t)(pci_get(d, 0x22, 2) & 0xfff0) << 16 | 0xfffff };
}

static BridgeWindow bridge_pref_window(const PCIDevice *d)
{
    BridgeWindow w = { (uint64_t)(pci_get(d, 0x24, 2) & 0xfff0) << 16,
                       (uint64_t)(pci_get(d, 0x26, 2) & 0xfff0) << 16 | 0xfffff };

    if ((pci_get(d, 0x24, 2) & 0xf) == 1) {
        w.base |= (uint64_t)pci_get(d, 0x28, 4) << 32;
        w.limit |= (uint64_t)pci_get(d, 0x2c, 4) << 32;
    }
    return w;
}

static void bridge_put_window(JsonText *j, const char *key, BridgeWindow w)
{
    json_text_open(j, key, '{');
    json_text_uint(j, "base", w.base);
    json_text_uint(j, "limit", w.limit);
    json_text_close(j, '}');
}

static void pci_put_devices(JsonText *j, PCIBus *bus);

static void bridge_put(JsonText *j, PCIBridge *br)
{
    PCIDevice *d = &br->pci;

    json_text_open(j, "pci_bridge", '{');
    json_text_open(j, "bus", '{');
    json_text_uint(j, "number", pci_get(d, PCI_PRIMARY_BUS, 1));
    json_text_uint(j, "secondary", pci_get(d, PCI_SECONDARY_BUS, 1));
    json_text_uint(j, "subordinate", pci_get(d, PCI_SUBORDINATE_BUS, 1));
    bridge_put_window(j, "io_range", bridge_io_window(d));
    bridge_put_window(j, "memory_range", bridge_mem_window(d));
    bridge_put_window(j, "prefetchable_range", bridge_pref_window(d));
    json_text_close(j, '}');
    pci_put_devices(j, &br->sec);
    json_text_close(j, '}');
}

/* --- functions --- */

static void pci_put_class(JsonText *j, const PCIDevice *d)
{
    json_text_open(j, "class_info", '{');
    json_text_uint(j, "class", pci_get(d, 0xa, 2));
    json_text_str(j, "desc", d->dev.type->doc ? d->dev.type->doc : d->dev.type->name);
    json_text_close(j, '}');
}

static void pci_put_id(JsonText *j, const PCIDevice *d)
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

static bool pci_put_function(void *opaque, PCIDevice *d)
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
    pci_put_class(j, d);
    pci_put_id(j, d);
    json_text_uint(j, "irq", pci_get(d, 0x3c, 1));
    json_text_uint(j, "irq_pin", pci_get(d, 0x3d, 1));
    json_text_str(j, "qdev_id", d->dev.id ? d->dev.id : "");
    pci_put_regions(j, d);
    if (br) {
        bridge_put(j, br);
    }
    json_text_close(j, '}');
    return true;
}

static void pci_put_devices(JsonText *j, PCIBus *bus)
{
    json_text_open(j, "devices", '[');
    pci_bus_walk(bus, false, pci_put_function, j);
    json_text_close(j, ']');
}

struct json_object *qmp_query_pci(Machine *m, GError **err)
{
    PCIHost *host = pci_monitor_host(m);
    JsonText j;

    json_text_begin(&j, '[');
    for (guint i = 0; host && i < host->roots->len; i++) {
        PCIBus *root = host->roots->pdata[i];

        json_text_open(&j, NULL, '{');
        json_text_uint(&j, "bus", pci_bus_number(root));
        pci_put_devices(&j, root);
        json_text_close(&j, '}');
    }
    return json_text_end(&j, ']');
}

/* --- query-pci-config --- */

static void pci_put_str(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

static void pci_put_int(struct json_object *o, const char *key, uint64_t value)
{
    json_object_object_add(o, key, json_object_new_uint64(value));
}

static struct json_object *pci_config_hex(const PCIDevice *d, int mask)
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

static struct json_object *pci_capability_json(const PCICapEntry *e)
{
    struct json_object *o = json_object_new_object();

    pci_put_int(o, "id", e->id);
    pci_put_str(o, "name", pci_cap_name(e->id, e->extended));
    json_object_object_add(o, "extended", json_object_new_boolean(e->extended));
    pci_put_int(o, "offset", e->offset);
    pci_put_int(o, "size", e->size);
    return o;
}

static struct json_object *pci_config_json(const PCIDevice *d)
{
    struct json_object *o = json_object_new_object(), *caps = json_object_new_array();
    g_autofree char *address = g_strdup_printf("%02x:%02x.%x", pci_bus_number(d->bus),
                                               PCI_SLOT(d->devfn), PCI_FUNC(d->devfn));

    pci_put_str(o, "device", d->dev.id ? d->dev.id : "");
    pci_put_str(o, "path", d->dev.path);
    pci_put_str(o, "type", d->dev.type->name);
    pci_put_str(o, "address", address);
    pci_put_int(o, "size", d->config.size);
    json_object_object_add(o, "config", pci_config_hex(d, -1));
    json_object_object_add(o, "wmask", pci_config_hex(d, PCI_WMASK));
    json_object_object_add(o, "w1cmask", pci_config_hex(d, PCI_W1CMASK));
    json_object_object_add(o, "cmask", pci_config_hex(d, PCI_CMASK));
    json_object_object_add(o, "used", pci_config_hex(d, PCI_USED));
    for (unsigned i = 0; i < d->config.n_entries; i++) {
        json_object_array_add(caps, pci_capability_json(&d->config.entries[i]));
    }
    json_object_object_add(o, "capabilities", caps);
    return o;
}

static PCIDevice *pci_find_addressed(Machine *m, const QmpQueryPciConfigArgs *args, GError **err)
{
    uint64_t bus = args->bus, slot = args->slot, fn = args->function;
    PCIHost *host = pci_monitor_host(m);
    PCIBus *on = host && bus < 256 ? pci_host_find_bus(host, (uint8_t)bus) : NULL;
    PCIDevice *d = on && slot < 32 && fn < 8 ? pci_bus_find(on, (uint8_t)(slot << 3 | fn)) : NULL;

    if (!d) {
        qmp_set_error(err, QMP_DEVICE_NOT_FOUND,
                      "No PCI function at bus %" PRIu64 " slot %" PRIu64 " function %" PRIu64, bus,
                      slot, fn);
    }
    return d;
}

static PCIDevice *pci_find_named(Machine *m, const char *name, GError **err)
{
    Device *dev = *name == '/' ? device_find_path(m, name) : device_find_id(m, name);

    if (!dev || dev->type->kind != &pci_device_kind) {
        qmp_set_error(err, QMP_DEVICE_NOT_FOUND, "PCI function '%s' not found", name);
        return NULL;
    }
    return (PCIDevice *)dev;
}

struct json_object *qmp_query_pci_config(Machine *m, const QmpQueryPciConfigArgs *args,
                                         GError **err)
{
    PCIDevice *d =
        args->device ? pci_find_named(m, args->device, err) : pci_find_addressed(m, args, err);

    return d ? pci_config_json(d) : NULL;
}

/* --- human monitor --- */

static void hmp_show_window(GString *out, const char *name, BridgeWindow w)
{
    g_string_append_printf(out, "      %s range [0x%08" PRIx64 ", 0x%08" PRIx64 "]\n", name, w.base,
                           w.limit);
}

static void hmp_show_bridge(GString *out, const PCIDevice *d)
{
    g_string_append_printf(out,
                           "      BUS %u.\n      secondary bus %u.\n      subordinate bus %u.\n",
                           pci_get(d, PCI_PRIMARY_BUS, 1), pci_get(d, PCI_SECONDARY_BUS, 1),
                           pci_get(d, PCI_SUBORDINATE_BUS, 1));
    hmp_show_window(out, "IO", bridge_io_window(d));
    hmp_show_window(out, "memory", bridge_mem_window(d));
    hmp_show_window(out, "prefetchable memory", bridge_pref_window(d));
}

static void hmp_show_regions(GString *out, PCIDevice *d)
{
    PCIRegionInfo r;

    for (unsigned i = 0; i < PCI_NUM_BARS; i++) {
        if (!pci_get_region(d, i, &r)) {
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

static bool hmp_show_function(void *opaque, PCIDevice *d)
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
        hmp_show_bridge(out, d);
    }
    hmp_show_regions(out, d);
    g_string_append_printf(out, "      id \"%s\"\n", d->dev.id ? d->dev.id : "");
    return true;
}

static void hmp_info_pci(Machine *m, const char *args, GString *out)
{
    PCIHost *host = pci_monitor_host(m);

    if (!host) {
        g_string_append(out, "PCI is not supported by this machine\n");
    }
    for (guint i = 0; host && i < host->roots->len; i++) {
        pci_bus_walk(host->roots->pdata[i], true, hmp_show_function, out);
    }
}

static const HmpCommand hmp_commands[] = {
    { "info pci", "", NULL, hmp_info_pci },
};

const HmpTable pci_table = { LIST(hmp_commands) };
