/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI addresses as users write them, and the rules of each bus type.
 */
#include "plan/internal.h"

#define ROLE(r) (1 << PLAN_PCI_##r)

static const PlanBusRule rules[PLAN_BUS_KINDS] = {
    [PLAN_BUS_NONE] = { .name = "none", .doc = "no bus", .takes = "nothing" },
    [PLAN_BUS_SYSTEM] = { .name = "system", .doc = "the board", .takes = "board devices" },
    [PLAN_BUS_PCIE_ROOT] = {
        .name = "pcie-root", .doc = "a PCI Express root bus", .addr = PLAN_ADDR_PCI,
        .last_slot = 31,
        .roles = ROLE(ENDPOINT) | ROLE(ROOT_PORT) | ROLE(PCIE_BRIDGE) | ROLE(BRIDGE) |
                 ROLE(EXTRA_ROOT) | ROLE(HOST),
        .slots = PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS,
        .takes = "integrated endpoints, root ports, bridges and extra root buses",
        .suffix = "",
    },
    [PLAN_BUS_PCI_ROOT] = {
        .name = "pci-root", .doc = "a conventional root bus", .addr = PLAN_ADDR_PCI,
        .last_slot = 31, .roles = ROLE(ENDPOINT) | ROLE(BRIDGE) | ROLE(HOST),
        .slots = PLAN_SLOT_CONVENTIONAL, .takes = "conventional functions and bridges",
        .suffix = "",
    },
    [PLAN_BUS_PCI] = {
        .name = "pci", .doc = "a conventional bus behind a bridge", .addr = PLAN_ADDR_PCI,
        .last_slot = 31, .roles = ROLE(ENDPOINT) | ROLE(BRIDGE),
        .slots = PLAN_SLOT_CONVENTIONAL, .takes = "conventional functions and bridges",
        .hotplug = PLAN_HOTPLUG_IF, .hotplug_prop = "shpc", .prop_reserves_slot0 = true,
        .suffix = "",
    },
    [PLAN_BUS_PCIE_PORT] = {
        .name = "pcie-port", .doc = "the link below a PCI Express port", .addr = PLAN_ADDR_PCI,
        .ari = true,
        .roles = ROLE(ENDPOINT) | ROLE(UPSTREAM) | ROLE(PCIE_BRIDGE) | ROLE(BRIDGE),
        /* conventional functions, too: QEMU command lines plug edu there */
        .slots = PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS,
        .takes = "one device, a switch upstream port or a bridge",
        .hotplug = PLAN_HOTPLUG_UNLESS, .hotplug_prop = "hotplug", .suffix = "",
    },
    [PLAN_BUS_PCIE_UPSTREAM] = {
        .name = "pcie-upstream", .doc = "the internal bus of a PCI Express switch",
        .addr = PLAN_ADDR_PCI, .last_slot = 31, .roles = ROLE(DOWNSTREAM),
        .takes = "switch downstream ports", .hotplug = PLAN_HOTPLUG_UNSEEN, .suffix = "",
    },
    [PLAN_BUS_VIRTIO_SERIAL] = {
        .name = "virtio-serial-bus", .doc = "a virtio serial bus", .addr = PLAN_ADDR_NUMBER,
        .takes = "virtio serial ports", .hotplug = PLAN_HOTPLUG_ALWAYS, .number_prop = "nr",
        .limit_prop = "max_ports", .suffix = ".0",
    },
    [PLAN_BUS_VIRTIO_MMIO] = {
        .name = "virtio-mmio-bus", .doc = "a virtio MMIO slot", .addr = PLAN_ADDR_SINGLE,
        .takes = "one virtio device", .suffix = "",
    },
    [PLAN_BUS_SCSI] = {
        .name = "SCSI", .doc = "a SCSI bus", .addr = PLAN_ADDR_SCSI,
        .takes = "SCSI disks and CD-ROM drives", .hotplug = PLAN_HOTPLUG_ALWAYS, .suffix = ".0",
    },
    [PLAN_BUS_USB] = {
        .name = "usb-bus", .doc = "a USB bus", .addr = PLAN_ADDR_NUMBER, .takes = "USB devices",
        .hotplug = PLAN_HOTPLUG_ALWAYS, .number_prop = "port", .limit_prop = "p2",
        .limit_is_last = true, .suffix = ".0",
    },
    [PLAN_BUS_NVME] = {
        .name = "nvme-bus", .doc = "the namespaces of an nvme controller",
        .addr = PLAN_ADDR_NUMBER, .takes = "namespaces (nvme-ns)", .hotplug = PLAN_HOTPLUG_ALWAYS,
        .number_prop = "nsid", .last_number = 256, .limit_is_last = true, .owner_prop = "drive", .suffix = "",
    },
    [PLAN_BUS_OTHER] = {
        .name = "other", .doc = "a bus whose addresses are not managed", .takes = "nothing",
    },
};

const PlanBusRule *plan_bus_rule(PlanBusKind kind)
{
    return &rules[(unsigned)kind < PLAN_BUS_KINDS ? kind : PLAN_BUS_NONE];
}

bool plan_bus_is_express(PlanBusKind kind)
{
    return kind == PLAN_BUS_PCIE_ROOT || kind == PLAN_BUS_PCIE_PORT ||
           kind == PLAN_BUS_PCIE_UPSTREAM;
}

const char *plan_role_name(PlanPciRole role)
{
    static const char *const names[] = {
        [PLAN_PCI_NONE] = "not a PCI function",
        [PLAN_PCI_ENDPOINT] = "an endpoint",
        [PLAN_PCI_ROOT_PORT] = "a root port",
        [PLAN_PCI_UPSTREAM] = "a switch upstream port",
        [PLAN_PCI_DOWNSTREAM] = "a switch downstream port",
        [PLAN_PCI_PCIE_BRIDGE] = "a PCIe-to-PCI bridge",
        [PLAN_PCI_BRIDGE] = "a conventional PCI bridge",
        [PLAN_PCI_EXTRA_ROOT] = "an extra root bus",
        [PLAN_PCI_HOST] = "a host bridge",
    };

    return (unsigned)role < G_N_ELEMENTS(names) ? names[role] : names[0];
}

/* Parse 1 to @max_digits hexadecimal digits and advance *text past them. */
static bool parse_hex(const char **text, unsigned max_digits, unsigned *value)
{
    unsigned n = 0, v = 0;

    for (; n < max_digits && g_ascii_isxdigit((*text)[n]); n++) {
        v = v << 4 | (unsigned)g_ascii_xdigit_value((*text)[n]);
    }
    *text += n;
    *value = v;
    return n > 0;
}

static const char *skip_0x(const char *text)
{
    return g_ascii_strncasecmp(text, "0x", 2) == 0 ? text + 2 : text;
}

/* Parse SLOT[.FUNCTION]. Management software writes "0x" in front of either. */
static bool parse_slot(const char *text, PlanPciAddr *addr)
{
    unsigned slot, fn = 0;

    text = skip_0x(text);
    if (!parse_hex(&text, 2, &slot)) {
        return false;
    }
    if (*text == '.') {
        text = skip_0x(text + 1);
        if (!parse_hex(&text, 1, &fn)) {
            return false;
        }
    }
    addr->slot = (uint8_t)slot;
    addr->fn = (uint8_t)fn;
    return *text == '\0' && slot <= 0x1f && fn <= 7;
}

static bool parse_full(const char *text, PlanPciAddr *addr)
{
    unsigned first, second;

    if (!parse_hex(&text, 4, &first) || *text++ != ':') {
        return false;
    }
    if (strchr(text, ':')) {
        if (!parse_hex(&text, 2, &second) || *text++ != ':') {
            return false;
        }
        addr->domain = (uint16_t)first;
        addr->bus = (uint8_t)second;
    } else {
        addr->bus = (uint8_t)first;
    }
    return (addr->domain == first || first <= 0xff) && parse_slot(text, addr);
}

bool plan_addr_parse(const char *text, PlanPciAddr *addr, bool *full, GError **err)
{
    bool has_bus = strchr(text, ':') != NULL;
    g_autofree char *quoted = NULL;

    *addr = (PlanPciAddr){ 0 };
    if (full) {
        *full = has_bus;
    }
    if (has_bus ? parse_full(text, addr) : parse_slot(text, addr)) {
        return true;
    }
    quoted = plan_quote(text);
    return plan_fail(err,
                     "invalid address %s: use SLOT or SLOT.FUNCTION in hexadecimal, slot 00 to 1f, "
                     "function 0 to 7 (05, 05.1, 0x5.1), or a full address (0000:00:05.1)",
                     quoted);
}

char *plan_addr_format(const PlanPciAddr *addr, bool full)
{
    return full
               ? g_strdup_printf("%04x:%02x:%02x.%x", addr->domain, addr->bus, addr->slot, addr->fn)
               : g_strdup_printf("%02x.%x", addr->slot, addr->fn);
}

int plan_addr_compare(const PlanPciAddr *a, const PlanPciAddr *b)
{
    uint32_t left =
        (uint32_t)a->domain << 16 | (uint32_t)a->bus << 8 | (uint32_t)a->slot << 3 | a->fn;
    uint32_t right =
        (uint32_t)b->domain << 16 | (uint32_t)b->bus << 8 | (uint32_t)b->slot << 3 | b->fn;

    return left < right ? -1 : left > right;
}
