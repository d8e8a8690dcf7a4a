/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scsi-hd and scsi-cd: disks and CD-ROM drives on a SCSI bus (SPC-3, SBC-3, MMC-5).
 */
#include <string.h>

#include "internal.h"
#include "util/error.h"

enum { DISK_ID_MAX = 20, CD_BLOCK = 2048 };

/* --- commands --- */

enum {
    ON_HD = 1 << 0,
    ON_CD = 1 << 1,
    ON_BOTH = ON_HD | ON_CD,
    MEDIUM = 1 << 2, /* the command fails without a medium */
};

typedef struct ScsiCommand {
    uint8_t op, flags;
    void (*run)(ScsiDisk *d, SCSIRequest *req);
} ScsiCommand;

static void disk_ok(ScsiDisk *d, SCSIRequest *req)
{
    scsi_end(req);
}

static void disk_put_be(uint8_t *at, uint64_t v, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        at[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
    }
}

/* READ CAPACITY (10): ffffffff directs the initiator to READ CAPACITY (16). */
static void disk_read_capacity_10(ScsiDisk *d, SCSIRequest *req)
{
    uint64_t blocks = scsi_disk_blocks(d);
    uint8_t data[8];

    if (scsi_cdb(req, 2, 4) || (req->cdb[8] & 1)) { /* LBA and PMI are obsolete */
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    disk_put_be(data, MIN(blocks ? blocks - 1 : 0, UINT32_MAX), 4);
    disk_put_be(data + 4, d->logical, 4);
    scsi_reply(req, data, sizeof(data), MIN(req->in_len, sizeof(data)));
}

/* SERVICE ACTION IN (16): READ CAPACITY (16), with LBPME for disks. */
static void disk_service_action_in(ScsiDisk *d, SCSIRequest *req)
{
    enum { READ_CAPACITY_16 = 0x10, LBPME = 0x80 };
    uint64_t blocks = scsi_disk_blocks(d);
    uint8_t data[32] = { 0 };

    if ((req->cdb[1] & 0x1f) != READ_CAPACITY_16) {
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    disk_put_be(data, blocks ? blocks - 1 : 0, 8);
    disk_put_be(data + 8, d->logical, 4);
    data[13] = (uint8_t)__builtin_ctz(d->physical / d->logical);
    data[14] = scsi_is_cdrom(d) ? 0 : LBPME;
    scsi_reply(req, data, sizeof(data), scsi_cdb(req, 10, 4));
}

static void disk_seek(ScsiDisk *d, SCSIRequest *req)
{
    uint64_t lba = req->cdb[0] == OP_SEEK_6 ? scsi_cdb(req, 1, 3) & 0x1fffff : scsi_cdb(req, 2, 4);

    if (lba >= scsi_disk_blocks(d)) {
        scsi_fail(req, SCSI_LBA_OUT_OF_RANGE);
    } else {
        scsi_end(req);
    }
}

/* In the order of their codes. */
static const ScsiCommand disk_commands[] = {
    { OP_TEST_UNIT_READY, ON_BOTH | MEDIUM, disk_ok },
    { OP_READ_6, ON_BOTH | MEDIUM, scsi_disk_read_write },
    { OP_WRITE_6, ON_HD | MEDIUM, scsi_disk_read_write },
    { OP_SEEK_6, ON_BOTH | MEDIUM, disk_seek },
    { OP_INQUIRY, ON_BOTH, scsi_disk_inquiry },
    { OP_MODE_SELECT_6, ON_BOTH, scsi_disk_mode_select },
    { OP_RESERVE_6, ON_BOTH, disk_ok },
    { OP_RELEASE_6, ON_BOTH, disk_ok },
    { OP_MODE_SENSE_6, ON_BOTH, scsi_disk_mode_sense },
    { OP_START_STOP_UNIT, ON_BOTH, scsi_media_start_stop },
    { OP_PREVENT_ALLOW, ON_BOTH, scsi_media_prevent_allow },
    { OP_READ_CAPACITY_10, ON_BOTH | MEDIUM, disk_read_capacity_10 },
    { OP_READ_10, ON_BOTH | MEDIUM, scsi_disk_read_write },
    { OP_WRITE_10, ON_HD | MEDIUM, scsi_disk_read_write },
    { OP_SEEK_10, ON_BOTH | MEDIUM, disk_seek },
    { OP_WRITE_VERIFY_10, ON_HD | MEDIUM, scsi_disk_read_write },
    { OP_VERIFY_10, ON_BOTH | MEDIUM, scsi_disk_verify },
    { OP_SYNCHRONIZE_CACHE_10, ON_HD | MEDIUM, scsi_disk_flush },
    { OP_WRITE_SAME_10, ON_HD | MEDIUM, scsi_disk_write_same },
    { OP_UNMAP, ON_HD | MEDIUM, scsi_disk_unmap },
    { OP_READ_TOC, ON_CD | MEDIUM, scsi_cdrom_read_toc },
    { OP_GET_CONFIGURATION, ON_CD, scsi_cdrom_get_configuration },
    { OP_GET_EVENT_STATUS, ON_CD, scsi_cdrom_get_event },
    { OP_READ_DISC_INFORMATION, ON_CD | MEDIUM, scsi_cdrom_disc_information },
    { OP_MODE_SELECT_10, ON_BOTH, scsi_disk_mode_select },
    { OP_RESERVE_10, ON_BOTH, disk_ok },
    { OP_RELEASE_10, ON_BOTH, disk_ok },
    { OP_MODE_SENSE_10, ON_BOTH, scsi_disk_mode_sense },
    { OP_READ_16, ON_BOTH | MEDIUM, scsi_disk_read_write },
    { OP_WRITE_16, ON_HD | MEDIUM, scsi_disk_read_write },
    { OP_WRITE_VERIFY_16, ON_HD | MEDIUM, scsi_disk_read_write },
    { OP_VERIFY_16, ON_BOTH | MEDIUM, scsi_disk_verify },
    { OP_SYNCHRONIZE_CACHE_16, ON_HD | MEDIUM, scsi_disk_flush },
    { OP_WRITE_SAME_16, ON_HD | MEDIUM, scsi_disk_write_same },
    { OP_SERVICE_ACTION_IN_16, ON_BOTH | MEDIUM, disk_service_action_in },
    { OP_READ_12, ON_BOTH | MEDIUM, scsi_disk_read_write },
    { OP_WRITE_12, ON_HD | MEDIUM, scsi_disk_read_write },
    { OP_WRITE_VERIFY_12, ON_HD | MEDIUM, scsi_disk_read_write },
    { OP_VERIFY_12, ON_BOTH | MEDIUM, scsi_disk_verify },
    { OP_SET_CD_SPEED, ON_CD, disk_ok },
    { OP_MECHANISM_STATUS, ON_CD, scsi_cdrom_mechanism_status },
};

static ScsiDisk *disk_of(SCSIDevice *dev)
{
    return (ScsiDisk *)dev;
}

static const ScsiCommand *disk_find_command(const ScsiDisk *d, uint8_t op)
{
    unsigned on = scsi_is_cdrom(d) ? ON_CD : ON_HD;

    for (size_t i = 0; i < G_N_ELEMENTS(disk_commands); i++) {
        if (disk_commands[i].op == op && (disk_commands[i].flags & on)) {
            return &disk_commands[i];
        }
    }
    return NULL;
}

static void disk_start(SCSIDevice *dev, SCSIRequest *req)
{
    ScsiDisk *d = disk_of(dev);
    const ScsiCommand *c = disk_find_command(d, req->cdb[0]);

    if (!c) {
        scsi_fail(req, SCSI_INVALID_OPCODE);
    } else if ((c->flags & MEDIUM) && !scsi_disk_ready(d)) {
        scsi_fail(req, d->media.tray_open ? SCSI_NO_MEDIUM_OPEN : SCSI_NO_MEDIUM);
    } else {
        c->run(d, req);
    }
}

static void disk_resume(SCSIDevice *dev, SCSIRequest *req)
{
    scsi_disk_step(disk_of(dev), req);
}

static void disk_drain(SCSIDevice *dev)
{
    ScsiDisk *d = disk_of(dev);

    if (d->media.node && block_in_flight(d->media.node)) {
        block_drain(d->media.node);
    }
}

static void disk_unit_reset(SCSIDevice *dev)
{
    ScsiDisk *d = disk_of(dev);

    d->media.locked = false;
    d->writeback = d->write_cache != PLAN_OFF;
}

/* --- life --- */

static const char *disk_path(void *opaque)
{
    return device_id_or_path(&((ScsiDisk *)opaque)->scsi.dev);
}

static void disk_resized(void *opaque, uint64_t size)
{
    scsi_changed(&((ScsiDisk *)opaque)->scsi, SCSI_ATTENTION_CAPACITY);
}

static bool disk_power_of_two(uint32_t v, uint32_t lo, uint32_t hi)
{
    return v >= lo && v <= hi && !(v & (v - 1));
}

static bool disk_check_props(const ScsiDisk *d, GError **err)
{
    const Device *dev = &d->scsi.dev;
    const char *what = NULL;

    if (!disk_power_of_two(d->logical, 512, 32768)) {
        what = "logical_block_size must be a power of two from 512 to 32768";
    } else if (!disk_power_of_two(d->physical, d->logical, 2 << 20)) {
        what = "physical_block_size must be a power of two, at least logical_block_size";
    } else if (d->serial && strlen(d->serial) > 36) {
        what = "serial must have at most 36 bytes";
    } else if (d->device_id && strlen(d->device_id) > DISK_ID_MAX) {
        what = "device_id must have at most 20 bytes";
    } else if (!d->drive && !scsi_is_cdrom(d)) {
        return error_set(
            err, ERROR_USER,
            "%s: property 'drive' is required: create a back end with -drive "
            "if=none,id=NAME,file=FILE,format=raw (or -blockdev node-name=NAME,...) and "
            "add drive=NAME to -device %s",
            device_name(dev), dev->type->name);
    }
    return !what || error_set(err, ERROR_USER, "%s: %s", device_name(dev), what);
}

static void disk_set_user(ScsiDisk *d, bool ro)
{
    d->media = (BlockMedia){
        .device = &d->scsi.dev,
        .moved = scsi_media_moved,
        .eject_request = scsi_media_eject_request,
        .user = { .context = ((SCSIBus *)d->scsi.dev.bus)->context,
                  .resized = disk_resized,
                  .path = disk_path,
                  .opaque = d,
                  .perm = BLOCK_PERM_CONSISTENT_READ | (ro ? 0 : BLOCK_PERM_WRITE),
                  .shared = BLOCK_PERM_CONSISTENT_READ | BLOCK_PERM_WRITE_UNCHANGED |
                            BLOCK_PERM_RESIZE | (d->share_rw ? BLOCK_PERM_WRITE : 0) },
    };
}

/* Attach the node of a disk. */
static bool disk_attach_node(ScsiDisk *d, GError **err)
{
    Device *dev = &d->scsi.dev;
    BlockNode *n = block_find(dev->machine, d->drive);

    if (!n) {
        return error_set(err, ERROR_USER, "%s: there is no drive or block node named '%s'",
                         device_name(dev), d->drive);
    }
    if (d->read_only == PLAN_OFF && block_read_only(n)) {
        return error_set(err, ERROR_USER,
                         "%s: read-only=off was requested, but block node '%s' is read-only",
                         device_name(dev), d->drive);
    }
    if (d->read_only == PLAN_AUTO) {
        d->read_only = block_read_only(n) ? PLAN_ON : PLAN_OFF;
    }
    disk_set_user(d, d->read_only == PLAN_ON);
    if (!block_attach(n, &d->media.user, device_name(dev), err)) {
        return false;
    }
    d->media.node = n;
    return true;
}

static bool disk_attach_medium(ScsiDisk *d, GError **err)
{
    d->read_only = PLAN_ON;
    disk_set_user(d, true);
    return block_media_add(&d->media, d->drive, err);
}

static bool disk_realize(void *dev, GError **err)
{
    ScsiDisk *d = dev;
    const char *own = d->device_id ? d->device_id : d->serial;
    const BlockNode *n;

    if (!disk_check_props(d, err) ||
        !(scsi_is_cdrom(d) ? disk_attach_medium(d, err) : disk_attach_node(d, err))) {
        return false;
    }
    n = d->media.node;
    d->text_id = g_strdup(own ? own : d->media.drive ? d->media.drive : n ? block_drive_id(n) : "");
    return true;
}

static void disk_unrealize(void *dev)
{
    ScsiDisk *d = dev;

    if (scsi_is_cdrom(d)) {
        block_media_del(&d->media);
    } else if (d->media.node) {
        block_detach(d->media.node, &d->media.user);
        d->media.node = NULL;
    }
}

static void disk_finalize(void *dev)
{
    g_free(((ScsiDisk *)dev)->text_id);
}

static void disk_reset(void *dev, ResetKind kind)
{
    ScsiDisk *d = dev;

    d->media.tray_open = false;
    d->media_event = SCSI_MEDIA_NO_CHANGE;
}

/* --- the types --- */

static const char *const disk_policies[] = { "auto", "report", "ignore", "stop", "enospc", NULL };

#define DISK_TEXT(m, n, value, text)                                                               \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_STRING, .field = FIELD(ScsiDisk, m, char *),                \
        .def_str = (value), .doc = (text)                                                          \
    }
#define DISK_POLICY(m, text)                                                                       \
    {                                                                                              \
        .name = #m, .kind = PLAN_PROP_ENUM, .field = FIELD(ScsiDisk, m, uint32_t),                 \
        .choices = disk_policies, .flags = PLAN_PROP_HOST, .doc = (text)                           \
    }
#define DISK_PROPS(text, product_, block)                                                          \
    PROP_BACKEND(ScsiDisk, drive, "drive", "block", text),                                         \
        PROP_STR(ScsiDisk, serial, "serial", "serial number, up to 36 bytes (page 80)"),           \
        PROP_U64(ScsiDisk, wwn, "wwn", 0, 0, UINT64_MAX, "world wide name (page 83); 0: none"),    \
        DISK_TEXT(vendor, "vendor", "QEMU", "vendor, up to 8 bytes"),                              \
        DISK_TEXT(product, "product", product_, "product, up to 16 bytes"),                        \
        DISK_TEXT(ver, "ver", "2.5+", "revision, up to 4 bytes"),                                  \
        PROP_STR(                                                                                  \
            ScsiDisk, device_id, "device_id",                                                      \
            "identification in page 83 (default: the serial number, or the id of the drive)"),     \
        PROP_U32(ScsiDisk, logical, "logical_block_size", block, 512, 32768,                       \
                 "smallest unit of I/O"),                                                          \
        PROP_U32(ScsiDisk, physical, "physical_block_size", block, 512, 2 << 20,                   \
                 "unit of the medium"),                                                            \
        PROP_BOOTINDEX(ScsiDisk, bootindex),                                                       \
        DISK_POLICY(rerror, "on a read error (auto: the policy of -drive, else report)")

static const PlanProp hd_props[] = {
    DISK_PROPS("the drive or block node of the disk", "QEMU HARDDISK", 512),
    DISK_POLICY(werror, "on a write error (auto: the policy of -drive, else enospc)"),
    PROP_BOOL(ScsiDisk, removable, "removable", false, "report a removable medium"),
    PROP_U16(ScsiDisk, rotation_rate, "rotation_rate", 0, 0, UINT16_MAX,
             "revolutions per minute; 1: solid state; 0: not reported"),
    PROP_ONOFF(ScsiDisk, write_cache, "write-cache", PLAN_AUTO, "write cache at reset"),
    { .name = "read-only",
      .kind = PLAN_PROP_ONOFF,
      .flags = PLAN_PROP_DECIDED,
      .field = FIELD(ScsiDisk, read_only, uint32_t),
      .doc = "refuse writes by the guest (auto: as the drive)" },
    { .name = "share-rw",
      .kind = PLAN_PROP_BOOL,
      .flags = PLAN_PROP_HOST,
      .field = FIELD(ScsiDisk, share_rw, bool),
      .doc = "allow other devices and processes to write to the drive" },
};
static const PlanProp cd_props[] = {
    DISK_PROPS("the drive or block node of the medium (default: no medium)", "QEMU CD-ROM",
               CD_BLOCK),
};

static const VmField disk_fields[] = {
    VM_U8(ScsiDisk, scsi.attention, .mask = (1 << SCSI_ATTENTIONS) - 1),
    VM_U8(ScsiDisk, writeback, .mask = 1),
    VM_BOOL(ScsiDisk, media.tray_open),
    VM_BOOL(ScsiDisk, media.locked),
    VM_U8(ScsiDisk, media_event, .max = SCSI_MEDIA_EVENTS - 1),
};
static const VmState disk_state = { .name = "scsi-disk",
                                    .version = 1,
                                    .fields = LIST(disk_fields) };

#define DISK_TYPE(n, text, props_, cdrom_)                                                         \
    {                                                                                              \
        .scsi = { .base = { .name = (n),                                                           \
                            .doc = (text),                                                         \
                            .kind = &scsi_device_kind,                                             \
                            .size = sizeof(ScsiDisk),                                              \
                            .props = LIST(props_),                                                 \
                            .vmstate = &disk_state,                                                \
                            .hotpluggable = true,                                                  \
                            .realize = disk_realize,                                               \
                            .reset = disk_reset,                                                   \
                            .unrealize = disk_unrealize,                                           \
                            .finalize = disk_finalize },                                           \
                  .start = disk_start,                                                             \
                  .resume = disk_resume,                                                           \
                  .drain = disk_drain,                                                             \
                  .unit_reset = disk_unit_reset },                                                 \
        .cdrom = (cdrom_)                                                                          \
    }
static const ScsiDiskType scsi_hd = DISK_TYPE("scsi-hd", "a SCSI disk", hd_props, false);
static const ScsiDiskType scsi_cd = DISK_TYPE("scsi-cd", "a SCSI CD-ROM drive", cd_props, true);
#define DISK_DEVICE_TYPE(t)                                                                        \
    extern const DeviceType *const t##_entry;                                                      \
    const DeviceType *const t##_entry = &(t).scsi.base
DISK_DEVICE_TYPE(scsi_hd);
DISK_DEVICE_TYPE(scsi_cd);
