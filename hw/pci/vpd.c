/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vital Product Data (PCI 3.0 appendix I): a window of four bytes on a small memory. The guest
 * writes an address and the flag F. F = 0 requests a read: the function fills in the data and sets
 * F. F = 1 requests a write: the function stores the data and clears F. The memory contains an
 * identifier, which is the description of the type, and read-only fields with the part number and
 * the serial number of the properties. No byte is writable, so a write is only acknowledged.
 */
#include <string.h>

#include "internal.h"
#include "util/error.h"

enum {
    VPD_TAG_IDENTIFIER = 0x82, /* large resources */
    VPD_TAG_READ_ONLY = 0x90,
    VPD_TAG_END = 0x78,     /* small resource; ends the data */
    VPD_FIELD_HEAD = 3,     /* keyword of two characters, length */
    VPD_CHECKSUM_FIELD = 4, /* RV and one byte */
    VPD_MAX_TEXT = 255,
};

static void vpd_put_head(GByteArray *out, uint8_t tag, unsigned len)
{
    uint8_t head[3] = { tag, len, len >> 8 };

    g_byte_array_append(out, head, sizeof(head));
}

/* Append a field; nothing for an empty text. */
static void vpd_put_field(GByteArray *out, const char *keyword, const char *text)
{
    uint8_t head[VPD_FIELD_HEAD] = { keyword[0], keyword[1], strlen(text) };

    if (*text) {
        g_byte_array_append(out, head, sizeof(head));
        g_byte_array_append(out, (const uint8_t *)text, strlen(text));
    }
}

static unsigned vpd_field_length(const char *text)
{
    return *text ? VPD_FIELD_HEAD + strlen(text) : 0;
}

/* Append field RV: its byte makes the sum of all bytes up to and including it zero (appendix I). */
static void vpd_put_checksum(GByteArray *out)
{
    uint8_t field[VPD_CHECKSUM_FIELD] = { 'R', 'V', 1, 0 };
    uint8_t sum = 0;

    for (unsigned i = 0; i < out->len; i++) {
        sum += out->data[i];
    }
    for (unsigned i = 0; i < VPD_FIELD_HEAD; i++) {
        sum += field[i];
    }
    field[VPD_FIELD_HEAD] = -sum;
    g_byte_array_append(out, field, sizeof(field));
}

static const char *vpd_text_or(const char *given, const char *otherwise)
{
    return given ? given : otherwise;
}

static GByteArray *vpd_compose(const PCIDevice *d)
{
    const DeviceType *type = d->dev.type;
    const char *identifier = vpd_text_or(type->doc, type->name);
    const char *part = vpd_text_or(d->vpd_part, type->name),
               *serial = vpd_text_or(d->vpd_serial, "");
    GByteArray *out = g_byte_array_new();
    uint8_t end = VPD_TAG_END;

    vpd_put_head(out, VPD_TAG_IDENTIFIER, strlen(identifier));
    g_byte_array_append(out, (const uint8_t *)identifier, strlen(identifier));
    vpd_put_head(out, VPD_TAG_READ_ONLY,
                 vpd_field_length(part) + vpd_field_length(serial) + VPD_CHECKSUM_FIELD);
    vpd_put_field(out, "PN", part);
    vpd_put_field(out, "SN", serial);
    vpd_put_checksum(out);
    g_byte_array_append(out, &end, 1);
    return out;
}

static bool vpd_printable(const char *text)
{
    while (g_ascii_isprint(*text)) {
        text++;
    }
    return *text == 0;
}

static bool vpd_check_text(const PCIDevice *d, const char *prop, const char *text, GError **err)
{
    if (!text || (strlen(text) <= VPD_MAX_TEXT && vpd_printable(text))) {
        return true;
    }
    return error_set(
        err, ERROR_USER,
        "%s: %s is too long or not printable: at most %d printable ASCII characters are accepted",
        device_name(&d->dev), prop, VPD_MAX_TEXT);
}

/* --- the capability --- */

static bool vpd_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    return vpd_check_text(d, "vpd-part", d->vpd_part, err) &&
           vpd_check_text(d, "vpd-serial", d->vpd_serial, err);
}

static void vpd_create(PCIDevice *d, unsigned row)
{
    d->cap_state[row] = vpd_compose(d);
}

static void vpd_remove(PCIDevice *d, unsigned row)
{
    g_byte_array_unref(d->cap_state[row]);
    d->cap_state[row] = NULL;
}

static uint32_t vpd_data_at(const GByteArray *bytes, unsigned addr)
{
    uint32_t data = 0;

    for (unsigned i = 0; i < 4 && addr + i < bytes->len; i++) {
        data |= (uint32_t)bytes->data[addr + i] << 8 * i;
    }
    return data;
}

/* Start a transfer when the byte with the flag is written. Bits 1:0 of the address are ignored. */
static uint32_t vpd_address_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    PCIDevice *d = dev;
    int row = pci_cap_row(d, &pci_vpd_class);
    uint16_t pos = d->cap_pos[row];

    if (!(pci_config_lanes(&d->config) & PCI_VPD_ADDR_F)) {
        return 0;
    }
    if (!(new &PCI_VPD_ADDR_F)) {
        pci_config_set(&d->config, pos + PCI_VPD_DATA, 4,
                       vpd_data_at(d->cap_state[row], new & ~(unsigned)PCI_VPD_ADDR_F & ~3u));
    }
    pci_config_set(&d->config, pos + PCI_VPD_ADDR, 2, new ^ PCI_VPD_ADDR_F);
    return 0;
}

static const RegDesc vpd_rows[] = {
    REG_ROW("Address", PCI_VPD_ADDR, 2, .rw = 0xffff, .identity = REG_ALL,
            .wrote = vpd_address_wrote,
            .doc = "address; bit 15 starts a transfer and changes when it is complete"),
    REG_ROW("Data", PCI_VPD_DATA, 4, .rw = UINT32_MAX, .identity = REG_ALL,
            .doc = "four bytes at the address"),
};
static const PCIRegTable vpd_tables[] = { { .rows = LIST(vpd_rows) } };

static const PlanProp vpd_props[] = {
    PROP_STR(PCIDevice, vpd_part, "vpd-part",
             "part number in the vital product data (default: the type's name)"),
    PROP_STR(PCIDevice, vpd_serial, "vpd-serial", "serial number in the vital product data"),
};

const PCICapClass pci_vpd_class = {
    .id = PCI_CAP_ID_VPD,
    .name = "Vital Product Data",
    .present_bit = 4,
    .doc = "vital product data",
    .props = vpd_props,
    .n_props = G_N_ELEMENTS(vpd_props),
    .size = PCI_CAP_VPD_SIZEOF,
    .tables = LIST(vpd_tables),
    .setup = vpd_setup,
    .create = vpd_create,
    .remove = vpd_remove,
};
