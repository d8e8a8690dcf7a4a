/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI Express capability (PCIe 5.0 7.5.3) of every device/port type: one table of the features
 * of each type, the registers and their effects. Slots are in express_slot.c.
 */
#include "internal.h"
#include "hw/pci/port.h"

enum { EXPRESS_BRIDGE_CONTROL_RW = 0x5f };

/* Features of a device/port type. Link speed and width are properties of the ports that have a
 * slot.
 */
typedef struct ExpressShape {
    uint8_t type;
    bool link, slot, root, flr, forwards_ari, prefixes;
} ExpressShape;

static const ExpressShape express_shapes[] = {
    [PLAN_PCI_NONE] = { .type = PCI_EXP_TYPE_ENDPOINT, .link = true, .flr = true },
    [PLAN_PCI_ENDPOINT] = { .type = PCI_EXP_TYPE_ENDPOINT, .link = true, .flr = true },
    [PLAN_PCI_ROOT_PORT] = { .type = PCI_EXP_TYPE_ROOT_PORT,
                             .link = true,
                             .slot = true,
                             .root = true,
                             .forwards_ari = true,
                             .prefixes = true },
    [PLAN_PCI_UPSTREAM] = { .type = PCI_EXP_TYPE_UPSTREAM, .link = true, .prefixes = true },
    [PLAN_PCI_DOWNSTREAM] = { .type = PCI_EXP_TYPE_DOWNSTREAM,
                              .link = true,
                              .slot = true,
                              .forwards_ari = true,
                              .prefixes = true },
    [PLAN_PCI_PCIE_BRIDGE] = { .type = PCI_EXP_TYPE_PCI_BRIDGE, .link = true },
    [PLAN_PCI_BRIDGE] = { .type = PCI_EXP_TYPE_PCI_BRIDGE },
    [PLAN_PCI_EXTRA_ROOT] = { .type = PCI_EXP_TYPE_RC_END },
    [PLAN_PCI_HOST] = { .type = PCI_EXP_TYPE_RC_END },
};

/* Link speeds and widths, indexed by the value of their property. The port types have the names. */
static const uint8_t express_speeds[] = { 1, 2, 3, 4, 5 };
static const uint8_t express_widths[] = { 1, 2, 4, 8, 12, 16, 32 };

static uint8_t express_speed(const PCIPort *p)
{
    return express_speeds[MIN(p->speed, G_N_ELEMENTS(express_speeds) - 1)];
}

static uint8_t express_width(const PCIPort *p)
{
    return express_widths[MIN(p->width, G_N_ELEMENTS(express_widths) - 1)];
}

/* Link Bandwidth Notification is required where the link has several speeds or widths. */
static bool express_bandwidth(const PCIPort *p)
{
    return express_speed(p) > 1 || (p->br.pci.exp_strict && express_width(p) > 1);
}

static ExpressShape express_shape(const PCIDevice *d)
{
    ExpressShape s = express_shapes[pci_type(d)->role];

    if (s.type == PCI_EXP_TYPE_ENDPOINT && d->bus->bus.kind == PLAN_BUS_PCIE_ROOT) {
        s.type = PCI_EXP_TYPE_RC_END; /* part of the root complex, without a link */
        s.link = false;
    }
    if (s.type == PCI_EXP_TYPE_UPSTREAM && !d->exp_strict) {
        s.flr = true;
    }
    return s;
}

static bool express_is_port(const PCIDevice *d)
{
    return express_shapes[pci_type(d)->role].slot;
}

static bool express_wanted(const PCIDevice *d, const PCICapDesc *desc)
{
    return d->express;
}

static void express_setup_link(PCIDevice *d, uint16_t pos)
{
    PCIConfig *c = &d->config;
    uint32_t speed = 1, width = 1, cap = PCI_EXP_LNKCAP_ASPM_L0S;

    if (express_is_port(d)) {
        PCIPort *p = (PCIPort *)d;

        speed = express_speed(p);
        width = express_width(p);
        cap |= PCI_EXP_LNKCAP_DLLLARC | (express_bandwidth(p) ? PCI_EXP_LNKCAP_LBNC : 0) |
               (uint32_t)p->port << PCI_EXP_LNKCAP_PN_SHIFT;
    }
    pci_config_set(c, pos + PCI_EXP_LNKCAP, 4, speed | width << PCI_EXP_LNKCAP_MLW_SHIFT | cap);
    if (speed > 1) {
        pci_config_set(c, pos + PCI_EXP_LNKCAP2, 4, ((1u << speed) - 1) << 1);
        pci_config_set(c, pos + PCI_EXP_LNKCTL2, 2, speed);
    }
}

static void express_setup_slot(PCIDevice *d, uint16_t pos)
{
    PCIPort *p = (PCIPort *)d;
    uint32_t cap = (uint32_t)p->physical_slot << PCI_EXP_SLTCAP_PSN_SHIFT;

    if (p->hotplug_prop) {
        cap |= PCI_EXP_SLTCAP_ABP | PCI_EXP_SLTCAP_PCP | PCI_EXP_SLTCAP_AIP | PCI_EXP_SLTCAP_PIP |
               PCI_EXP_SLTCAP_HPS | PCI_EXP_SLTCAP_HPC | PCI_EXP_SLTCAP_EIP;
    }
    pci_config_set(&d->config, pos + PCI_EXP_SLTCAP, 4, cap);
}

/* Set the capability registers. The rows initialise the control and status registers. */
static bool express_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    ExpressShape s = express_shape(d);
    PCIConfig *c = &d->config;

    pci_config_set(c, pos + PCI_EXP_FLAGS, 2,
                   PCI_EXP_FLAGS_VERS_2 | s.type << PCI_EXP_FLAGS_TYPE_SHIFT |
                       (s.slot ? PCI_EXP_FLAGS_SLOT : 0));
    pci_config_set(c, pos + PCI_EXP_DEVCAP, 4,
                   PCI_EXP_DEVCAP_RBER | (s.flr ? PCI_EXP_DEVCAP_FLR : 0));
    pci_config_set(c, pos + PCI_EXP_DEVCAP2, 4,
                   (s.forwards_ari ? PCI_EXP_DEVCAP2_ARI : 0) |
                       (s.prefixes ? PCI_EXP_DEVCAP2_PREFIXES : 0));
    if (s.link) {
        express_setup_link(d, pos);
    }
    if (s.slot) {
        express_setup_slot(d, pos);
    }
    return true;
}

static void express_placed(PCIDevice *d, unsigned row)
{
    d->exp_pos = d->cap_pos[row];
}

/* --- guest writes --- */

static void express_follow_ari(PCIDevice *d)
{
    PCIBridge *br = pci_bridge_of(d);

    if (br && express_shapes[pci_type(d)->role].forwards_ari) {
        br->ari_forwarding =
            pci_config_get(&d->config, d->exp_pos + PCI_EXP_DEVCTL2, 2) & PCI_EXP_DEVCTL2_ARI;
        pci_host_numbers_changed(d->bus->host);
    }
}

static uint32_t express_flr_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    return new &PCI_EXP_DEVCTL_BCR_FLR ? PCI_EFFECT_RESET_FLR : 0;
}

static uint32_t express_ari_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    pci_bridge_of(dev)->ari_forwarding = new &PCI_EXP_DEVCTL2_ARI;
    return (old ^ new) & PCI_EXP_DEVCTL2_ARI ? PCI_EFFECT_BUS_NUMBERS : 0;
}

static uint32_t express_link_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    pci_port_link_control(dev, new);
    return 0;
}

static uint32_t express_slot_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    pci_port_slot_control(dev, old);
    return 0;
}

/* Update the interrupt, because status bits that cause it were cleared. */
static uint32_t express_status_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    pci_port_update_irq(dev);
    return 0;
}

static void express_reset(PCIDevice *d, unsigned row, ResetKind kind)
{
    uint16_t pos = d->cap_pos[row];
    PCIConfig *c = &d->config;
    uint32_t speed = pci_config_get(c, pos + PCI_EXP_LNKCAP, 4) & 0xf;

    if (speed > 1 && (kind == RESET_COLD || !d->exp_strict)) { /* the field is sticky */
        pci_config_set(c, pos + PCI_EXP_LNKCTL2, 2, speed);
    }
    if (express_is_port(d)) {
        PCIPort *p = (PCIPort *)d;

        if (p->hotplug_prop) {
            bool there = pci_slot_occupied(&p->slot);

            pci_config_set(c, pos + PCI_EXP_SLTCTL, 2,
                           PCI_EXP_SLTCTL_ATTN_IND_OFF |
                               (there ? PCI_EXP_SLTCTL_PWR_IND_ON
                                      : PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PCC));
        }
        pci_port_reset(p);
    }
    express_follow_ari(d);
}

static void express_loaded(PCIDevice *d, unsigned row, const uint8_t *state)
{
    express_follow_ari(d);
    if (express_is_port(d)) {
        pci_slot_loading(&((PCIPort *)d)->slot);
    }
}

/* --- the registers --- */

#define EXP_CONST(off, w, n, ...) REG_ROW(n, off, w, .identity = REG_ALL, __VA_ARGS__)

static const RegDesc exp_rows[] = {
    EXP_CONST(PCI_EXP_FLAGS, 2, "Capabilities", .doc = "version 2, port type, slot implemented"),
    EXP_CONST(PCI_EXP_DEVCAP, 4, "Device Capabilities",
              .doc = "role-based error reporting; function-level reset"),
    EXP_CONST(PCI_EXP_DEVSTA, 2, "Device Status", .w1c = PCI_EXP_DEVSTA_ERRORS,
              .doc = "detected errors"),
    EXP_CONST(PCI_EXP_DEVCAP2, 4, "Device Capabilities 2",
              .doc = "ARI forwarding and prefixes, of ports"),
    EXP_CONST(PCI_EXP_DEVSTA2, 2, "Device Status 2", .doc = "zero"),
    EXP_CONST(PCI_EXP_SLTCAP2, 4, "Slot Capabilities 2", .doc = "zero"),
    EXP_CONST(PCI_EXP_SLTCTL2, 2, "Slot Control 2", .doc = "zero"),
    EXP_CONST(PCI_EXP_SLTSTA2, 2, "Slot Status 2", .doc = "zero"),
};

#define EXP_DEVICE_CONTROL(...)                                                                    \
    EXP_CONST(PCI_EXP_DEVCTL, 2, "Device Control", .rw = PCI_EXP_DEVCTL_ERRORS, __VA_ARGS__)
static const RegDesc exp_devctl_rows[] = { EXP_DEVICE_CONTROL(.doc = "error reporting enables") };
static const RegDesc exp_devctl_flr_rows[] = {
    EXP_DEVICE_CONTROL(.trigger = PCI_EXP_DEVCTL_BCR_FLR, .wrote = express_flr_wrote,
                       .doc = "error reporting enables; bit 15: Initiate Function Level Reset"),
};

/* Device Control 2. Ports can have ARI Forwarding Enable and End-End TLP Prefix Blocking. */
#define EXP_DEVICE_CONTROL2(...) EXP_CONST(PCI_EXP_DEVCTL2, 2, "Device Control 2", __VA_ARGS__)
static const RegDesc exp_devctl2_rows[] = { EXP_DEVICE_CONTROL2(.doc = "zero") };
static const RegDesc exp_devctl2_prefix_rows[] = {
    EXP_DEVICE_CONTROL2(.rw = PCI_EXP_DEVCTL2_EE_PREFIX_BLOCK, .doc = "prefix blocking"),
};
static const RegDesc exp_devctl2_ari_rows[] = {
    EXP_DEVICE_CONTROL2(.rw = PCI_EXP_DEVCTL2_ARI, .wrote = express_ari_wrote,
                        .doc = "ARI forwarding enable"),
};
static const RegDesc exp_devctl2_both_rows[] = {
    EXP_DEVICE_CONTROL2(.rw = PCI_EXP_DEVCTL2_ARI | PCI_EXP_DEVCTL2_EE_PREFIX_BLOCK,
                        .wrote = express_ari_wrote, .doc = "ARI forwarding, prefix blocking"),
};

static const RegDesc exp_link_rows[] = {
    EXP_CONST(PCI_EXP_LNKCAP, 4, "Link Capabilities", .doc = "speed, width, port number"),
    EXP_CONST(PCI_EXP_LNKCAP2, 4, "Link Capabilities 2", .doc = "supported speeds"),
    EXP_CONST(PCI_EXP_LNKSTA2, 2, "Link Status 2", .doc = "zero"),
};

/* Link Control (7.5.3.7). Read Completion Boundary is read-only at root ports, zero at switch ports
 * and optional elsewhere; Enable Clock Power Management requires the capability. */
enum {
    PCI_EXP_LNKCTL_RW = PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES,
    PCI_EXP_LNKCTL_RW_PORT = PCI_EXP_LNKCTL_RW | PCI_EXP_LNKCTL_LD | PCI_EXP_LNKCTL_HAWD,
    PCI_EXP_LNKCTL_RW_BANDWIDTH = PCI_EXP_LNKCTL_LBMIE | PCI_EXP_LNKCTL_LABIE,
    PCI_EXP_LNKSTA_RESET =
        PCI_EXP_LNKCAP_SLS_2_5GB | 1 << PCI_EXP_LNKCAP_MLW_SHIFT, /* 2.5 GT/s, one lane */
};
#define EXP_LINK_CONTROL(bits, ...)                                                                \
    EXP_CONST(PCI_EXP_LNKCTL, 2, "Link Control", .rw = (bits), __VA_ARGS__)
#define EXP_PORT_LINK_CONTROL(bits)                                                                \
    EXP_LINK_CONTROL(bits, .trigger = PCI_EXP_LNKCTL_RL, .wrote = express_link_wrote,              \
                     .doc = "link disable and retraining, bandwidth interrupt enables")
static const RegDesc exp_lnkctl_0_1_rows[] = { EXP_LINK_CONTROL(0, .doc = "zero") };
static const RegDesc exp_lnkctl_rows[] = {
    EXP_LINK_CONTROL(PCI_EXP_LNKCTL_RW, .doc = "power management and clock settings; no effect"),
};
static const RegDesc exp_port_lnkctl_0_1_rows[] = { EXP_PORT_LINK_CONTROL(PCI_EXP_LNKCTL_RW_0_1) };
static const RegDesc exp_port_lnkctl_rows[] = { EXP_PORT_LINK_CONTROL(PCI_EXP_LNKCTL_RW_PORT) };
static const RegDesc exp_port_lnkctl_bandwidth_rows[] = {
    EXP_PORT_LINK_CONTROL(PCI_EXP_LNKCTL_RW_PORT | PCI_EXP_LNKCTL_RW_BANDWIDTH),
};

static const RegDesc exp_lnksta_rows[] = {
    EXP_CONST(PCI_EXP_LNKSTA, 2, "Link Status", .reset = PCI_EXP_LNKSTA_RESET,
              .doc = "speed and width"),
};
/* The presence of a device determines Data Link Layer Link Active. The register is therefore state,
 * not identity. */
static const RegDesc exp_port_lnksta_rows[] = {
    REG_ROW("Link Status", PCI_EXP_LNKSTA, 2, .w1c = PCI_EXP_LNKSTA_LBMS | PCI_EXP_LNKSTA_LABS,
            .reset = PCI_EXP_LNKSTA_RESET, .wrote = express_status_wrote,
            .doc = "speed and width, link active, bandwidth events"),
};

#define EXP_LINK_CONTROL2(...) EXP_CONST(PCI_EXP_LNKCTL2, 2, "Link Control 2", __VA_ARGS__)
static const RegDesc exp_lnkctl2_rows[] = { EXP_LINK_CONTROL2(.doc = "zero") };
static const RegDesc exp_lnkctl2_speed_rows[] = {
    EXP_LINK_CONTROL2(.rw = PCI_EXP_LNKCTL2_TLS, .sticky = PCI_EXP_LNKCTL2_TLS,
                      .doc = "target link speed; no effect"),
};

/* Slot Status reports the presence of a device. The register is therefore state, not identity. */
#define EXP_SLOT(ctl, sta)                                                                         \
    EXP_CONST(PCI_EXP_SLTCAP, 4, "Slot Capabilities", .doc = "hot-plug elements, slot number"),    \
        EXP_CONST(PCI_EXP_SLTCTL, 2, "Slot Control", .rw = (ctl), .wrote = express_slot_wrote,     \
                  .doc = "indicators, power, interlock, interrupt enables"),                       \
        REG_ROW("Slot Status", PCI_EXP_SLTSTA, 2, .w1c = (sta), .wrote = express_status_wrote,     \
                .doc = "presence and interlock; button, presence, link and command events")
static const RegDesc exp_slot_0_1_rows[] = { EXP_SLOT(0, 0) };
/* Without a hot-plug controller, Link Disable can still change the state of the link. */
static const RegDesc exp_slot_rows[] = { EXP_SLOT(PCI_EXP_SLTCTL_DLLSCE, PCI_EXP_SLTSTA_DLLSC) };
static const RegDesc exp_slot_hotplug_rows[] = { EXP_SLOT(PCI_EXP_SLTCTL_RW, PCI_EXP_SLTSTA_W1C) };

#define EXP_ROOT(ctl)                                                                              \
    EXP_CONST(PCI_EXP_RTCTL, 2, "Root Control", .rw = (ctl),                                       \
              .doc = "system error and PME interrupt enables"),                                    \
        EXP_CONST(PCI_EXP_RTCAP, 2, "Root Capabilities", .doc = "zero"),                           \
        EXP_CONST(PCI_EXP_RTSTA, 4, "Root Status", .w1c = PCI_EXP_RTSTA_PME, .doc = "PME status")
static const RegDesc exp_root_0_1_rows[] = { EXP_ROOT(PCI_EXP_RTCTL_RW_0_1) };
static const RegDesc exp_root_rows[] = { EXP_ROOT(PCI_EXP_RTCTL_RW) };

/* Registers of the header that differ from those of a conventional function (7.5.1). A port has
 * neither the discard timers of a conventional secondary bus (7.5.1.3.13) nor its latency timer
 * (7.5.1.3.4). Parity Error Response may be absent in a root complex integrated endpoint
 * (7.5.1.1.3). */
static const RegDesc exp_bridge_control_rows[] = {
    EXP_CONST(PCI_BRIDGE_CONTROL, 2, "Bridge Control", .rw = EXPRESS_BRIDGE_CONTROL_RW),
};
static const RegDesc exp_latency_rows[] = {
    EXP_CONST(PCI_SEC_LATENCY_TIMER, 1, "Secondary Latency Timer", .doc = "zero"),
};
static const RegDesc exp_command_rows[] = {
    EXP_CONST(PCI_COMMAND, 2, "Command", .rw = PCI_COMMAND_RW | PCI_COMMAND_PARITY),
};

/* --- conditions under which a function has the registers --- */

#define EXP_WHEN(name, condition)                                                                  \
    static bool exp_when_##name(const PCIDevice *d, const PCICapDesc *desc)                        \
    {                                                                                              \
        ExpressShape s = express_shape(d);                                                         \
        bool strict = d->exp_strict, port = express_is_port(d);                                    \
        const PCIPort *p = port ? (const PCIPort *)d : NULL;                                       \
                                                                                                   \
        (void)s, (void)strict, (void)p;                                                            \
        return condition;                                                                          \
    }
EXP_WHEN(flr, s.flr)
EXP_WHEN(no_flr, !s.flr)
EXP_WHEN(no_devctl2, !s.forwards_ari && !(s.prefixes && strict))
EXP_WHEN(prefix, !s.forwards_ari && s.prefixes && strict)
EXP_WHEN(ari, s.forwards_ari && !(s.prefixes && strict))
EXP_WHEN(ari_prefix, s.forwards_ari &&s.prefixes &&strict)
EXP_WHEN(link, s.link)
EXP_WHEN(link_0_1, s.link && !port && !strict)
EXP_WHEN(link_strict, s.link && !port && strict)
EXP_WHEN(port_0_1, port && !strict)
EXP_WHEN(port_strict, port &&strict && !express_bandwidth(p))
EXP_WHEN(port_bandwidth, port &&strict &&express_bandwidth(p))
EXP_WHEN(no_port_link, s.link && !port)
EXP_WHEN(port, port)
EXP_WHEN(one_speed, s.link && !(port && strict && express_speed(p) > 1))
EXP_WHEN(speeds, port &&strict &&express_speed(p) > 1)
EXP_WHEN(slot_0_1, port && !p->hotplug_prop && !strict)
EXP_WHEN(slot, port && !p->hotplug_prop && strict)
EXP_WHEN(slot_hotplug, port && p->hotplug_prop)
EXP_WHEN(root_0_1, s.root && !strict)
EXP_WHEN(root, s.root &&strict)
EXP_WHEN(prefixes, s.prefixes)
EXP_WHEN(prefixes_strict, s.prefixes &&strict)
EXP_WHEN(parity, s.type != PCI_EXP_TYPE_RC_END && strict)

static const PCIRegTable express_tables[] = {
    { .rows = LIST(exp_rows) },
    { .rows = LIST(exp_devctl_flr_rows), .applies = exp_when_flr },
    { .rows = LIST(exp_devctl_rows), .applies = exp_when_no_flr },
    { .rows = LIST(exp_devctl2_rows), .applies = exp_when_no_devctl2 },
    { .rows = LIST(exp_devctl2_prefix_rows), .applies = exp_when_prefix },
    { .rows = LIST(exp_devctl2_ari_rows), .applies = exp_when_ari },
    { .rows = LIST(exp_devctl2_both_rows), .applies = exp_when_ari_prefix },
    { .rows = LIST(exp_link_rows), .applies = exp_when_link },
    { .rows = LIST(exp_lnkctl_0_1_rows), .applies = exp_when_link_0_1 },
    { .rows = LIST(exp_lnkctl_rows), .applies = exp_when_link_strict },
    { .rows = LIST(exp_port_lnkctl_0_1_rows), .applies = exp_when_port_0_1 },
    { .rows = LIST(exp_port_lnkctl_rows), .applies = exp_when_port_strict },
    { .rows = LIST(exp_port_lnkctl_bandwidth_rows), .applies = exp_when_port_bandwidth },
    { .rows = LIST(exp_lnksta_rows), .applies = exp_when_no_port_link },
    { .rows = LIST(exp_port_lnksta_rows), .applies = exp_when_port },
    { .rows = LIST(exp_lnkctl2_rows), .applies = exp_when_one_speed },
    { .rows = LIST(exp_lnkctl2_speed_rows), .applies = exp_when_speeds },
    { .rows = LIST(exp_slot_0_1_rows), .applies = exp_when_slot_0_1 },
    { .rows = LIST(exp_slot_rows), .applies = exp_when_slot },
    { .rows = LIST(exp_slot_hotplug_rows), .applies = exp_when_slot_hotplug },
    { .rows = LIST(exp_root_0_1_rows), .applies = exp_when_root_0_1 },
    { .rows = LIST(exp_root_rows), .applies = exp_when_root },
};
static const PCIRegTable express_header[] = {
    { .rows = LIST(exp_bridge_control_rows), .applies = exp_when_prefixes },
    { .rows = LIST(exp_latency_rows), .applies = exp_when_prefixes_strict },
    { .rows = LIST(exp_command_rows), .applies = exp_when_parity },
};

static const PlanProp express_props[] = {
    PROP_BOOL(
        PCIDevice, exp_strict, "x-strict-express", true,
        "writable and capability bits as PCI Express 5.0 7.5 defines them (off: as virt-0.1)"),
};

const PCICapClass pci_express_class = {
    .id = PCI_CAP_ID_EXP,
    .name = "PCI Express",
    .present_bit = 3,
    .doc = "PCI Express",
    .props = LIST(express_props),
    .size = PCI_EXP_SIZEOF,
    .tables = LIST(express_tables),
    .header = LIST(express_header),
    .wanted = express_wanted,
    .setup = express_setup,
    .placed = express_placed,
    .reset = express_reset,
    .loaded = express_loaded,
};
