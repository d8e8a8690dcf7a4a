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
                      "Parameter 'timeout' is %" G_GINT64_FORMAT
                      "; accepted are milliseconds, 0 or more",
                      timeout);
        return false;
    }
    return d && pci_unplug_request(d, (uint64_t)timeout, err);
}

struct json_object *qmp_query_unplug_jobs(Machine *m, GError **err)
{
    return pci_unplug_query(m);
}

static void hmp_info_unplug(Machine *m, const char *args, GString *out)
{
    struct json_object *list = pci_unplug_query(m);

    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *job = json_object_array_get_idx(list, i), *slot;

        g_string_append_printf(out, "%s: %s (port %s",
                               json_object_get_string(json_object_object_get(job, "device")),
                               json_object_get_string(json_object_object_get(job, "state")),
                               json_object_get_string(json_object_object_get(job, "port")));
        if (json_object_object_get_ex(job, "slot", &slot)) {
            g_string_append_printf(out, ", slot %d", json_object_get_int(slot));
        }
        g_string_append(out, ")\n");
    }
    json_object_put(list);
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
