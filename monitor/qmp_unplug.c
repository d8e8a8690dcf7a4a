/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unplugging as a job: what is under way, giving it up, and pulling a device out unasked.
 */
#include "internal.h"

#include "hw/pci/slot.h"

static PCIDevice *find_named(Machine *m, const char *id, GError **err)
{
    Device *dev = *id == '/' ? device_find_path(m, id) : device_find_id(m, id);

    if (!dev || dev->type->kind != &pci_device_kind) {
        qmp_set_error(err, dev ? QMP_GENERIC_ERROR : QMP_DEVICE_NOT_FOUND,
                      dev ? "Device '%s' is not a PCI function" : "Device '%s' not found", id);
        return NULL;
    }
    return (PCIDevice *)dev;
}

static PCIDevice *find_function(Machine *m, struct json_object *args, GError **err)
{
    return find_named(m, json_object_get_string(json_object_object_get(args, "id")), err);
}

static struct json_object *unplug_force(Machine *m, struct json_object *args, GError **err)
{
    PCIDevice *d = find_function(m, args, err);

    if (d) {
        pci_unplug_force(d, err);
    }
    return NULL;
}

static struct json_object *unplug_cancel(Machine *m, struct json_object *args, GError **err)
{
    PCIDevice *d = find_function(m, args, err);

    if (d) {
        pci_unplug_cancel(d, err);
    }
    return NULL;
}

static struct json_object *unplug_request(Machine *m, struct json_object *args, GError **err)
{
    int64_t timeout = json_object_get_int64(json_object_object_get(args, "timeout"));
    PCIDevice *d = find_function(m, args, err);

    if (d && timeout < 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "Parameter 'timeout' is %" G_GINT64_FORMAT
                      ": it takes milliseconds from 0 on",
                      timeout);
    } else if (d) {
        pci_unplug_request(d, timeout, err);
    }
    return NULL;
}

static struct json_object *query_jobs(Machine *m, struct json_object *args, GError **err)
{
    return pci_unplug_query(m);
}

static const QmpCommand commands[] = {
    { "query-unplug-jobs", query_jobs },
    { "unplug-request", unplug_request },
    { "unplug-cancel", unplug_cancel },
    { "unplug-force", unplug_force },
};

static void hmp_jobs(Machine *m, const char *args, GString *out)
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

static void hmp_do(Machine *m, const char *id, bool (*fn)(PCIDevice *d, GError **err), GString *out)
{
    g_autoptr(GError) err = NULL;
    PCIDevice *d = find_named(m, id, &err);

    if (!d || !fn(d, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_force(Machine *m, const char *args, GString *out)
{
    hmp_do(m, args, pci_unplug_force, out);
}

static void hmp_cancel(Machine *m, const char *args, GString *out)
{
    hmp_do(m, args, pci_unplug_cancel, out);
}

static const HmpCommand hmp_commands[] = {
    { "unplug_force", "ID", "take a device out of its slot without asking the guest", hmp_force },
    { "unplug_cancel", "ID", "give up the unplug of a device", hmp_cancel },
    { "info unplug", "", "unplug jobs and how far they are", hmp_jobs },
};

const CommandTable unplug_table = { LIST(commands), LIST(hmp_commands) };
