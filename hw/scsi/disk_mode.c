/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mode pages of disks and CD-ROM drives (SPC-3, 6.7 to 6.10 and 7.4; SBC-3, 6.4; MMC-5, 7). Only
 * the write cache bit of the caching page can be changed.
 */
#include <string.h>

#include "internal.h"

enum {
    PAGE_ERROR_RECOVERY = 0x01,
    PAGE_CACHING = 0x08,
    PAGE_CONTROL = 0x0a,
    PAGE_CAPABILITIES = 0x2a, /* of CD-ROM drives */
    PAGE_ALL = 0x3f,
    PAGE_MAX = 32, /* bytes of the longest page */
};
enum { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };
enum { MODE_WP = 0x80, MODE_DPOFUA = 0x10, DESCRIPTOR_LEN = 8, WCE = 1 << 2 };
enum { SELECT_SP = 1 << 0, SELECT_PF = 1 << 4, SENSE_DBD = 1 << 3, PAGE_SPF = 1 << 6 };

typedef struct ModePage {
    uint8_t code, len; /* len: without the header of two bytes */
    bool on_disk, on_cdrom;
} ModePage;

static const ModePage mode_pages[] = {
    { PAGE_ERROR_RECOVERY, 10, true, true },
    { PAGE_CACHING, 18, true, false },
    { PAGE_CONTROL, 10, true, true },
    { PAGE_CAPABILITIES, 20, false, true },
};

static bool mode_has_page(const ScsiDisk *d, const ModePage *p)
{
    return scsi_is_cdrom(d) ? p->on_cdrom : p->on_disk;
}

/* Fill the capabilities of a CD-ROM drive (MMC-3, 5.5.10). */
static void mode_fill_capabilities(uint8_t *p)
{
    p[2] = 0x3b;  /* reads CD-R, CD-RW, DVD-ROM, DVD-R, DVD-RAM */
    p[4] = 0x70;  /* mode 2 form 1 and 2, multisession */
    p[6] = 0x29;  /* tray; eject and lock */
    p[8] = 0x16;  /* 5632 kB/s: 32x */
    p[12] = 0x02; /* buffer of 512 KiB */
    p[14] = 0x16;
}

/* Build a page in `p`, which has PAGE_MAX zeroed bytes. */
static void mode_fill(const ScsiDisk *d, const ModePage *page, unsigned control, uint8_t *p)
{
    p[0] = page->code;
    p[1] = page->len;
    if (control == PC_CHANGEABLE) {
        p[2] = page->code == PAGE_CACHING ? WCE : 0;
        return;
    }
    switch (page->code) {
    case PAGE_ERROR_RECOVERY:
        p[2] = 0x80; /* AWRE */
        p[3] = scsi_is_cdrom(d) ? 0x20 : 0;
        break;
    case PAGE_CACHING:
        p[2] = (control == PC_DEFAULT ? d->write_cache != PLAN_OFF : d->writeback) ? WCE : 0;
        break;
    case PAGE_CONTROL:
        p[3] = 0x10; /* unrestricted reordering */
        break;
    default:
        mode_fill_capabilities(p);
        break;
    }
}

static void mode_append_pages(const ScsiDisk *d, unsigned code, unsigned control, GByteArray *out)
{
    for (size_t i = 0; i < G_N_ELEMENTS(mode_pages); i++) {
        uint8_t bytes[PAGE_MAX] = { 0 };

        if ((code == PAGE_ALL || code == mode_pages[i].code) && mode_has_page(d, &mode_pages[i])) {
            mode_fill(d, &mode_pages[i], control, bytes);
            g_byte_array_append(out, bytes, 2u + mode_pages[i].len);
        }
    }
}

/* Append the block descriptor of a disk: the number of blocks, if it fits, and their size. */
static void mode_append_descriptor(const ScsiDisk *d, GByteArray *out)
{
    uint64_t blocks = MIN(scsi_disk_blocks(d), 0xffffff);
    uint8_t bytes[DESCRIPTOR_LEN] = { 0 };

    for (unsigned i = 0; i < 3; i++) {
        bytes[1 + i] = (uint8_t)(blocks >> (16 - 8 * i));
        bytes[5 + i] = (uint8_t)(d->logical >> (16 - 8 * i));
    }
    g_byte_array_append(out, bytes, sizeof(bytes));
}

void scsi_disk_mode_sense(ScsiDisk *d, SCSIRequest *req)
{
    bool ten = req->cdb[0] == OP_MODE_SENSE_10;
    unsigned code = req->cdb[2] & 0x3f, control = req->cdb[2] >> 6, header = ten ? 8 : 4;
    bool descriptor = !scsi_is_cdrom(d) && !(req->cdb[1] & SENSE_DBD);
    g_autoptr(GByteArray) out = g_byte_array_new();
    unsigned before;

    g_byte_array_set_size(out, header);
    memset(out->data, 0, header);
    out->data[ten ? 3 : 2] =
        scsi_is_cdrom(d) ? 0 : MODE_DPOFUA | (d->read_only == PLAN_ON ? MODE_WP : 0);
    out->data[header - 1] = descriptor ? DESCRIPTOR_LEN : 0;
    if (descriptor) {
        mode_append_descriptor(d, out);
    }
    before = out->len;
    mode_append_pages(d, code, control, out);
    if (control == PC_SAVED || (req->cdb[3] != 0 && req->cdb[3] != 0xff) ||
        (out->len == before && code != 0)) {
        scsi_fail(req, control == PC_SAVED ? SCSI_SAVING_UNSUPPORTED : SCSI_INVALID_FIELD);
        return;
    }
    if (ten) {
        out->data[0] = (uint8_t)((out->len - 2) >> 8);
        out->data[1] = (uint8_t)(out->len - 2);
    } else {
        out->data[0] = (uint8_t)(out->len - 1);
    }
    scsi_reply(req, out->data, out->len, ten ? scsi_cdb(req, 7, 2) : req->cdb[4]);
}

/* Check one page of MODE SELECT: bits that cannot be changed must be as they are. */
static bool mode_check_page(const ScsiDisk *d, const uint8_t *page, size_t len)
{
    for (size_t i = 0; i < G_N_ELEMENTS(mode_pages); i++) {
        const ModePage *p = &mode_pages[i];
        uint8_t now[PAGE_MAX] = { 0 }, changeable[PAGE_MAX] = { 0 };

        if (p->code != page[0] || !mode_has_page(d, p) || len != 2u + p->len) {
            continue;
        }
        mode_fill(d, p, PC_CURRENT, now);
        mode_fill(d, p, PC_CHANGEABLE, changeable);
        for (unsigned k = 2; k < len; k++) {
            if ((now[k] ^ page[k]) & ~changeable[k]) {
                return false;
            }
        }
        return true;
    }
    return false;
}

/* Check all pages, then apply them. Return whether they are valid; *flush: the cache was switched
 * off. */
static bool mode_select_pages(ScsiDisk *d, const uint8_t *list, size_t len, bool *flush)
{
    bool writeback = d->writeback;

    for (size_t at = 0; at < len;) {
        size_t page_len = at + 2 <= len ? 2u + list[at + 1] : 0;

        if (page_len == 0 || (list[at] & PAGE_SPF) || page_len > len - at ||
            !mode_check_page(d, list + at, page_len)) {
            return false;
        }
        if (list[at] == PAGE_CACHING) {
            writeback = list[at + 2] & WCE;
        }
        at += page_len;
    }
    *flush = d->writeback && !writeback;
    d->writeback = writeback;
    return true;
}

/* The block descriptor must not change the size of the blocks. */
static bool mode_check_descriptor(const ScsiDisk *d, const uint8_t *bytes, size_t len)
{
    return len == 0 || (len == DESCRIPTOR_LEN && bytes[5] == (d->logical >> 16 & 0xff) &&
                        bytes[6] == (d->logical >> 8 & 0xff) && bytes[7] == (d->logical & 0xff));
}

void scsi_disk_mode_select(ScsiDisk *d, SCSIRequest *req)
{
    bool ten = req->cdb[0] == OP_MODE_SELECT_10, flush = false;
    size_t header = ten ? 8 : 4, len = ten ? scsi_cdb(req, 7, 2) : req->cdb[4], descriptor;
    uint8_t list[512];

    if ((req->cdb[1] & (SELECT_PF | SELECT_SP)) != SELECT_PF) {
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    if (len == 0) {
        scsi_end(req);
        return;
    }
    if (len < header || len > sizeof(list)) {
        scsi_fail(req, SCSI_PARAMETER_LENGTH);
        return;
    }
    if (!scsi_parameters(req, list, len)) {
        return;
    }
    descriptor = list[header - 1] | (ten ? (size_t)list[6] << 8 : 0);
    if (header + descriptor > len || !mode_check_descriptor(d, list + header, descriptor) ||
        !mode_select_pages(d, list + header + descriptor, len - header - descriptor, &flush)) {
        scsi_fail(req, SCSI_INVALID_PARAMETER);
    } else if (flush && d->media.node) {
        scsi_disk_flush(d, req);
    } else {
        scsi_end(req);
    }
}
