/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -drive, -pflash, -blockdev, -snapshot and drive_add: host parts and devices that they add to the
 * description.
 *
 * A drive with if=virtio or if=scsi creates its device, after all devices of the command line, so
 * that the device gets the next free slot, as in QEMU. The disks of -hda to -hdd and -cdrom are
 * created unless a device names their drive. A drive with if=pflash is the contents of a flash bank
 * of the machine. Any other drive is a back end only.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "block/block.h"
#include "options_internal.h"

typedef struct DriveOption {
    char *iface, *id;
    unsigned bus, unit;
    bool cdrom;         /* media=cdrom */
    const char *option; /* "-hda"; NULL: -drive */
} DriveOption;

static void free_drive_option(gpointer p)
{
    DriveOption *d = p;

    g_free(d->iface);
    g_free(d->id);
    g_free(d);
}

static bool disks_print(Session *s, char *text)
{
    fputs(text, stdout);
    g_free(text);
    s->mode = MODE_DONE;
    return true;
}

static const char *disks_text(struct json_object *o, const char *key)
{
    struct json_object *v;

    return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;
}

static bool is_help(const char *text)
{
    return text && (strcmp(text, "help") == 0 || strcmp(text, "?") == 0);
}

/* --- places --- */

enum { SCSI_UNITS = 7 }; /* of a bus, for index=, as in QEMU */

static const char *const interfaces[] = { "none", "virtio", "scsi", "pflash", NULL };
static const char *const other_interfaces[] = { "ide", "floppy", "mtd", "sd", "xen", NULL };

static bool check_interface(const char *iface, GError **err)
{
    if (g_strv_contains(interfaces, iface)) {
        return true;
    }
    if (g_strv_contains(other_interfaces, iface)) {
        return error_set(err, ERROR_USER,
                         "if=%s: this machine has no such bus; use if=virtio or if=scsi, or "
                         "if=none,id=NAME with "
                         "-device TYPE,drive=NAME",
                         iface);
    }
    return error_set(err, ERROR_USER, "unsupported bus type '%s'; use none, virtio, scsi or pflash",
                     iface);
}

/* Set *n to the number of @key and remove the key. Without the key, *n is 0 and *given is false. */
static bool take_number(struct json_object *o, const char *key, unsigned *n, bool *given,
                        GError **err)
{
    static const PlanProp number = { .name = "number", .kind = PLAN_PROP_U32, .max = 65535 };
    const char *text = disks_text(o, key);
    PlanValue v;

    *given = text != NULL;
    if (text && !plan_value_parse(&number, text, &v, err)) {
        g_prefix_error(err, "%s: ", key);
        return false;
    }
    *n = text ? (unsigned)v.u : 0;
    json_object_object_del(o, key);
    return true;
}

static const DriveOption *find_place(const Session *s, const DriveOption *place)
{
    for (guint i = 0; i < s->drives->len; i++) {
        const DriveOption *d = s->drives->pdata[i];

        if (strcmp(d->iface, place->iface) == 0 && d->bus == place->bus && d->unit == place->unit) {
            return d;
        }
    }
    return NULL;
}

/* The units of a SCSI bus are limited: a higher index is on the next bus. */
static void disks_set_index(DriveOption *d, unsigned index)
{
    bool scsi = strcmp(d->iface, "scsi") == 0;

    d->bus = scsi ? index / SCSI_UNITS : d->bus;
    d->unit = scsi ? index % SCSI_UNITS : index;
}

static unsigned disks_index(const DriveOption *d)
{
    return strcmp(d->iface, "scsi") == 0 ? d->bus * SCSI_UNITS + d->unit : d->unit;
}

static bool take_place(Session *s, DriveOption *d, struct json_object *o, GError **err)
{
    unsigned index;
    bool has_index, has_bus, has_unit;

    if (!take_number(o, "index", &index, &has_index, err) ||
        !take_number(o, "bus", &d->bus, &has_bus, err) ||
        !take_number(o, "unit", &d->unit, &has_unit, err)) {
        return false;
    }
    if (has_index && (has_bus || has_unit)) {
        return error_set(err, ERROR_USER, "index cannot be used with bus and unit");
    }
    if (has_index) {
        disks_set_index(d, index);
    } else if (!has_unit) {
        for (index = disks_index(d); find_place(s, d);) {
            disks_set_index(d, ++index);
        }
    }
    if (find_place(s, d)) {
        return error_set(err, ERROR_USER, "drive with if=%s, bus=%u, unit=%u (index=%u) exists",
                         d->iface, d->bus, d->unit, disks_index(d));
    }
    return true;
}

/* --- options --- */

/* Replace file=NAME by options of the node if file.KEY=VALUE options exist as well. */
static bool spread_file(struct json_object *flat, GError **err)
{
    const char *name = disks_text(flat, "file");
    struct json_object *parsed;
    bool options = false;

    json_object_object_foreach(flat, key, value)
    {
        (void)value;
        options |= g_str_has_prefix(key, "file.");
    }
    if (!name || !options) {
        return true;
    }
    parsed = block_filename_parse(name, err);
    if (!parsed) {
        return false;
    }
    json_object_object_del(flat, "file");
    json_object_object_foreach(parsed, key2, value2)
    {
        g_autofree char *full = g_strdup_printf("file.%s", key2);

        if (!json_object_object_get_ex(flat, full, NULL)) {
            json_object_object_add(flat, full, json_object_get(value2));
        }
    }
    json_object_put(parsed);
    return true;
}

static struct json_object *disks_parse(const char *arg, GError **err)
{
    struct json_object *flat = plan_options_parse(arg, NULL, err), *nested = NULL;

    if (flat && *arg == '{') {
        return flat;
    }
    if (flat && spread_file(flat, err)) {
        nested = plan_options_nest(flat, err);
    }
    json_object_put(flat);
    return nested;
}

static bool disks_add_part(Session *s, const char *kind, struct json_object *o, GError **err)
{
    PlanHostPart *part = plan_host_part_parse(kind, json_object_to_json_string(o), err);

    if (!part || !plan_machine_add_host(s->plan, part, err)) {
        plan_host_part_free(part);
        return false;
    }
    return true;
}

/* The ids of QEMU: virtio0, none2, scsi0-hd3, scsi1-cd0. */
static char *disks_default_id(const DriveOption *d)
{
    return strcmp(d->iface, "scsi") == 0
               ? g_strdup_printf("scsi%u-%s%u", d->bus, d->cdrom ? "cd" : "hd", d->unit)
               : g_strdup_printf("%s%u", d->iface, d->unit);
}

static bool add_drive(Session *s, const char *option, struct json_object *o, GError **err)
{
    DriveOption *d = g_new0(DriveOption, 1);
    const char *iface = disks_text(o, "if"), *id;
    bool ok;

    d->option = option;
    d->iface = g_strdup(iface ? iface : "none");
    json_object_object_del(o, "if");
    ok = check_interface(d->iface, err) && take_place(s, d, o, err);
    id = disks_text(o, "id");
    d->cdrom = g_strcmp0(disks_text(o, "media"), "cdrom") == 0;
    d->id = id ? g_strdup(id) : disks_default_id(d);
    if (!id) {
        json_object_object_add(o, "id", json_object_new_string(d->id));
    }
    ok = ok && block_drive_check(o, err) && disks_add_part(s, "drive", o, err);
    if (ok) {
        g_ptr_array_add(s->drives, d);
    } else {
        free_drive_option(d);
    }
    return ok;
}

bool disks_drive(Session *s, const char *arg, GError **err)
{
    struct json_object *o;
    bool ok;

    if (is_help(arg)) {
        return disks_print(s, block_drive_help());
    }
    o = disks_parse(arg, err);
    if (!o) {
        g_prefix_error(err, "-drive %s: ", arg);
        return false;
    }
    if (is_help(disks_text(o, "format")) || is_help(disks_text(o, "driver"))) {
        json_object_put(o);
        return disks_print(s, block_driver_help(NULL, NULL));
    }
    if (is_help(disks_text(o, "if"))) {
        json_object_put(o);
        return disks_print(s, g_strdup("none\nvirtio\nscsi\npflash\n"));
    }
    ok = add_drive(s, NULL, o, err);
    json_object_put(o);
    if (!ok) {
        g_prefix_error(err, "-drive %s: ", arg);
    }
    return ok;
}

bool disks_image(Session *s, const char *option, unsigned index, const char *media,
                 const char *file, GError **err)
{
    struct json_object *o = json_object_new_object();
    g_autofree char *number = g_strdup_printf("%u", index);
    bool ok;

    json_object_object_add(o, "file", json_object_new_string(file));
    json_object_object_add(o, "index", json_object_new_string(number));
    json_object_object_add(o, "media", json_object_new_string(media));
    ok = add_drive(s, option, o, err);
    json_object_put(o);
    if (!ok) {
        g_prefix_error(err, "%s %s: ", option, file);
    }
    return ok;
}

bool disks_pflash(Session *s, const char *file, GError **err)
{
    struct json_object *o = json_object_new_object();
    bool ok;

    json_object_object_add(o, "file", json_object_new_string(file));
    json_object_object_add(o, "if", json_object_new_string("pflash"));
    ok = add_drive(s, NULL, o, err);
    json_object_put(o);
    if (!ok) {
        g_prefix_error(err, "-pflash %s: ", file);
    }
    return ok;
}

bool disks_blockdev(Session *s, const char *arg, GError **err)
{
    g_auto(GStrv) words = g_strsplit(arg, ",", 0);
    const char *driver = words[0] ? words[0] : "";

    if (is_help(arg) || strcmp(arg, "driver=help") == 0) {
        return disks_print(s, block_driver_help(NULL, NULL));
    }
    if (*arg != '{' && (g_strv_contains((const char *const *)words, "help") ||
                        g_strv_contains((const char *const *)words, "?"))) {
        driver = g_str_has_prefix(driver, "driver=") ? driver + 7 : driver;
        return disks_print(s, block_driver_help(driver, err));
    }
    return option_host_part(s, "blockdev", arg, err);
}

/* --- after the last option --- */

static bool drive_used(const Session *s, const DriveOption *d)
{
    for (guint i = 0; i < s->plan->devices->len; i++) {
        const PlanDevice *dev = s->plan->devices->pdata[i];

        for (guint j = 0; j < dev->settings->len; j++) {
            const PlanSetting *set = dev->settings->pdata[j];

            if (strcmp(set->name, "drive") == 0 && g_strcmp0(set->text, d->id) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool disks_has_device(const Session *s, const char *id)
{
    for (guint i = 0; i < s->plan->devices->len; i++) {
        if (g_strcmp0(((const PlanDevice *)s->plan->devices->pdata[i])->id, id) == 0) {
            return true;
        }
    }
    return false;
}

static PlanDevice *disks_new_device(Session *s, const char *type, const char *drive)
{
    PlanDevice *dev = plan_device_new(type);

    if (drive) {
        plan_device_set(dev, "drive", drive);
    }
    g_ptr_array_add(s->plan->devices, dev);
    return dev;
}

/* Add a SCSI disk or drive, and the controller "scsiN" of its bus unless there is a device of this
 * name. */
static PlanDevice *disks_add_scsi(Session *s, const DriveOption *d, unsigned bus)
{
    g_autofree char *controller = g_strdup_printf("scsi%u", bus);
    PlanDevice *dev;

    if (!disks_has_device(s, controller)) {
        dev = disks_new_device(s, "virtio-scsi-pci", NULL);
        dev->id = g_strdup(controller);
    }
    dev = disks_new_device(s, d->cdrom ? "scsi-cd" : "scsi-hd", d->id);
    dev->bus = g_strconcat(controller, ".0", NULL);
    return dev;
}

static void disks_add_device(Session *s, const DriveOption *d)
{
    if (strcmp(d->iface, "scsi") == 0) {
        g_autofree char *unit = g_strdup_printf("%u", d->unit);
        PlanDevice *dev = disks_add_scsi(s, d, d->bus);

        plan_device_set(dev, "scsi-id", unit);
        plan_device_set(dev, "lun", "0");
    } else if (d->option && d->cdrom) {
        disks_add_scsi(s, d, 0);
    } else if (d->option || strcmp(d->iface, "virtio") == 0) {
        disks_new_device(s, "virtio-blk-pci", d->id);
    }
}

/* Use a drive with if=pflash as the contents of a flash bank. */
static bool disks_set_flash(Session *s, const DriveOption *d, GError **err)
{
    g_autofree char *prop = g_strdup_printf("pflash%u", d->unit);

    if (d->bus || d->unit > 1) {
        return error_set(
            err, ERROR_USER,
            "-drive if=pflash,bus=%u,unit=%u: machines have the flash banks unit=0 and "
            "unit=1",
            d->bus, d->unit);
    }
    for (guint i = 0; i < s->plan->settings->len; i++) {
        const PlanSetting *set = s->plan->settings->pdata[i];

        if (strcmp(set->name, prop) == 0 && set->text && *set->text) {
            return error_set(err, ERROR_USER,
                             "-machine %s=%s and -drive if=pflash,unit=%u: use only one of them",
                             prop, set->text, d->unit);
        }
    }
    plan_machine_set(s->plan, prop, d->id);
    return true;
}

bool disks_add_devices(Session *s, GError **err)
{
    for (guint i = 0; i < s->drives->len; i++) {
        const DriveOption *d = s->drives->pdata[i];

        if (strcmp(d->iface, "pflash") == 0 && !disks_set_flash(s, d, err)) {
            return false;
        }
        if (!d->option || !drive_used(s, d)) {
            disks_add_device(s, d);
        }
    }
    return true;
}

bool disks_drive_add(Session *s, const char *arg, GError **err)
{
    struct json_object *o = disks_parse(arg, err);
    const char *iface = o ? disks_text(o, "if") : NULL;
    bool ok = o != NULL;

    if (iface && strcmp(iface, "none") != 0) {
        ok = error_set(err, ERROR_USER,
                       "if=%s: a running machine accepts if=none only; device_add adds the device",
                       iface);
    } else if (o && !disks_text(o, "id")) {
        ok = error_set(err, ERROR_USER, "id= is required, for drive= of device_add");
    }
    if (ok) {
        json_object_object_del(o, "if");
        if (s->snapshot) {
            json_object_object_add(o, "snapshot", json_object_new_string("on"));
        }
        ok = block_drive_check(o, err) && host_part_add(s, "drive", o, err);
    }
    json_object_put(o);
    return ok;
}

static bool disks_is_on(const char *text)
{
    return text && (strcmp(text, "on") == 0 || strcmp(text, "true") == 0);
}

bool disks_apply_snapshot(Session *s, GError **err)
{
    for (guint i = 0; s->snapshot && i < s->plan->host->len; i++) {
        const PlanHostPart *part = s->plan->host->pdata[i];
        const char *driver = disks_text(part->options, "driver");

        if (strcmp(part->kind, "drive") == 0) {
            json_object_object_add(part->options, "snapshot", json_object_new_string("on"));
        } else if (strcmp(part->kind, "blockdev") == 0 && driver &&
                   !g_str_has_prefix(driver, "null-") &&
                   !disks_is_on(disks_text(part->options, "read-only"))) {
            return error_set(err, ERROR_USER,
                             "-snapshot does not protect the image of -blockdev node-name=%s: use "
                             "-drive, or read-only=on",
                             part->id);
        }
    }
    return true;
}

void disks_init(Session *s)
{
    s->drives = g_ptr_array_new_with_free_func(free_drive_option);
}

void disks_free(Session *s)
{
    g_ptr_array_unref(s->drives);
}
