/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about unplugs in progress: query, cancel, and removal without the agreement of the
 * guest.
 */
#include "internal.h"
#include "qmp-commands.h"

#include "hw/pci/slot.h"

static PCIDevice *unplug_find(Machine *m, const char *id, GError **err)
{
    Device *dev = *id == '/' ? device_find_path(m, id) : device_find_id(m, id);

    if (!dev || dev->type->kind != &pci_device_kind) {
        qmp_set_error(err, dev ? QMP_GENERIC_ERROR : QMP_DEVICE_NOT_FOUND,
                      dev ? "Device '%s' is not a PCI function" : "Device '%s' not found", id);
        return NULL;
    }
    return (PCIDevice *)dev;
}

bool qmp_unplug_force(Machine *m, const QmpUnplugForceArgs *args, GError **err)
{
    PCIDevice *d = unplug_find(m, args->id, err);

    return d && pci_unplug_force(d, err);
}

bool qmp_unplug_cancel(Machine *m, const QmpUnplugCancelArgs *args, GError **err)
{
    PCIDevice *d = unplug_find(m, args->id, err);

    return d && pci_unplug_cancel(d, err);
}

bool qmp_unplug_request(Machine *m, const QmpUnplugRequestArgs *args, GError **err)
{
    int64_t timeout = args->timeout;
    PCIDevice *d = unplug_find(m, args->id, err);

    if (d && timeout < 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "Parameter 'timeout' does not accept %" G_GINT64_FORMAT
                      ": use a number of milliseconds",
                      timeout);
        return false;
    }
    return d && pci_unplug_request(d, (uint64_t)timeout, err);
}

static void unplug_add_json(void *list, const PCIUnplugInfo *info)
{
    QmpUnplugJob job = { .device = info->device,
                         .port = info->port,
                         .has_slot = info->slot >= 0,
                         .slot = info->slot,
                         .state = pci_unplug_state_name(info->state) };

    json_object_array_add(list, qmp_make_unplug_job(&job));
}

struct json_object *qmp_query_unplug_jobs(Machine *m, GError **err)
{
    struct json_object *list = json_object_new_array();

    pci_unplug_visit(m, unplug_add_json, list);
    return list;
}

static void hmp_show_unplug(void *opaque, const PCIUnplugInfo *info)
{
    GString *out = opaque;

    g_string_append_printf(out, "%s: %s (port %s", info->device, pci_unplug_state_name(info->state),
                           info->port);
    if (info->slot >= 0) {
        g_string_append_printf(out, ", slot %d", info->slot);
    }
    g_string_append(out, ")\n");
}

static void hmp_info_unplug(Machine *m, const char *args, GString *out)
{
    pci_unplug_visit(m, hmp_show_unplug, out);
}

static void hmp_unplug(Machine *m, const char *id, bool (*fn)(PCIDevice *d, GError **err),
                       GString *out)
{
    g_autoptr(GError) err = NULL;
    PCIDevice *d = unplug_find(m, id, &err);

    if (!d || !fn(d, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_unplug_force(Machine *m, const char *args, GString *out)
{
    hmp_unplug(m, args, pci_unplug_force, out);
}

static void hmp_unplug_cancel(Machine *m, const char *args, GString *out)
{
    hmp_unplug(m, args, pci_unplug_cancel, out);
}

static const HmpCommand hmp_commands[] = {
    { "unplug_force", "ID", NULL, hmp_unplug_force },
    { "unplug_cancel", "ID", NULL, hmp_unplug_cancel },
    { "info unplug", "", NULL, hmp_info_unplug },
};

const HmpTable unplug_table = { LIST(hmp_commands) };
