/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a domain XML document of libvirt.
 */
#include <json-c/json.h>

#include "plan/address_types.h"
#include "plan/exchange.h"
#include "plan/internal.h"
#include "plan/libvirt_internal.h"

typedef struct DomainReader {
    const PlanCatalog *c;
    const PlanMachineType *machine;
    PlanMachine *m;
    GPtrArray *implicit; /* PlanDevice* that the board creates */
    GHashTable *pci;     /* index of a PCI controller -> name of its bus */
    GHashTable *counts;  /* word -> number of such ids so far */
} DomainReader;

/* Set *n to the number at a path, decimal or with 0x; *n is unchanged if there is none. */
static bool domain_number(const PlanXml *x, const char *path, uint64_t max, uint64_t *n,
                          GError **err)
{
    const char *text = plan_xml_get(x, path);
    g_autofree char *quoted = NULL;
    char *end = NULL;
    uint64_t value = text && g_ascii_isdigit(*text) ? g_ascii_strtoull(text, &end, 0) : 0;

    if (!text) {
        return true;
    }
    if (end && !*end && value <= max) {
        *n = value;
        return true;
    }
    quoted = plan_quote(text);
    return plan_xml_fail(x, path, err, "%s is not a number of at most %" G_GUINT64_FORMAT, quoted,
                         max);
}

/* --- the domain --- */

static bool domain_memory(DomainReader *r, const PlanXml *domain, GError **err)
{
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = { { "b", 1 },           { "bytes", 1 },    { "KB", 1000 },     { "k", 1024 },
                  { "KiB", 1024 },      { "MB", 1000000 }, { "M", 1 << 20 },   { "MiB", 1 << 20 },
                  { "GB", 1000000000 }, { "G", 1 << 30 },  { "GiB", 1 << 30 }, { "T", 1ull << 40 },
                  { "TiB", 1ull << 40 } };
    const char *unit = plan_xml_get(domain, "memory@unit");
    uint64_t n = 0;

    if (!domain_number(domain, "memory", 1ull << 52, &n, err)) {
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (strcmp(unit ? unit : "KiB", units[i].unit) == 0) {
            if (n > (1ull << 52) / units[i].bytes) {
                return plan_xml_fail(domain, "memory", err, "is more than 4 PiB");
            }
            r->m->ram_size = n * units[i].bytes;
            return true;
        }
    }
    return plan_xml_fail(domain, "memory@unit", err, "must be b, KB, KiB, MB, MiB, GB, GiB or TiB");
}

static void domain_boot(DomainReader *r, const PlanXml *domain)
{
    static const struct {
        const char *path, *role;
    } images[] = { { "os/loader", "firmware" },
                   { "os/kernel", "kernel" },
                   { "os/initrd", "initrd" },
                   { "os/dtb", "dtb" } };

    for (size_t i = 0; i < G_N_ELEMENTS(images); i++) {
        const char *path = plan_xml_get(domain, images[i].path);

        if (path && !plan_find_boot(r->m, images[i].role)) {
            plan_add_boot(r->m, images[i].role)->path = g_strdup(path);
        }
    }
    r->m->append = g_strdup(plan_xml_get(domain, "os/cmdline"));
    plan_boot_default(r->m, r->c);
}

/* Copy a text of the domain of at most @max bytes. */
static bool domain_text(const PlanXml *domain, const char *path, size_t max, char **to,
                        GError **err)
{
    const char *text = plan_xml_get(domain, path);

    if (text && strlen(text) > max) {
        return plan_xml_fail(domain, path, err, "is longer than %zu bytes", max);
    }
    *to = g_strdup(text);
    return true;
}

static bool domain_head(DomainReader *r, const PlanXml *domain, GError **err)
{
    const char *arch = plan_xml_get(domain, "os/type@arch");
    uint64_t cpus = 1;
    g_autofree char *quoted = NULL;

    if (!domain_text(domain, "name", PLAN_NAME_MAX, &r->m->name, err) ||
        !domain_text(domain, "uuid", PLAN_NAME_MAX, &r->m->uuid, err) ||
        !domain_text(domain, "os/type@machine", PLAN_ID_MAX, &r->m->type, err) ||
        !domain_number(domain, "vcpu", 1 << 16, &cpus, err) || !domain_memory(r, domain, err)) {
        return false;
    }
    if (r->m->uuid && !g_uuid_string_is_valid(r->m->uuid)) {
        return plan_xml_fail(domain, "uuid", err, "is not a UUID");
    }
    if (arch && r->c->arch && strcmp(arch, r->c->arch) != 0) {
        quoted = plan_quote(arch);
        return plan_xml_fail(domain, "os/type@arch", err, "is %s, but the catalogue is one of %s",
                             quoted, r->c->arch);
    }
    r->machine = plan_choose_machine(r->m, r->c, err);
    if (!r->machine) {
        g_prefix_error(err, "domain/os/type@machine: ");
        return false;
    }
    r->m->cpus = (unsigned)MAX(cpus, 1);
    domain_boot(r, domain);
    return true;
}

/* --- ids --- */

/* Return the id that libvirt gives to the device of a disk; g_free(). */
static char *domain_disk_id(const PlanXml *x, const char *bus)
{
    const char *dev = plan_xml_get(x, "target@dev"), *part[4];
    g_autofree char *name =
        dev && strlen(dev) > 2 ? g_strconcat("sd", dev + 2, NULL) : g_strdup("sda");
    static const char *const paths[] = { "address@controller", "address@bus", "address@target",
                                         "address@unit" };
    uint64_t n = 0;

    if (strcmp(bus, "virtio") == 0 || strcmp(bus, "usb") == 0) {
        plan_address_parse(plan_address_type("disk"), name, &n, NULL);
        return g_strdup_printf("%s-disk%u", bus, (unsigned)n);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        part[i] = plan_xml_get(x, paths[i]);
        part[i] = part[i] ? part[i] : "0";
    }
    return strcmp(bus, "scsi") == 0
               ? g_strdup_printf("%s%.8s-%.8s-%.8s-%.8s", bus, part[0], part[1], part[2], part[3])
               : g_strdup_printf("%.16s%.8s-%.8s-%.8s", bus, part[0], part[1], part[3]);
}

/* Return the id of a device without an alias; g_free(). */
static char *domain_default_id(DomainReader *r, const PlanXml *x)
{
    const char *type = plan_xml_get(x, "@type"), *index = plan_xml_get(x, "@index");
    const char *word = plan_libvirt_word(x->name), *bus = plan_xml_get(x, "target@bus");
    guint n;

    if (strcmp(x->name, "controller") == 0 && type) {
        if (strcmp(type, "usb") == 0 && (!index || strcmp(index, "0") == 0)) {
            return g_strdup("usb");
        }
        return g_strdup_printf("%.32s%s%.8s", type, strcmp(type, "pci") == 0 ? "." : "",
                               index ? index : "0");
    }
    if (strcmp(x->name, "disk") == 0 && bus) {
        return domain_disk_id(x, bus);
    }
    n = GPOINTER_TO_UINT(g_hash_table_lookup(r->counts, word));
    g_hash_table_insert(r->counts, (gpointer)word, GUINT_TO_POINTER(n + 1));
    return g_strdup_printf("%s%u", word, n);
}

/* Return the id of the device of an element for g_free(); NULL with @err set if it is not an id. */
static char *domain_id(DomainReader *r, const PlanXml *x, GError **err)
{
    const char *alias = plan_xml_get(x, "alias@name");
    g_autofree char *derived = domain_default_id(r, x); /* counts even if there is an alias */
    g_autofree char *id = alias ? g_strdup(g_str_has_prefix(alias, "ua-") ? alias + 3 : alias)
                                : g_steal_pointer(&derived);

    if (!plan_check_id(id, err)) {
        g_autofree char *cause = g_strdup(err && *err ? (*err)->message : "");

        g_clear_error(err);
        plan_xml_fail(x, alias ? "alias@name" : NULL, err, "%s", cause);
        return NULL;
    }
    return g_steal_pointer(&id);
}

/* --- addresses --- */

static bool domain_pci_address(DomainReader *r, const PlanXml *x, PlanDevice *d, GError **err)
{
    uint64_t domain = 0, bus = 0, slot = 0, fn = 0;
    const char *name;

    if (!domain_number(x, "address@domain", UINT16_MAX, &domain, err) ||
        !domain_number(x, "address@bus", UINT8_MAX, &bus, err) ||
        !domain_number(x, "address@slot", 0x1f, &slot, err) ||
        !domain_number(x, "address@function", 7, &fn, err)) {
        return false;
    }
    name = g_hash_table_lookup(r->pci, GUINT_TO_POINTER((guint)bus));
    if (domain || !name) {
        return plan_xml_fail(x, "address@bus", err,
                             "there is no PCI controller with the index %u%s", (unsigned)bus,
                             domain ? " in another domain than 0" : "");
    }
    g_free(d->bus);
    d->bus = g_strdup(name);
    d->addr = (PlanPciAddr){ .slot = (uint8_t)slot, .fn = (uint8_t)fn };
    d->has_addr = true;
    return true;
}

static void domain_set_number(PlanDevice *d, const char *prop, uint64_t n)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, n);

    plan_device_set(d, prop, text);
}

/* Controller, bus, target and unit of a SCSI, IDE or SATA disk. */
static bool domain_drive_address(const PlanXml *x, PlanDevice *d, GError **err)
{
    const char *bus = plan_xml_get(x, "target@bus");
    uint64_t controller = 0, channel = 0, target = 0, unit = 0;

    if (!domain_number(x, "address@controller", UINT16_MAX, &controller, err) ||
        !domain_number(x, "address@bus", UINT8_MAX, &channel, err) ||
        !domain_number(x, "address@target", UINT16_MAX, &target, err) ||
        !domain_number(x, "address@unit", UINT16_MAX, &unit, err)) {
        return false;
    }
    if (g_strcmp0(bus, "scsi") == 0) {
        d->bus = g_strdup_printf("scsi%u.0", (unsigned)controller);
        domain_set_number(d, "channel", channel);
        domain_set_number(d, "scsi-id", target);
        domain_set_number(d, "lun", unit);
    } else if (g_strcmp0(bus, "sata") == 0) {
        d->bus = controller ? g_strdup_printf("sata%u.%u", (unsigned)controller, (unsigned)unit)
                            : g_strdup_printf("ide.%u", (unsigned)unit);
    } else {
        d->bus = g_strdup_printf("ide.%u", (unsigned)channel);
        domain_set_number(d, "unit", unit);
    }
    return true;
}

static bool domain_port_address(const PlanXml *x, PlanDevice *d, bool usb, GError **err)
{
    uint64_t controller = 0, port = 0;

    if (!domain_number(x, usb ? "address@bus" : "address@controller", UINT16_MAX, &controller,
                       err) ||
        (!usb && !domain_number(x, "address@port", UINT16_MAX, &port, err))) {
        return false;
    }
    d->bus = !usb         ? g_strdup_printf("virtio-serial%u.0", (unsigned)controller)
             : controller ? g_strdup_printf("usb%u.0", (unsigned)controller)
                          : g_strdup("usb.0");
    if (usb && plan_xml_get(x, "address@port")) {
        plan_device_set(d, "port", plan_xml_get(x, "address@port"));
    } else if (!usb) {
        domain_set_number(d, "nr", port);
    }
    return true;
}

static bool domain_address(DomainReader *r, const PlanXml *x, PlanDevice *d, GError **err)
{
    const char *type = plan_xml_get(x, "address@type");
    g_autofree char *quoted = NULL;

    if (!plan_xml_child(x, "address")) {
        return true;
    }
    if (g_strcmp0(type, "pci") == 0) {
        return domain_pci_address(r, x, d, err);
    }
    if (g_strcmp0(type, "drive") == 0) {
        return domain_drive_address(x, d, err);
    }
    if (g_strcmp0(type, "usb") == 0 || g_strcmp0(type, "virtio-serial") == 0) {
        return domain_port_address(x, d, *type == 'u', err);
    }
    if (g_strcmp0(type, "virtio-mmio") == 0) {
        return true;
    }
    quoted = plan_quote(type ? type : "");
    return plan_xml_fail(x, "address@type", err,
                         "is %s; pci, drive, usb, virtio-serial and virtio-mmio are accepted",
                         quoted);
}

/* --- back ends --- */

static bool domain_add_part(DomainReader *r, const char *kind, struct json_object *options,
                            GError **err)
{
    PlanHostPart *part = plan_host_part_parse(kind, json_object_to_json_string(options), err);

    json_object_put(options);
    if (part && plan_machine_add_host(r->m, part, err)) {
        return true;
    }
    plan_host_part_free(part);
    return false;
}

static void domain_put(struct json_object *o, const char *key, const char *text)
{
    json_object_object_add(o, key, json_object_new_string(text));
}

/* The image of a disk. Without a source, as for an empty drive, the device has no back end. */
static bool domain_disk_backend(DomainReader *r, const PlanXml *x, PlanDevice *d, GError **err)
{
    const char *file = plan_xml_get(x, "source@file"), *dev = plan_xml_get(x, "source@dev");
    const char *format = plan_xml_get(x, "driver@type");
    g_autofree char *node = g_strconcat("drive-", d->id, NULL);
    struct json_object *o, *image;

    if (!plan_xml_child(x, "source")) {
        return true;
    }
    plan_device_set(d, "drive", node);
    if (!file && !dev) {
        return true; /* a network disk or a volume: only its id is known */
    }
    image = json_object_new_object();
    domain_put(image, "driver", file ? "file" : "host_device");
    domain_put(image, "filename", file ? file : dev);
    o = json_object_new_object();
    domain_put(o, "node-name", node);
    domain_put(o, "driver", format ? format : "raw");
    json_object_object_add(o, "file", image);
    return domain_add_part(r, "blockdev", o, err);
}

static bool domain_net_backend(DomainReader *r, const PlanXml *x, PlanDevice *d, GError **err)
{
    const char *type = plan_xml_get(x, "@type"), *bridge = plan_xml_get(x, "source@bridge");
    g_autofree char *id = g_strconcat("host", d->id, NULL);
    struct json_object *o;

    plan_device_set(d, "netdev", id);
    if (g_strcmp0(type, "user") != 0 && !(g_strcmp0(type, "bridge") == 0 && bridge)) {
        return true;
    }
    o = json_object_new_object();
    domain_put(o, "type", type);
    domain_put(o, "id", id);
    if (*type == 'b') {
        domain_put(o, "br", bridge);
    }
    return domain_add_part(r, "netdev", o, err);
}

static bool domain_rng_backend(DomainReader *r, const PlanXml *x, PlanDevice *d, GError **err)
{
    const char *file = plan_xml_get(x, "backend"), *model = plan_xml_get(x, "backend@model");
    g_autofree char *id = g_strconcat("obj", d->id, NULL);
    bool builtin = g_strcmp0(model, "builtin") == 0;
    struct json_object *o;

    plan_device_set(d, "rng", id);
    if (!builtin && g_strcmp0(model, "random") != 0) {
        return true;
    }
    o = json_object_new_object();
    domain_put(o, "qom-type", builtin ? "rng-builtin" : "rng-random");
    domain_put(o, "id", id);
    if (!builtin && file) {
        domain_put(o, "filename", file);
    }
    return domain_add_part(r, "object", o, err);
}

/* A back end of which only the id is known. */
static void domain_named_backend(PlanDevice *d, const char *prop, const char *before)
{
    g_autofree char *id = g_strconcat(before, d->id, NULL);

    plan_device_set(d, prop, id);
}

static bool domain_hostdev(const PlanXml *x, PlanDevice *d, GError **err)
{
    const PlanXml *source = plan_xml_child(x, "source");
    uint64_t at[4] = { 0 };
    static const char *const paths[] = { "address@domain", "address@bus", "address@slot",
                                         "address@function" };
    g_autofree char *host = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        if (!source || !domain_number(source, paths[i], UINT16_MAX, &at[i], err)) {
            return source && true;
        }
    }
    host = g_strdup_printf("%04x:%02x:%02x.%x", (unsigned)at[0], (unsigned)at[1], (unsigned)at[2],
                           (unsigned)at[3]);
    plan_device_set(d, "host", host);
    return true;
}

static bool domain_backend(DomainReader *r, const PlanXml *x, PlanDevice *d, GError **err)
{
    if (strcmp(x->name, "disk") == 0) {
        return domain_disk_backend(r, x, d, err);
    }
    if (strcmp(x->name, "interface") == 0) {
        return domain_net_backend(r, x, d, err);
    }
    if (strcmp(x->name, "rng") == 0) {
        return domain_rng_backend(r, x, d, err);
    }
    if (strcmp(d->type, "vfio-pci") == 0) {
        return domain_hostdev(x, d, err);
    }
    if (strcmp(x->name, "channel") == 0 || strcmp(x->name, "console") == 0 ||
        strcmp(x->name, "serial") == 0 || strcmp(d->type, "vhost-user-fs-pci") == 0) {
        domain_named_backend(d, "chardev", "char");
    } else if (strcmp(d->type, "virtio-9p-pci") == 0) {
        domain_named_backend(d, "fsdev", "fsdev-");
    } else if (strcmp(x->name, "crypto") == 0) {
        domain_named_backend(d, "cryptodev", "obj");
    } else if (strcmp(x->name, "shmem") == 0) {
        domain_named_backend(d, *(strchr(d->type, '-') + 1) == 'p' ? "memdev" : "chardev", "shm-");
    }
    return true;
}

/* --- devices --- */

static bool domain_properties(const PlanXml *x, PlanDevice *d, const PlanType *t, GError **err)
{
    const LibvirtProp *row;

    for (size_t i = 0; (row = plan_libvirt_prop(i)); i++) {
        const char *value =
            plan_libvirt_prop_applies(row, x->name, t->name) ? plan_xml_get(x, row->path) : NULL;

        if (value && !plan_find_prop(t->props, t->n_props, row->prop)) {
            return plan_xml_fail(x, row->path, err, "type %s has no property '%s'", t->name,
                                 row->prop);
        }
        if (value) {
            plan_device_set(d, row->prop, value);
        }
    }
    if (g_str_has_prefix(t->name, "ich9-usb-uhci")) {
        plan_device_set(d, "masterbus", "usb.0"); /* a companion of the EHCI controller "usb" */
        g_clear_pointer(&d->id, g_free);
    }
    return true;
}

/* Return true if the board creates the device. */
static bool domain_is_implicit(const DomainReader *r, const PlanDevice *d)
{
    for (guint i = 0; i < r->implicit->len; i++) {
        const PlanDevice *board = r->implicit->pdata[i];

        if (strcmp(board->type, d->type) == 0 && d->has_addr &&
            g_strcmp0(d->bus, r->machine->root_bus) == 0 &&
            plan_addr_compare(&board->addr, &d->addr) == 0) {
            return true;
        }
    }
    return false;
}

static const PlanType *domain_expect_type(const DomainReader *r, const PlanXml *x, const char *name,
                                          GError **err)
{
    bool mmio = g_strcmp0(plan_xml_get(x, "address@type"), "virtio-mmio") == 0;
    g_autofree char *device = mmio && g_str_has_suffix(name, "-pci")
                                  ? g_strdup_printf("%.*s-device", (int)strlen(name) - 4, name)
                                  : g_strdup(name);
    GError *cause = NULL;
    const PlanType *t = plan_expect_type(r->c, device, &cause);

    if (!t) {
        plan_xml_fail(x, NULL, err, "%s", cause->message);
        g_error_free(cause);
    }
    return t;
}

/* Add the device of an element. */
static bool domain_add(DomainReader *r, const PlanXml *x, const char *type, GError **err)
{
    const PlanType *t = domain_expect_type(r, x, type, err);
    g_autoptr(PlanDevice) d = t ? plan_device_new(t->name) : NULL;
    GError *cause = NULL;

    if (!d || !(d->id = domain_id(r, x, err)) || !domain_address(r, x, d, err)) {
        return false;
    }
    if (r->m->devices->len == PLAN_DEVICES_MAX) {
        return plan_xml_fail(x, NULL, err, "more than %d devices", PLAN_DEVICES_MAX);
    }
    if (domain_is_implicit(r, d)) {
        return true;
    }
    if (!domain_properties(x, d, t, err)) {
        return false;
    }
    if (!domain_backend(r, x, d, &cause)) {
        plan_xml_fail(x, NULL, err, "%s", cause ? cause->message : "the back end is incomplete");
        g_clear_error(&cause);
        return false;
    }
    g_ptr_array_add(r->m->devices, g_steal_pointer(&d));
    return true;
}

static bool domain_device(DomainReader *r, const PlanXml *x, GError **err)
{
    const LibvirtType *row = plan_libvirt_is_host(x->name) ? NULL : plan_libvirt_type(x);

    if (!row && !plan_libvirt_is_host(x->name)) {
        const char *model = plan_xml_get(x, "@model");
        g_autofree char *quoted = plan_quote(model ? model : "");

        return plan_xml_fail(x, NULL, err, "no device type is known for this element (model %s)",
                             quoted);
    }
    return !row || !row->type || domain_add(r, x, row->type, err);
}

/* Enter the name of the bus of each PCI controller. */
static bool domain_buses(DomainReader *r, const PlanXml *devices, GError **err)
{
    if (r->machine->root_bus) {
        g_hash_table_insert(r->pci, GUINT_TO_POINTER(0), g_strdup(r->machine->root_bus));
    }
    for (guint i = 0; devices && i < devices->children->len; i++) {
        const PlanXml *x = devices->children->pdata[i];
        uint64_t index = 0;
        char *id;

        if (strcmp(x->name, "controller") != 0 || g_strcmp0(plan_xml_get(x, "@type"), "pci") != 0) {
            continue;
        }
        if (!domain_number(x, "@index", UINT8_MAX, &index, err)) {
            return false;
        }
        if (index == 0) {
            continue;
        }
        if (g_hash_table_contains(r->pci, GUINT_TO_POINTER((guint)index))) {
            return plan_xml_fail(x, "@index", err, "%u is used twice", (unsigned)index);
        }
        id = domain_id(r, x, err);
        if (!id) {
            return false;
        }
        g_hash_table_insert(r->pci, GUINT_TO_POINTER((guint)index), id);
    }
    return true;
}

/* Add the devices: controllers first, because others refer to their buses. */
static bool domain_devices(DomainReader *r, const PlanXml *devices, GError **err)
{
    for (unsigned pass = 0; devices && pass < 2; pass++) {
        for (guint i = 0; i < devices->children->len; i++) {
            const PlanXml *x = devices->children->pdata[i];

            if ((strcmp(x->name, "controller") == 0) == (pass == 0) && !domain_device(r, x, err)) {
                return false;
            }
        }
    }
    return true;
}

/* The arguments of <qemu:commandline>. */
static bool domain_arguments(DomainReader *r, const PlanXml *domain, GError **err)
{
    const PlanXml *line = plan_xml_child(domain, "qemu:commandline");
    g_autoptr(GPtrArray) args = g_ptr_array_new();
    g_autoptr(PlanMachine) over = NULL;

    if (!line) {
        return true;
    }
    g_ptr_array_add(args, "-nodefaults");
    for (guint i = 0; i < line->children->len; i++) {
        const PlanXml *x = line->children->pdata[i];
        const char *value = plan_xml_get(x, "@value");

        if (strcmp(x->name, "qemu:arg") == 0 && value) {
            g_ptr_array_add(args, (char *)value);
        }
    }
    g_ptr_array_add(args, NULL);
    over = plan_from_arguments((const char *const *)args->pdata, r->c, err);
    if (!over) {
        g_prefix_error(err, "domain/qemu:commandline: ");
        return false;
    }
    return plan_merge(r->m, over, r->c, err);
}

static bool domain_implicit(DomainReader *r, GError **err)
{
    for (size_t i = 0; r->machine->implicit && r->machine->implicit[i]; i++) {
        PlanDevice *d = plan_device_parse(r->machine->implicit[i], err);

        if (!d) {
            return false;
        }
        g_ptr_array_add(r->implicit, d);
    }
    return true;
}

static void domain_free_device(gpointer d)
{
    plan_device_free(d);
}

PlanMachine *plan_from_libvirt(const char *text, size_t len, const PlanCatalog *c, GError **err)
{
    g_autoptr(PlanXml) domain = plan_xml_parse(text, len, "domain", err);
    g_autoptr(PlanMachine) m = plan_machine_new();
    DomainReader r = { .c = c, .m = m };
    const PlanXml *devices = plan_xml_child(domain, "devices");
    bool ok;

    if (!domain) {
        return NULL;
    }
    r.implicit = g_ptr_array_new_with_free_func(domain_free_device);
    r.pci = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    r.counts = g_hash_table_new(g_str_hash, g_str_equal);
    ok = domain_head(&r, domain, err) && domain_implicit(&r, err) &&
         domain_buses(&r, devices, err) && domain_devices(&r, devices, err) &&
         domain_arguments(&r, domain, err);
    g_ptr_array_unref(r.implicit);
    g_hash_table_unref(r.pci);
    g_hash_table_unref(r.counts);
    return ok ? g_steal_pointer(&m) : NULL;
}
