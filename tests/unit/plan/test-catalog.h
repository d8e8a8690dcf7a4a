/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small catalogue for the tests of plan/: one type of each role, with all property types.
 */
#ifndef TEST_CATALOG_H
#define TEST_CATALOG_H

#include "plan/description.h"

#define PROP_MULTIFUNCTION                                                                         \
    {                                                                                              \
        .name = "multifunction", .kind = PLAN_PROP_BOOL                                            \
    }
#define PROP_CAP(n)                                                                                \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_CAP                                                         \
    }

static const char *const tc_speeds[] = { "2_5", "5", "8", NULL };

static const PlanProp tc_nic_props[] = {
    PROP_MULTIFUNCTION,
    PROP_CAP("msix"),
    PROP_CAP("pm"),
    PROP_CAP("express"),
    { .name = "aer", .kind = PLAN_PROP_CAP, .min = 0x100, .max = 0xffc },
    { .name = "ari",
      .kind = PLAN_PROP_CAP,
      .def = (uint64_t)PLAN_CAP_OFF,
      .min = 0x100,
      .max = 0xffc },
    { .name = "mac", .kind = PLAN_PROP_MAC },
    { .name = "netdev", .kind = PLAN_PROP_BACKEND, .backend = "netdev" },
    { .name = "vectors", .kind = PLAN_PROP_U32, .def = 4, .min = 0, .max = 2048 },
    { .name = "bar-size", .kind = PLAN_PROP_SIZE, .def = 4096, .min = 4096, .max = 1ull << 40 },
    { .name = "speed", .kind = PLAN_PROP_ENUM, .choices = tc_speeds },
    { .name = "model", .kind = PLAN_PROP_STRING, .def_str = "plain" },
    { .name = "bias", .kind = PLAN_PROP_I32, .def = (uint64_t)-5 },
    { .name = "csum", .kind = PLAN_PROP_ONOFF },
    { .name = "queue-path", .kind = PLAN_PROP_STRING, .flags = PLAN_PROP_HOST },
};
static const PlanCapability tc_nic_caps[] = {
    { .id = 0x11, .length = 12, .prop = "msix" },
    { .id = 0x01, .length = 8, .prop = "pm" },
    { .id = 0x10, .length = 0x3c, .prop = "express" },
    { .id = 0x01, .extended = true, .length = 0x2c, .prop = "aer" },
    { .id = 0x0e, .extended = true, .length = 8, .prop = "ari" },
};
static const PlanBar tc_nic_bars[] = {
    { .index = 0, .is64 = true, .prefetch = true, .size_prop = "bar-size" },
    { .index = 2, .vectors_prop = "vectors" }, /* only MSI-X */
};
static const PlanType tc_nic = {
    .name = "nic",
    .alias = "nic-pci",
    .doc = "a network adapter for tests",
    .props = tc_nic_props,
    .n_props = G_N_ELEMENTS(tc_nic_props),
    .role = PLAN_PCI_ENDPOINT,
    .slots = PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS,
    .hotpluggable = true,
    .user_creatable = true,
    .bars = tc_nic_bars,
    .n_bars = G_N_ELEMENTS(tc_nic_bars),
    .caps = tc_nic_caps,
    .n_caps = G_N_ELEMENTS(tc_nic_caps),
    .pin = 1,
};

static const PlanProp tc_old_props[] = {
    PROP_MULTIFUNCTION,
    { .name = "dma_mask", .kind = PLAN_PROP_U64, .def = 0xfffffff },
};
static const PlanBar tc_old_bars[] = {
    { .index = 0, .io = true, .size = 64 },
    { .index = 1, .size = 1 << 19 },
};
static const PlanType tc_old = {
    .name = "old",
    .doc = "conventional only",
    .props = tc_old_props,
    .n_props = G_N_ELEMENTS(tc_old_props),
    .role = PLAN_PCI_ENDPOINT,
    .slots = PLAN_SLOT_CONVENTIONAL,
    .bars = tc_old_bars,
    .n_bars = G_N_ELEMENTS(tc_old_bars),
    .pin = 2,
    .hotpluggable = true,
    .user_creatable = true,
};

static const PlanProp tc_disk_props[] = {
    PROP_MULTIFUNCTION,
    { .name = "drive", .kind = PLAN_PROP_BACKEND, .backend = "drive", .flags = PLAN_PROP_REQUIRED },
    { .name = "serial", .kind = PLAN_PROP_STRING },
};
static const PlanType tc_disk = {
    .name = "disk",
    .doc = "Express only",
    .props = tc_disk_props,
    .n_props = G_N_ELEMENTS(tc_disk_props),
    .role = PLAN_PCI_ENDPOINT,
    .slots = PLAN_SLOT_EXPRESS,
    .hotpluggable = true,
    .user_creatable = true,
};

static const PlanProp tc_port_props[] = {
    PROP_MULTIFUNCTION,
    { .name = "chassis", .kind = PLAN_PROP_U8 },
    { .name = "slot", .kind = PLAN_PROP_U16 },
    { .name = "hotplug", .kind = PLAN_PROP_BOOL, .def = 1 },
    PROP_CAP("pm"),
    PROP_CAP("express"),
};
static const PlanCapability tc_port_caps[] = {
    { .id = 0x01, .length = 8, .prop = "pm" },
    { .id = 0x10, .required = true, .length = 0x3c, .prop = "express" },
};
static const PlanType tc_root_port = {
    .name = "root-port",
    .props = tc_port_props,
    .n_props = G_N_ELEMENTS(tc_port_props),
    .role = PLAN_PCI_ROOT_PORT,
    .provides = PLAN_BUS_PCIE_PORT,
    .user_creatable = true,
    .caps = tc_port_caps,
    .n_caps = G_N_ELEMENTS(tc_port_caps),
};
static const PlanType tc_downstream = {
    .name = "downstream",
    .props = tc_port_props,
    .n_props = G_N_ELEMENTS(tc_port_props),
    .role = PLAN_PCI_DOWNSTREAM,
    .provides = PLAN_BUS_PCIE_PORT,
    .user_creatable = true,
    .hotpluggable = true,
    .caps = tc_port_caps,
    .n_caps = G_N_ELEMENTS(tc_port_caps),
};
static const PlanProp tc_multifunction_props[] = { PROP_MULTIFUNCTION };
static const PlanType tc_upstream = {
    .name = "upstream",
    .props = tc_multifunction_props,
    .n_props = 1,
    .role = PLAN_PCI_UPSTREAM,
    .provides = PLAN_BUS_PCIE_UPSTREAM,
    .user_creatable = true,
    .hotpluggable = true,
};
static const PlanProp tc_bridge_props[] = {
    PROP_MULTIFUNCTION,
    { .name = "chassis_nr", .kind = PLAN_PROP_U8, .min = 1, .max = 255 },
    { .name = "shpc", .kind = PLAN_PROP_CAP, .def = (uint64_t)PLAN_CAP_OFF },
};
static const PlanType tc_bridge = {
    .name = "bridge",
    .props = tc_bridge_props,
    .n_props = G_N_ELEMENTS(tc_bridge_props),
    .role = PLAN_PCI_BRIDGE,
    .provides = PLAN_BUS_PCI,
    .user_creatable = true,
};
static const PlanType tc_pcie_bridge = {
    .name = "pcie-bridge",
    .props = tc_multifunction_props,
    .n_props = 1,
    .role = PLAN_PCI_PCIE_BRIDGE,
    .provides = PLAN_BUS_PCI,
    .user_creatable = true,
    .hotpluggable = true,
};
static const PlanProp tc_pxb_props[] = {
    { .name = "bus_nr", .kind = PLAN_PROP_U8, .min = 1, .max = 255, .flags = PLAN_PROP_REQUIRED },
    { .name = "numa_node", .kind = PLAN_PROP_U16, .def = 0xffff },
};
static const PlanType tc_pxb = {
    .name = "pxb",
    .props = tc_pxb_props,
    .n_props = G_N_ELEMENTS(tc_pxb_props),
    .role = PLAN_PCI_EXTRA_ROOT,
    .provides = PLAN_BUS_PCIE_ROOT,
    .user_creatable = true,
};
static const PlanType tc_host = { .name = "host", .role = PLAN_PCI_HOST };
static const PlanType tc_uart = { .name = "uart", .plugs_into = PLAN_BUS_SYSTEM };

static const PlanProp tc_serial_props[] = {
    PROP_MULTIFUNCTION,
    { .name = "max_ports", .kind = PLAN_PROP_U32, .def = 4, .min = 1, .max = 31 },
};
static const PlanType tc_serial = {
    .name = "serial-pci",
    .props = tc_serial_props,
    .n_props = G_N_ELEMENTS(tc_serial_props),
    .role = PLAN_PCI_ENDPOINT,
    .slots = PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS,
    .provides = PLAN_BUS_VIRTIO_SERIAL,
    .hotpluggable = true,
    .user_creatable = true,
};
static const PlanProp tc_serialport_props[] = {
    { .name = "nr", .kind = PLAN_PROP_U32, .def = UINT32_MAX, .min = 1, .max = 30 },
    { .name = "chardev", .kind = PLAN_PROP_BACKEND, .backend = "chardev" },
};
static const PlanType tc_serialport = {
    .name = "serialport",
    .props = tc_serialport_props,
    .n_props = G_N_ELEMENTS(tc_serialport_props),
    .plugs_into = PLAN_BUS_VIRTIO_SERIAL,
    .hotpluggable = true,
    .user_creatable = true,
};

static const PlanBar tc_hungry_bars[] = { { .index = 0, .io = true, .size = 1 << 17 } };
static const PlanType tc_hungry = {
    .name = "hungry",
    .props = tc_multifunction_props,
    .n_props = 1,
    .role = PLAN_PCI_ENDPOINT,
    .slots = PLAN_SLOT_CONVENTIONAL,
    .bars = tc_hungry_bars,
    .n_bars = G_N_ELEMENTS(tc_hungry_bars),
    .user_creatable = true,
};

static const PlanType *const tc_types[] = {
    &tc_nic,         &tc_old, &tc_disk, &tc_root_port, &tc_downstream, &tc_upstream,   &tc_bridge,
    &tc_pcie_bridge, &tc_pxb, &tc_host, &tc_uart,      &tc_serial,     &tc_serialport, &tc_hungry,
};

static const char *const tc_aia[] = { "none", "aplic", "aplic-imsic", NULL };
static const PlanProp tc_machine_props[] = {
    { .name = "aia", .kind = PLAN_PROP_ENUM, .def = 2, .choices = tc_aia, .doc = "interrupts" },
    { .name = "aclint", .kind = PLAN_PROP_BOOL },
    { .name = "dump", .kind = PLAN_PROP_STRING, .flags = PLAN_PROP_HOST },
};
static const char *const tc_implicit[] = { "uart", "uart", "host,bus=pcie.0,addr=00.0", NULL };
static const PlanMachineType tc_virt = {
    .name = "virt-0.1",
    .alias = "virt",
    .doc = "test board",
    .is_default = true,
    .default_cpu = "rv64",
    .default_ram_id = "ram",
    .max_cpus = 8,
    .default_ram = 128 << 20,
    .props = tc_machine_props,
    .n_props = G_N_ELEMENTS(tc_machine_props),
    .root_bus = "pcie.0",
    .root_kind = PLAN_BUS_PCIE_ROOT,
    .implicit = tc_implicit,
    .window = { 1 << 16, 1 << 30, 1ull << 34 },
    .msi_per_cpu = 255,
    .msi_if = "aia=aplic-imsic",
};
static const PlanMachineType tc_virt0 = {
    .name = "virt-0.0",
    .doc = "an older test board",
    .default_cpu = "rv64",
    .max_cpus = 8,
    .default_ram = 128 << 20,
    .props = tc_machine_props,
    .n_props = G_N_ELEMENTS(tc_machine_props),
    .root_bus = "pcie.0",
    .root_kind = PLAN_BUS_PCIE_ROOT,
    .implicit = tc_implicit,
    .newer = "virt-0.1",
};
static const PlanMachineType tc_ancient = {
    .name = "virt-alpha",
    .doc = "the oldest test board",
    .default_cpu = "rv64",
    .max_cpus = 8,
    .default_ram = 128 << 20,
    .props = tc_machine_props,
    .n_props = G_N_ELEMENTS(tc_machine_props),
    .root_bus = "pcie.0",
    .root_kind = PLAN_BUS_PCIE_ROOT,
    .implicit = tc_implicit,
    .newer = "virt-0.0",
};
static const PlanMachineType tc_none = { .name = "none", .doc = "empty machine" };
static const PlanMachineType *const tc_machines[] = { &tc_virt, &tc_virt0, &tc_ancient, &tc_none };
static const PlanCompat tc_compats[] = {
    { "virt-0.0", "nic", "vectors", "2" }, { "virt-0.0", NULL, "aia", "aplic" },
    { "virt-alpha", "nic", "bias", "7" },  { "virt-alpha", "*", "bias", "9" },
    { "virt-alpha", "*", "speed", "8" },   { "virt-alpha", NULL, "aia", "none" },
};

static const PlanCatalog tc_catalog = {
    tc_types,   G_N_ELEMENTS(tc_types),   tc_machines, G_N_ELEMENTS(tc_machines),
    tc_compats, G_N_ELEMENTS(tc_compats),
};

/* Create a machine from these -device options without resolving it. Fails the test on a malformed
 * option. */
G_GNUC_UNUSED static PlanMachine *tc_machine(const char *const *devices)
{
    PlanMachine *m = plan_machine_new();

    for (; devices && *devices; devices++) {
        g_autoptr(GError) err = NULL;
        PlanDevice *d = plan_device_parse(*devices, &err);

        g_assert_no_error(err);
        g_ptr_array_add(m->devices, d);
    }
    return m;
}
#define TC_MACHINE(...) tc_machine((const char *const[]){ __VA_ARGS__, NULL })

/* Create and resolve a machine from these -device options. */
G_GNUC_UNUSED static PlanMachine *tc_resolved(const char *const *devices)
{
    g_autoptr(GError) err = NULL;
    PlanMachine *m = tc_machine(devices);

    plan_resolve(m, &tc_catalog, &err);
    g_assert_no_error(err);
    return m;
}
#define TC_RESOLVED(...) tc_resolved((const char *const[]){ __VA_ARGS__, NULL })

/* Check that an error message is one line of valid UTF-8 of bounded length. */
G_GNUC_UNUSED static void tc_sentence(const GError *err)
{
    g_assert_nonnull(err);
    g_assert_true(g_utf8_validate(err->message, -1, NULL));
    g_assert_null(strchr(err->message, '\n'));
    g_assert_cmpuint(strlen(err->message), >, 10);
    g_assert_cmpuint(strlen(err->message), <, 1000);
}

/* Check that resolving fails with a message that contains all of these texts, separated by '|'. */
G_GNUC_UNUSED static void tc_refused(PlanMachine *m, const char *words)
{
    g_autoptr(GError) err = NULL;
    g_auto(GStrv) word = g_strsplit(words, "|", -1);

    g_assert_false(plan_resolve(m, &tc_catalog, &err));
    tc_sentence(err);
    for (guint i = 0; word[i]; i++) {
        if (!strstr(err->message, word[i])) {
            g_error("'%s' is not in: %s", word[i], err->message);
        }
    }
    plan_machine_free(m);
}
#define TC_REFUSED(words, ...) tc_refused(TC_MACHINE(__VA_ARGS__), words)

#endif
