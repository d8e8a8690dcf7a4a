/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI Express capability (PCIe 5.0 7.5.3) of every port type: what each shows, from one
 * table, and what its registers do. Slots are in express_slot.c.
 */
#include "hw/pci/exp_regs.h"
#include "hw/pci/pci_int.h"
#include "hw/pci/port.h"

enum { PORT_BRIDGE_CONTROL = 0x5f };

/* What a port type shows. Widths and speeds are the port's properties where it has them. */
typedef struct PortShape {
    uint8_t type;
    bool link, slot, root, flr, forwards_ari, prefixes;
} PortShape;

static const PortShape shapes[] = {
    [PLAN_PCI_NONE] = { .type = EXP_TYPE_ENDPOINT, .link = true, .flr = true },
    [PLAN_PCI_ENDPOINT] = { .type = EXP_TYPE_ENDPOINT, .link = true, .flr = true },
    [PLAN_PCI_ROOT_PORT] = { .type = EXP_TYPE_ROOT_PORT,
                             .link = true,
                             .slot = true,
                             .root = true,
                             .forwards_ari = true,
                             .prefixes = true },
    [PLAN_PCI_UPSTREAM] = { .type = EXP_TYPE_UPSTREAM, .link = true, .prefixes = true },
    [PLAN_PCI_DOWNSTREAM] = { .type = EXP_TYPE_DOWNSTREAM,
                              .link = true,
                              .slot = true,
                              .forwards_ari = true,
                              .prefixes = true },
    [PLAN_PCI_PCIE_BRIDGE] = { .type = EXP_TYPE_PCIE_BRIDGE, .link = true },
    [PLAN_PCI_BRIDGE] = { .type = EXP_TYPE_PCIE_BRIDGE },
    [PLAN_PCI_EXTRA_ROOT] = { .type = EXP_TYPE_RC_INTEGRATED },
    [PLAN_PCI_HOST] = { .type = EXP_TYPE_RC_INTEGRATED },
};

/* Link speeds and widths by the index of their property (port types list the names). */
static const uint8_t speeds[] = { 1, 2, 3, 4, 5 };
static const uint8_t widths[] = { 1, 2, 4, 8, 12, 16, 32 };

static PortShape shape_of(const PCIDevice *d)
{
    PortShape s = shapes[pci_type(d)->role];

    if (s.type == EXP_TYPE_ENDPOINT && d->bus->bus.kind == PLAN_BUS_PCIE_ROOT) {
        s.type = EXP_TYPE_RC_INTEGRATED; /* no link to the complex it is part of */
        s.link = false;
    }
    if (s.type == EXP_TYPE_UPSTREAM && !d->exp_strict) {
        s.flr = true;
    }
    return s;
}

static bool is_port(const PCIDevice *d)
{
    return shapes[pci_type(d)->role].slot;
}

static uint16_t express_length(const PCIDeviceType *type, const PCICapDesc *desc)
{
    return EXP_SIZEOF;
}

static bool express_wanted(const PCIDevice *d, const PCICapDesc *desc)
{
    return d->express;
}

/* Writable bits of Link Control (7.5.3.7). Read Completion Boundary is read-only at root ports,
 * zero at switch ports and optional elsewhere; Enable Clock Power Management needs the capability.
 */
static uint16_t link_control_rw(const PCIDevice *d, uint32_t cap)
{
    uint16_t rw = EXP_LNKCTL_ASPM | EXP_LNKCTL_COMMON_CLOCK | EXP_LNKCTL_EXTENDED_SYNCH;

    if (!d->exp_strict) {
        return is_port(d) ? EXP_LNKCTL_RW_0_1 : 0;
    }
    if (is_port(d)) {
        rw |= EXP_LNKCTL_DISABLE | EXP_LNKCTL_HAWD;
    }
    if (cap & EXP_LNKCAP_LBNC) {
        rw |= EXP_LNKCTL_LBMIE | EXP_LNKCTL_LABIE;
    }
    return rw;
}

static void setup_link(PCIDevice *d, uint16_t pos)
{
    PCIConfig *c = &d->config;
    uint32_t speed = 1, width = 1, cap = EXP_LNKCAP_ASPM_L0S;

    if (is_port(d)) {
        PCIPort *p = (PCIPort *)d;

        speed = speeds[MIN(p->speed, G_N_ELEMENTS(speeds) - 1)];
        width = widths[MIN(p->width, G_N_ELEMENTS(widths) - 1)];
        bool several = speed > 1 || (d->exp_strict && width > 1); /* speeds or widths */

        cap |= EXP_LNKCAP_DLLLARC | (several ? EXP_LNKCAP_LBNC : 0) |
               (uint32_t)p->port << EXP_LNKCAP_PORT_SHIFT;
        pci_config_mask_set(c, PCI_W1CMASK, pos + EXP_LNKSTA, 2, EXP_LNKSTA_LBMS | EXP_LNKSTA_LABS);
        /* Link state follows what is plugged: state, not identity. */
        pci_config_mask_set(c, PCI_CMASK, pos + EXP_LNKSTA, 2, 0);
    }
    pci_config_mask_set(c, PCI_WMASK, pos + EXP_LNKCTL, 2, link_control_rw(d, cap));
    pci_config_set(c, pos + EXP_LNKCAP, 4, speed | width << EXP_LNKCAP_WIDTH_SHIFT | cap);
    pci_config_set(c, pos + EXP_LNKSTA, 2, 1 | 1 << EXP_LNKCAP_WIDTH_SHIFT);
    if (speed > 1) {
        pci_config_set(c, pos + EXP_LNKCAP2, 4, ((1u << speed) - 1) << 1);
        pci_config_set(c, pos + EXP_LNKCTL2, 2, speed);
    }
    if (speed > 1 && d->exp_strict) {
        pci_config_mask_set(c, PCI_WMASK, pos + EXP_LNKCTL2, 2, EXP_LNKCTL2_SPEED);
        pci_config_mask_set(c, PCI_STICKY, pos + EXP_LNKCTL2, 2, EXP_LNKCTL2_SPEED);
    }
}

static void setup_slot(PCIDevice *d, uint16_t pos)
{
    PCIPort *p = (PCIPort *)d;
    PCIConfig *c = &d->config;
    uint32_t cap = (uint32_t)p->physical_slot << EXP_SLTCAP_NUMBER_SHIFT;

    if (p->hotplug_prop) {
        cap |= EXP_SLTCAP_ABP | EXP_SLTCAP_PCP | EXP_SLTCAP_AIP | EXP_SLTCAP_PIP | EXP_SLTCAP_HPS |
               EXP_SLTCAP_HPC | EXP_SLTCAP_EIP;
        pci_config_mask_set(c, PCI_WMASK, pos + EXP_SLTCTL, 2, EXP_SLTCTL_RW);
        pci_config_mask_set(c, PCI_W1CMASK, pos + EXP_SLTSTA, 2, EXP_SLTSTA_W1C);
    } else if (d->exp_strict) { /* the link can change all the same, by Link Disable */
        pci_config_mask_set(c, PCI_WMASK, pos + EXP_SLTCTL, 2, EXP_SLTCTL_DLLSCE);
        pci_config_mask_set(c, PCI_W1CMASK, pos + EXP_SLTSTA, 2, EXP_SLTSTA_DLLSC);
    }
    pci_config_set(c, pos + EXP_SLTCAP, 4, cap);
    pci_config_mask_set(c, PCI_CMASK, pos + EXP_SLTSTA, 2, 0);
}

static void setup_root(PCIDevice *d, uint16_t pos)
{
    pci_config_mask_set(&d->config, PCI_WMASK, pos + EXP_RTCTL, 2,
                        d->exp_strict ? EXP_RTCTL_RW : EXP_RTCTL_RW_0_1);
    pci_config_mask_set(&d->config, PCI_W1CMASK, pos + EXP_RTSTA, 4, EXP_RTSTA_PME);
}

/* Bits of the header that an Express function has otherwise than a conventional one (7.5.1). */
static void setup_header(PCIDevice *d, PortShape s)
{
    PCIConfig *c = &d->config;
    uint16_t command = pci_config_mask(c, PCI_WMASK, PCI_COMMAND);

    if (s.prefixes) { /* a port: no timers of a conventional bus behind it (7.5.1.3.13) */
        pci_config_mask_set(c, PCI_WMASK, PCI_BRIDGE_CONTROL, 2, PORT_BRIDGE_CONTROL);
        pci_config_mask_set(c, PCI_W1CMASK, PCI_BRIDGE_CONTROL, 2, 0);
    }
    if (s.prefixes && d->exp_strict) { /* nor a latency on it (7.5.1.3.4) */
        pci_config_mask_set(c, PCI_WMASK, PCI_SEC_LATENCY_TIMER, 1, 0);
    }
    if (s.type != EXP_TYPE_RC_INTEGRATED &&
        d->exp_strict) { /* which may leave it out (7.5.1.1.3) */
        pci_config_mask_set(c, PCI_WMASK, PCI_COMMAND, 1, command | PCI_COMMAND_PARITY);
    }
}

static bool express_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    PortShape s = shape_of(d);
    PCIConfig *c = &d->config;
    uint16_t devctl2 = (s.forwards_ari ? EXP_DEVCTL2_ARI : 0) |
                       (s.prefixes && d->exp_strict ? EXP_DEVCTL2_PREFIX_BLOCKING : 0);

    pci_config_set(c, pos + EXP_FLAGS, 2,
                   EXP_FLAGS_VERSION_2 | s.type << EXP_FLAGS_TYPE_SHIFT |
                       (s.slot ? EXP_FLAGS_SLOT : 0));
    pci_config_set(c, pos + EXP_DEVCAP, 4, EXP_DEVCAP_ROLE_BASED | (s.flr ? EXP_DEVCAP_FLR : 0));
    pci_config_mask_set(c, PCI_WMASK, pos + EXP_DEVCTL, 2, EXP_DEVCTL_ERRORS);
    pci_config_mask_set(c, PCI_W1CMASK, pos + EXP_DEVSTA, 2, EXP_DEVSTA_ERRORS);
    pci_config_set(c, pos + EXP_DEVCAP2, 4,
                   (s.forwards_ari ? EXP_DEVCAP2_ARI : 0) |
                       (s.prefixes ? EXP_DEVCAP2_END_END_PREFIX : 0));
    pci_config_mask_set(c, PCI_WMASK, pos + EXP_DEVCTL2, 2, devctl2);
    if (s.link) {
        setup_link(d, pos);
    }
    setup_header(d, s);
    if (s.slot) {
        setup_slot(d, pos);
    }
    if (s.root) {
        setup_root(d, pos);
    }
    return true;
}

static void express_placed(PCIDevice *d, unsigned row)
{
    d->exp_pos = d->cap_pos[row];
}

/* --- guest writes --- */

static void follow_ari(PCIDevice *d)
{
    PCIBridge *br = pci_bridge_of(d);

    if (br && shapes[pci_type(d)->role].forwards_ari) {
        br->ari_forwarding =
            pci_config_get(&d->config, d->exp_pos + EXP_DEVCTL2, 2) & EXP_DEVCTL2_ARI;
        pci_host_numbers_changed(d->bus->host);
    }
}

static void express_written(PCIDevice *d, unsigned row, const PCIConfigWrite *w)
{
    uint16_t pos = d->cap_pos[row];
    uint32_t value;

    pci_write_bits(w, pos + EXP_DEVCTL, 2, &value);
    if ((value & EXP_DEVCTL_FLR) && shape_of(d).flr) {
        pci_reset_state(d, RESET_FUNCTION);
        pci_reset_outputs(d);
        return;
    }
    follow_ari(d);
    if (is_port(d) && pci_write_bits(w, pos + EXP_LNKCTL, 2, &value)) {
        pci_port_link_control((PCIPort *)d, value);
    }
    if (is_port(d) && pci_write_bits(w, pos + EXP_SLTCTL, 2, &value)) {
        pci_port_slot_control((PCIPort *)d, pci_write_old(d, w, pos + EXP_SLTCTL, 2));
    } else if (is_port(d)) {
        pci_port_update_irq((PCIPort *)d);
    }
}

static void express_reset(PCIDevice *d, unsigned row, ResetKind kind)
{
    uint16_t pos = d->cap_pos[row];
    PCIConfig *c = &d->config;
    uint32_t speed = pci_config_get(c, pos + EXP_LNKCAP, 4) & 0xf;

    if (speed > 1 && (kind == RESET_COLD || !d->exp_strict)) { /* the field is sticky */
        pci_config_set(c, pos + EXP_LNKCTL2, 2, speed);
    }
    if (is_port(d)) {
        PCIPort *p = (PCIPort *)d;

        if (p->hotplug_prop) {
            bool there = pci_slot_occupied(&p->slot);

            pci_config_set(c, pos + EXP_SLTCTL, 2,
                           EXP_SLTCTL_AIC_OFF |
                               (there ? EXP_SLTCTL_PIC_ON : EXP_SLTCTL_PIC_OFF | EXP_SLTCTL_PCC));
        }
        pci_port_reset(p);
    }
    follow_ari(d);
}

static void express_loaded(PCIDevice *d, unsigned row, const uint8_t *state)
{
    follow_ari(d);
}

static const PlanProp express_props[] = {
    PROP_BOOL(
        PCIDevice, exp_strict, "x-strict-express", true,
        "writable and capability bits as PCI Express 5.0 7.5 defines them (off: as virt-0.1)"),
};

const PCICapClass pci_express_class = {
    .id = PCI_CAP_ID_EXP,
    .present_bit = 3,
    .doc = "PCI Express",
    .props = LIST(express_props),
    .length = express_length,
    .wanted = express_wanted,
    .setup = express_setup,
    .placed = express_placed,
    .written = express_written,
    .reset = express_reset,
    .loaded = express_loaded,
};
