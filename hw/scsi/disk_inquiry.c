/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INQUIRY and the vital product data of disks and CD-ROM drives (SPC-3, 6.4 and 7.6; SBC-3, 6.5).
 */
#include <string.h>

#include "internal.h"

enum {
    TYPE_DISK = 0x00,
    TYPE_CDROM = 0x05,
    STANDARD_LEN = 36,
    VPD_MAX = 255,
    VPD_HEADER = 4,
    SERIAL_MAX = 36,
    LIMITS_LEN = 64,
    PROVISIONING_LEN = 8,
};

typedef struct VpdPage {
    uint8_t code;
    bool disks_only;
    /* Append the page without its header; false: the unit lacks it. */
    bool (*build)(const ScsiDisk *d, GByteArray *page);
} VpdPage;

static uint8_t inquiry_device_type(const ScsiDisk *d)
{
    return scsi_is_cdrom(d) ? TYPE_CDROM : TYPE_DISK;
}

static void inquiry_put_be(uint8_t *at, uint64_t v, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        at[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
    }
}

/* Unit serial number. */
static bool inquiry_vpd_serial(const ScsiDisk *d, GByteArray *page)
{
    size_t len = d->serial ? MIN(strlen(d->serial), (size_t)SERIAL_MAX) : 0;

    if (len) {
        g_byte_array_append(page, (const uint8_t *)d->serial, len);
    }
    return len > 0;
}

/* Device identification: a text, and the world wide name. */
static bool inquiry_vpd_identification(const ScsiDisk *d, GByteArray *page)
{
    size_t len = MIN(strlen(d->text_id), (size_t)VPD_MAX - 24);
    uint8_t header[4] = { 2, 0, 0, (uint8_t)len }, name[12] = { 1, 3, 0, 8 };

    if (len) {
        g_byte_array_append(page, header, sizeof(header));
        g_byte_array_append(page, (const uint8_t *)d->text_id, len);
    }
    if (d->wwn) {
        inquiry_put_be(name + 4, d->wwn, 8);
        g_byte_array_append(page, name, sizeof(name));
    }
    return true;
}

/* Block limits. */
static bool inquiry_vpd_limits(const ScsiDisk *d, GByteArray *page)
{
    uint32_t ratio = d->physical / d->logical;
    uint8_t limits[LIMITS_LEN] = { 0 };

    limits[4] = 1; /* WSNZ */
    inquiry_put_be(limits + 6, ratio, 2);
    inquiry_put_be(limits + 20, SCSI_MAX_RANGE, 4);
    inquiry_put_be(limits + 24, SCSI_MAX_RANGES, 4);
    inquiry_put_be(limits + 28, ratio, 4);
    inquiry_put_be(limits + 36, SCSI_MAX_RANGE, 8);
    g_byte_array_append(page, limits + VPD_HEADER, LIMITS_LEN - VPD_HEADER);
    return true;
}

/* Block device characteristics. */
static bool inquiry_vpd_characteristics(const ScsiDisk *d, GByteArray *page)
{
    uint8_t data[LIMITS_LEN] = { 0 };

    inquiry_put_be(data + 4, d->rotation_rate, 2);
    g_byte_array_append(page, data + VPD_HEADER, LIMITS_LEN - VPD_HEADER);
    return true;
}

/* Logical block provisioning: UNMAP and WRITE SAME with UNMAP, thin. */
static bool inquiry_vpd_provisioning(const ScsiDisk *d, GByteArray *page)
{
    static const uint8_t data[PROVISIONING_LEN] = { [5] = 0xe0, [6] = 2 };

    g_byte_array_append(page, data + VPD_HEADER, PROVISIONING_LEN - VPD_HEADER);
    return true;
}

static bool inquiry_vpd_list(const ScsiDisk *d, GByteArray *page);

static const VpdPage vpd_pages[] = {
    { 0x00, false, inquiry_vpd_list },           { 0x80, false, inquiry_vpd_serial },
    { 0x83, false, inquiry_vpd_identification }, { 0xb0, true, inquiry_vpd_limits },
    { 0xb1, true, inquiry_vpd_characteristics }, { 0xb2, true, inquiry_vpd_provisioning },
};

static bool inquiry_has_page(const ScsiDisk *d, const VpdPage *p)
{
    bool serial = p->build != inquiry_vpd_serial || (d->serial && *d->serial);

    return serial && !(p->disks_only && scsi_is_cdrom(d));
}

static bool inquiry_vpd_list(const ScsiDisk *d, GByteArray *page)
{
    for (size_t i = 0; i < G_N_ELEMENTS(vpd_pages); i++) {
        if (inquiry_has_page(d, &vpd_pages[i])) {
            g_byte_array_append(page, &vpd_pages[i].code, 1);
        }
    }
    return true;
}

static void inquiry_reply_vpd(ScsiDisk *d, SCSIRequest *req)
{
    uint8_t header[VPD_HEADER] = { inquiry_device_type(d), req->cdb[2] };
    g_autoptr(GByteArray) page = g_byte_array_new();

    g_byte_array_append(page, header, sizeof(header));
    for (size_t i = 0; i < G_N_ELEMENTS(vpd_pages); i++) {
        const VpdPage *p = &vpd_pages[i];

        if (p->code == req->cdb[2] && inquiry_has_page(d, p) && p->build(d, page)) {
            inquiry_put_be(page->data + 2, page->len - VPD_HEADER, 2);
            scsi_reply(req, page->data, page->len, scsi_cdb(req, 3, 2));
            return;
        }
    }
    scsi_fail(req, SCSI_INVALID_FIELD);
}

/* Copy a text into a field that is padded with spaces. */
static void inquiry_put_text(uint8_t *at, size_t len, const char *text)
{
    memset(at, ' ', len);
    memcpy(at, text ? text : "", text ? MIN(strlen(text), len) : 0);
}

void scsi_disk_inquiry(ScsiDisk *d, SCSIRequest *req)
{
    uint8_t data[STANDARD_LEN] = { inquiry_device_type(d),
                                   d->removable || scsi_is_cdrom(d) ? 0x80 : 0,
                                   5,    /* SPC-3 */
                                   0x12, /* HISUP, response data format 2 */
                                   STANDARD_LEN - 5,
                                   [7] = 0x12 }; /* SYNC, CMDQUE */

    if (req->cdb[1] & 1) {
        inquiry_reply_vpd(d, req);
        return;
    }
    if (req->cdb[2]) { /* a page without EVPD */
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    inquiry_put_text(data + 8, 8, d->vendor);
    inquiry_put_text(data + 16, 16, d->product);
    inquiry_put_text(data + 32, 4, d->ver);
    scsi_reply(req, data, sizeof(data), scsi_cdb(req, 3, 2));
}
