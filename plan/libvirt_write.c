/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a description as a domain XML document of libvirt.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "plan/address_types.h"
#include "plan/exchange.h"
#include "plan/internal.h"
#include "plan/libvirt_internal.h"

typedef struct DomainWriter {
    const PlanMachine *m;
    PlanXml *devices;
    GHashTable *index; /* PlanBusNode -> index of its controller */
    unsigned n_pci;
    GHashTable *counts; /* word -> number of such elements so far */
    bool usb, balloon, video;
} DomainWriter;

static bool writer_fail(const PlanDevice *d, const char *why, GError **err)
{
    g_autofree char *label = plan_device_label(d);

    return plan_fail(err, "%s: libvirt cannot express %s", label, why);
}

/* Set a value that is a number. */
static void writer_set_number(PlanXml *x, const char *path, const char *format, unsigned n)
{
    char text[32];

    g_snprintf(text, sizeof(text), strcmp(format, "x") == 0 ? "0x%02x" : "%u", n);
    plan_xml_set(x, path, text);
}

/* Return the number of earlier elements that begin with a word. */
static unsigned writer_count(DomainWriter *w, const char *word)
{
    guint n = GPOINTER_TO_UINT(g_hash_table_lookup(w->counts, word));

    g_hash_table_insert(w->counts, (gpointer)word, GUINT_TO_POINTER(n + 1));
    return n;
}

/* --- the domain --- */

static void writer_head(const PlanMachine *m, PlanTarget target, PlanXml *domain)
{
    static const struct {
        const char *role, *path;
    } images[] = { { "firmware", "os/loader" },
                   { "kernel", "os/kernel" },
                   { "initrd", "os/initrd" },
                   { "dtb", "os/dtb" } };
    const PlanCatalog *c = m->index->catalog;
    g_autofree char *ram = g_strdup_printf("%" G_GUINT64_FORMAT, m->ram_size >> 10);

    plan_xml_set(domain, "@type", "qemu");
    plan_xml_set(domain, "name", m->name ? m->name : "planned");
    if (m->uuid) {
        plan_xml_set(domain, "uuid", m->uuid);
    }
    plan_xml_set(domain, "memory", ram);
    plan_xml_set(domain, "memory@unit", "KiB");
    writer_set_number(domain, "vcpu", "u", m->cpus);
    plan_xml_set(domain, "os/type", "hvm");
    if (c->arch) {
        plan_xml_set(domain, "os/type@arch", c->arch);
    }
    plan_xml_set(domain, "os/type@machine", plan_target_machine(m, target));
    for (size_t i = 0; i < G_N_ELEMENTS(images); i++) {
        const PlanBootImage *image = plan_find_boot(m, images[i].role);

        if (image && g_strcmp0(image->path, "default") != 0 && image->path) {
            plan_xml_set(domain, images[i].path, image->path);
        }
    }
    if (m->append) {
        plan_xml_set(domain, "os/cmdline", m->append);
    }
    if (g_strcmp0(c->arch, "x86_64") == 0) {
        plan_xml_new(plan_xml_new(domain, "features"), "acpi");
    }
}

/* --- addresses --- */

static bool writer_pci_address(const DomainWriter *w, const PlanDevice *d, PlanXml *x)
{
    gpointer index;

    if (!g_hash_table_lookup_extended(w->index, d->on, NULL, &index)) {
        return false;
    }
    plan_xml_set(x, "address@type", "pci");
    plan_xml_set(x, "address@domain", "0x0000");
    writer_set_number(x, "address@bus", "x", GPOINTER_TO_UINT(index));
    writer_set_number(x, "address@slot", "x", d->addr.slot);
    writer_set_number(x, "address@function", "x", d->addr.fn);
    return true;
}

/* Return the text of a setting that was given, or NULL; g_free(). */
static char *writer_setting(const PlanDevice *d, const char *name)
{
    const PlanSetting *s = plan_setting_find(d->settings, name);
    const PlanProp *p = s ? plan_prop_of(d, name) : NULL;

    return p && s->resolved ? plan_value_format(p, &s->value) : NULL;
}

static void writer_copy(const PlanDevice *d, const char *prop, PlanXml *x, const char *path)
{
    g_autofree char *text = writer_setting(d, prop);

    plan_xml_set(x, path, text ? text : "0");
}

/* Set the address of a disk from its bus ("ide.1", "sata1.0", "scsi0.0") and its properties. */
static bool writer_drive_address(const PlanDevice *d, PlanXml *x)
{
    const char *dot = d->bus ? strrchr(d->bus, '.') : NULL;
    const char *bus = plan_xml_get(x, "target@bus");
    char number[16] = "0";

    if (!dot) {
        return true; /* libvirt chooses the address */
    }
    if (dot > d->bus && g_ascii_isdigit(dot[-1])) {
        const char *digits = dot;

        while (digits > d->bus && g_ascii_isdigit(digits[-1])) {
            digits--;
        }
        g_snprintf(number, sizeof(number), "%.*s", (int)(dot - digits), digits);
    }
    plan_xml_set(x, "address@type", "drive");
    plan_xml_set(x, "address@controller", number);
    if (strcmp(bus, "scsi") == 0) {
        writer_copy(d, "channel", x, "address@bus");
        writer_copy(d, "scsi-id", x, "address@target");
        writer_copy(d, "lun", x, "address@unit");
        return true;
    }
    plan_xml_set(x, "address@bus", strcmp(bus, "ide") == 0 ? dot + 1 : "0");
    plan_xml_set(x, "address@target", "0");
    if (strcmp(bus, "ide") == 0) {
        writer_copy(d, "unit", x, "address@unit");
    } else {
        plan_xml_set(x, "address@unit", dot + 1);
    }
    return true;
}

static void writer_port_address(const DomainWriter *w, const PlanDevice *d, PlanXml *x)
{
    g_autofree char *port = writer_setting(d, d->on ? "nr" : "port");
    const char *usb = d->bus && g_str_has_prefix(d->bus, "usb") ? d->bus + 3 : "";
    unsigned n = d->on ? GPOINTER_TO_UINT(g_hash_table_lookup(w->index, d->on))
                       : (unsigned)g_ascii_strtoull(usb, NULL, 10);

    if (!port) {
        return;
    }
    plan_xml_set(x, "address@type", d->on ? "virtio-serial" : "usb");
    writer_set_number(x, d->on ? "address@controller" : "address@bus", "u", n);
    if (d->on) {
        plan_xml_set(x, "address@bus", "0");
    }
    plan_xml_set(x, "address@port", port);
}

static bool writer_address(const DomainWriter *w, const PlanDevice *d, PlanXml *x, GError **err)
{
    if (d->on && d->on->rule->addr == PLAN_ADDR_PCI) {
        return writer_pci_address(w, d, x) || writer_fail(d, "its bus", err);
    }
    if (d->on && d->on->rule->addr == PLAN_ADDR_SINGLE) {
        plan_xml_set(x, "address@type", "virtio-mmio");
        return true;
    }
    if (strcmp(x->name, "disk") == 0 && strcmp(plan_xml_get(x, "target@bus"), "usb") != 0) {
        return writer_drive_address(d, x);
    }
    writer_port_address(w, d, x);
    return true;
}

/* --- back ends --- */

/* Return the path of the image of a disk, or NULL: the first "filename" or text of "file" in the
 * chain of its host parts. */
static const char *writer_image(const PlanMachine *m, const char *id)
{
    static const char *const kinds[] = { "drive", "blockdev" };
    const PlanHostPart *part = NULL;
    struct json_object *o, *next;

    for (size_t i = 0; i < G_N_ELEMENTS(kinds) && !part; i++) {
        part = plan_find_host(m, kinds[i], id);
    }
    o = part ? part->options : NULL;
    for (unsigned depth = 0; o && depth < 16; depth++) {
        if (json_object_object_get_ex(o, "filename", &next)) {
            return json_object_get_string(next);
        }
        if (!json_object_object_get_ex(o, "file", &next)) {
            return NULL;
        }
        if (json_object_is_type(next, json_type_string)) {
            part = plan_find_host(m, "blockdev", json_object_get_string(next));
            if (!part) {
                return json_object_get_string(next);
            }
            next = part->options;
        }
        o = next;
    }
    return NULL;
}

/* Return a member of the host part of a disk, or @otherwise. */
static const char *writer_format(const PlanMachine *m, const char *id, const char *otherwise)
{
    static const struct {
        const char *kind, *key;
    } rows[] = { { "drive", "format" }, { "blockdev", "driver" } };
    struct json_object *o;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const PlanHostPart *part = plan_find_host(m, rows[i].kind, id);

        if (part && json_object_object_get_ex(part->options, rows[i].key, &o) &&
            g_strcmp0(json_object_get_string(o), "file") != 0) {
            return json_object_get_string(o);
        }
    }
    return otherwise;
}

static bool writer_disk(DomainWriter *w, const PlanDevice *d, PlanXml *x, GError **err)
{
    g_autofree char *drive = writer_setting(d, "drive"), *dev = NULL, *name = NULL;
    const char *bus = plan_xml_get(x, "target@bus");
    const char *word = strcmp(bus, "virtio") == 0 ? "vd" : strcmp(bus, "ide") == 0 ? "hd" : "sd";
    const char *image = drive ? writer_image(w->m, drive) : NULL;
    bool removable = g_strcmp0(plan_xml_get(x, "@device"), "cdrom") == 0;
    g_autofree char *why = NULL;

    if (!image && !removable) {
        why =
            g_strdup_printf("the disk without the file of its drive '%s': add the option -drive or "
                            "-blockdev with this id",
                            drive ? drive : "");
        return writer_fail(d, why, err);
    }
    plan_xml_set(x, "@type", "file");
    plan_xml_set(x, "driver@name", "qemu");
    plan_xml_set(x, "driver@type", drive ? writer_format(w->m, drive, "raw") : "raw");
    if (image) {
        plan_xml_set(x, "source@file", image);
    }
    name = plan_address_format(plan_address_type("disk"), writer_count(w, word));
    dev = g_strconcat(word, name + 2, NULL);
    plan_xml_set(x, "target@dev", dev);
    return true;
}

/* Read "DOMAIN:BUS:SLOT.FUNCTION" in hexadecimal digits. */
static bool writer_host_address(const char *text, unsigned at[4])
{
    static const char ends[] = { ':', ':', '.', '\0' };

    for (size_t i = 0; i < sizeof(ends); i++) {
        char *end;

        if (!g_ascii_isxdigit(*text)) {
            return false;
        }
        at[i] = (unsigned)g_ascii_strtoull(text, &end, 16);
        if (*end != ends[i]) {
            return false;
        }
        text = end + 1;
    }
    return true;
}

static bool writer_backend(DomainWriter *w, const PlanDevice *d, PlanXml *x, GError **err)
{
    g_autofree char *text = NULL;
    unsigned at[4];

    if (strcmp(x->name, "disk") == 0) {
        return writer_disk(w, d, x, err);
    }
    if (strcmp(x->name, "interface") == 0) {
        plan_xml_set(x, "@type", "user");
    } else if (strcmp(x->name, "rng") == 0) {
        plan_xml_set(x, "backend", "/dev/urandom");
        plan_xml_set(x, "backend@model", "random");
    } else if (strcmp(x->name, "channel") == 0 || strcmp(x->name, "console") == 0 ||
               strcmp(x->name, "serial") == 0) {
        plan_xml_set(x, "@type", "pty");
    } else if (strcmp(d->t->name, "vfio-pci") == 0) {
        text = writer_setting(d, "host");
        if (!text || !writer_host_address(text, at)) {
            return writer_fail(d, "the device without host=DOMAIN:BUS:SLOT.FUNCTION", err);
        }
        plan_xml_set(x, "@mode", "subsystem");
        writer_set_number(x, "source/address@domain", "x", at[0]);
        writer_set_number(x, "source/address@bus", "x", at[1]);
        writer_set_number(x, "source/address@slot", "x", at[2]);
        writer_set_number(x, "source/address@function", "x", at[3]);
    } else if (strcmp(x->name, "filesystem") == 0 || strcmp(x->name, "shmem") == 0 ||
               strcmp(x->name, "crypto") == 0) {
        return writer_fail(d, "this type without its back end: add the element by hand", err);
    }
    return true;
}

/* --- devices --- */

/* Return true if a value differs from the default. Types of ports differ between programs only in
 * their numbers, which libvirt chooses together. */
static bool writer_differs(const PlanDevice *d, const PlanProp *p, const PlanSetting *s)
{
    PlanValue def;
    bool same;

    plan_value_default(p, &def);
    same = plan_value_equal(&def, &s->value);
    plan_value_clear(&def);
    return !same;
}

/* libvirt expresses chassis and port; the number of the slot is always 0. */
static bool writer_is_numbered(const PlanDevice *d)
{
    const PlanValue *slot = plan_device_get(d, "slot");

    return (d->t->role == PLAN_PCI_ROOT_PORT || d->t->role == PLAN_PCI_DOWNSTREAM) && slot &&
           slot->u != 0;
}

static bool writer_properties(const PlanDevice *d, PlanXml *x, GError **err)
{
    g_autoptr(GHashTable) done = g_hash_table_new(g_str_hash, g_str_equal);
    const LibvirtProp *row;

    for (size_t i = 0; (row = plan_libvirt_prop(i)); i++) {
        const PlanSetting *s = plan_libvirt_prop_applies(row, x->name, d->t->name)
                                   ? plan_setting_find(d->settings, row->prop)
                                   : NULL;
        const PlanProp *p = s ? plan_prop_of(d, row->prop) : NULL;
        g_autofree char *text = NULL;

        if (!p || !s->resolved || !writer_differs(d, p, s) ||
            (writer_is_numbered(d) && strcmp(row->prop, "chassis") == 0)) {
            continue;
        }
        text = plan_value_format(p, &s->value);
        if (text) {
            plan_xml_set(x, row->path, text);
            g_hash_table_add(done, (gpointer)row->prop);
        }
    }
    for (guint i = 0; i < d->settings->len; i++) {
        static const char *const known[] = { "chassis",    "slot",    "port",    "drive",
                                             "netdev",     "rng",     "mac",     "chardev",
                                             "host",       "channel", "scsi-id", "lun",
                                             "unit",       "nr",      "id",      "masterbus",
                                             "chassis_nr", NULL };
        const PlanSetting *s = d->settings->pdata[i];
        const PlanProp *p = plan_prop_of(d, s->name);

        if (p && s->given && s->resolved && writer_differs(d, p, s) &&
            !(p->flags & PLAN_PROP_HOST) && p->kind != PLAN_PROP_CAP &&
            !g_strv_contains(known, s->name) && !g_hash_table_contains(done, s->name)) {
            g_autofree char *text = plan_value_format(p, &s->value);
            g_autofree char *what =
                g_strdup_printf("the property %s=%s", s->name, text ? text : "");

            return writer_fail(d, what, err);
        }
    }
    return true;
}

/* Add the alias. The number at the end of an id of libvirt's own form is chosen by libvirt. */
static void writer_alias(const PlanDevice *d, PlanXml *x)
{
    if (d->id) {
        g_autofree char *alias = g_strconcat("ua-", d->id, NULL);

        plan_xml_set(x, "alias@name", alias);
    }
}

static bool writer_controller(DomainWriter *w, const PlanDevice *d, PlanXml *x, GError **err)
{
    const char *type = plan_xml_get(x, "@type");

    bool pci = strcmp(type, "pci") == 0;
    unsigned index = pci ? ++w->n_pci : writer_count(w, type);

    if (index > UINT8_MAX) {
        return writer_fail(d, "more than 255 controllers of one type", err);
    }
    w->usb |= strcmp(type, "usb") == 0;
    writer_set_number(x, "@index", "u", index);
    if (d->brings) {
        g_hash_table_insert(w->index, d->brings, GUINT_TO_POINTER(index));
    }
    return true;
}

static bool writer_device(DomainWriter *w, const PlanDevice *d, GError **err)
{
    const LibvirtType *row = plan_libvirt_type_named(d->t->name);
    PlanXml *x;

    if (!row) {
        return writer_fail(d, "this type", err);
    }
    x = plan_xml_new(w->devices, row->element);
    plan_libvirt_apply(row, x);
    w->balloon |= strcmp(row->element, "memballoon") == 0;
    w->video |= strcmp(row->element, "video") == 0;
    if (strcmp(row->element, "controller") == 0 && !writer_controller(w, d, x, err)) {
        return false;
    }
    if (!writer_backend(w, d, x, err) || !writer_properties(d, x, err)) {
        return false;
    }
    writer_alias(d, x);
    return writer_address(w, d, x, err);
}

/* State that there is none of a device that libvirt otherwise adds. */
static void writer_without(DomainWriter *w)
{
    if (!w->usb) {
        PlanXml *x = plan_xml_new(w->devices, "controller");

        plan_xml_set(x, "@type", "usb");
        plan_xml_set(x, "@model", "none");
    }
    if (!w->balloon) {
        plan_xml_set(plan_xml_new(w->devices, "memballoon"), "@model", "none");
    }
}

static bool writer_devices(DomainWriter *w, GError **err)
{
    const PlanMachineType *t = w->m->index->machine;

    if (t->root_bus) {
        PlanXml *x = plan_xml_new(w->devices, "controller");

        plan_xml_set(x, "@type", "pci");
        plan_xml_set(x, "@index", "0");
        plan_xml_set(x, "@model", t->root_kind == PLAN_BUS_PCIE_ROOT ? "pcie-root" : "pci-root");
        g_hash_table_insert(w->index, w->m->index->root, GUINT_TO_POINTER(0));
    }
    for (guint i = 0; i < w->m->devices->len; i++) {
        const PlanDevice *d = w->m->devices->pdata[i];

        if (!d->implicit && !writer_device(w, d, err)) {
            return false;
        }
    }
    writer_without(w);
    return true;
}

char *plan_to_libvirt(const PlanMachine *m, PlanTarget target, const char *emulator, GError **err)
{
    g_autoptr(PlanXml) domain = plan_xml_new(NULL, "domain");
    DomainWriter w = { .m = m };
    bool ok;

    if (!m->index) {
        plan_fail(err, "the description has not been resolved");
        return NULL;
    }
    w.index = g_hash_table_new(NULL, NULL);
    w.counts = g_hash_table_new(g_str_hash, g_str_equal);
    writer_head(m, target, domain);
    w.devices = plan_xml_new(domain, "devices");
    if (emulator) {
        plan_xml_set(w.devices, "emulator", emulator);
    }
    ok = writer_devices(&w, err);
    g_hash_table_unref(w.index);
    g_hash_table_unref(w.counts);
    return ok ? plan_xml_print(domain) : NULL;
}
