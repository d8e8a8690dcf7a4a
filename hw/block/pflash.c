/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CFI flash memory: the command interface, and the contents as memory of the guest and data of a
 * drive (contract in hw/block/pflash.h).
 *
 * In read array mode the bank is memory, so that CPUs can fetch from it; a store enters the command
 * interface. In every other mode loads enter the command interface as well.
 *
 * A program or erase operation changes the memory and writes the affected sectors to the drive.
 * The status register reports "busy" until the drive has completed the write, and a failure
 * afterwards. The next operation waits for a write in flight, so that writes stay in order.
 */
#include "hw/block/pflash.h"

#include <string.h>

#include "block/block.h"
#include "machine-events.h"
#include "util/error.h"
#include "util/log.h"

enum {
    SECTOR_BITS = 18, /* erase block of the bank: 256 KiB */
    SECTORS = PFLASH_SIZE >> SECTOR_BITS,
    BUFFER_BITS = 12, /* write buffer of the bank */
    BUFFER_SIZE = 1 << BUFFER_BITS,
    BUFFER_WORDS = BUFFER_SIZE / 4,
    QUERY_FIRST = 0x10, /* word of the first byte of the CFI tables */
    ID_WORDS = 256,     /* the identification repeats */
};

/* Commands, and the modes that they select */
enum {
    CMD_READ_ARRAY_0 = 0x00, /* as 0xff */
    CMD_LOCK = 0x01,
    CMD_PROGRAM_1 = 0x10, /* as 0x40 */
    CMD_ERASE = 0x20,
    CMD_PROGRAM = 0x40,
    CMD_CLEAR_STATUS = 0x50,
    CMD_SET_LOCK = 0x60,
    CMD_READ_STATUS = 0x70,
    CMD_READ_ID = 0x90,
    CMD_QUERY = 0x98,
    CMD_CONFIRM = 0xd0,
    CMD_BUFFER = 0xe8,
    CMD_READ_ARRAY = 0xff,
};

enum {
    STATUS_READY = 1 << 7,
    STATUS_ERASE_ERROR = 1 << 5,
    STATUS_PROGRAM_ERROR = 1 << 4,
    STATUS_SEQUENCE_ERROR = STATUS_ERASE_ERROR | STATUS_PROGRAM_ERROR,
    STATUS_ERRORS = STATUS_SEQUENCE_ERROR,
};

/* Meaning of the next store. */
typedef enum PflashCycle {
    CYCLE_COMMAND,
    CYCLE_SECOND, /* data, a confirmation, or the number of words */
    CYCLE_DATA,   /* data for the write buffer */
    CYCLE_CONFIRM,
    CYCLES
} PflashCycle;

typedef struct Pflash {
    SysDevice sys;
    char *drive, *name;
    BlockNode *node; /* NULL: no drive */
    BlockUser user;
    bool read_only;
    RamBlock *ram;
    MemRegion array; /* the contents, mapped above region 0 in read array mode */
    uint64_t base;   /* address of the bank, once it is mapped */
    bool placed;
    /* the write in flight */
    BlockRequest io;
    struct iovec iov;
    bool busy;
    uint8_t failed; /* status bits that a failure of the write sets */
    /* saved state */
    uint8_t cycle, mode, status;
    uint32_t left;      /* words that the write buffer accepts */
    uint32_t start;     /* offset of the write buffer in the bank */
    uint32_t low, high; /* bytes of the write buffer that were written */
    uint8_t buffer[BUFFER_SIZE];
} Pflash;

/* CFI tables of one device, from QUERY_FIRST on. A pair of bytes is a little-endian number. */
static const uint8_t pflash_query[] = {
    /* identification: command set, its table, no alternative command set */
    'Q', 'R', 'Y', 0x01, 0x00, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00,
    /* voltages; times as powers of two: word, buffer (us), block (ms), device; longest, as factors
     */
    0x45, 0x55, 0x00, 0x00, 0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04, 0x00,
    /* 16 MiB, 16-bit interface, write buffer of 2 KiB, one region of 128 blocks of 128 KiB */
    0x18, 0x02, 0x00, 0x0b, 0x00, 0x01, 0x7f, 0x00, 0x00, 0x02,
    /* Intel extensions: version 1.0, no optional features, one protection register */
    'P', 'R', 'I', '1', '0', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
};

/* --- modes --- */

static bool pflash_in_array_mode(const Pflash *s)
{
    return s->cycle == CYCLE_COMMAND && s->mode == CMD_READ_ARRAY;
}

/* Map the contents as memory, or remove them, according to the mode. */
static void pflash_update_map(Pflash *s)
{
    bool mapped = mem_is_mapped(&s->array), wanted = s->placed && pflash_in_array_mode(s);

    if (wanted && !mapped)
        mem_map(&s->sys.dev.machine->memory, s->base, &s->array, 1, 0);
    else if (!wanted && mapped)
        mem_unmap(&s->array);
}

static void pflash_enter(Pflash *s, uint8_t mode)
{
    s->cycle = CYCLE_COMMAND;
    s->mode = mode;
}

/* Report an error of the command sequence. */
static void pflash_sequence_error(Pflash *s, const char *what, uint32_t value)
{
    guest_error("cfi.pflash01", "%s: %s 0x%x", s->name, what, value);
    s->status |= STATUS_SEQUENCE_ERROR;
    pflash_enter(s, CMD_READ_STATUS);
}

/* --- writes to the drive --- */

static void pflash_written(BlockRequest *req, int result)
{
    Pflash *s = req->opaque;

    s->busy = false;
    if (result == 0)
        return;
    s->status |= s->failed;
    event_block_io_error(s->sys.dev.machine, block_drive_id(s->node), block_name(s->node),
                         s->sys.dev.path, QMP_IO_OPERATION_TYPE_WRITE,
                         QMP_BLOCK_ERROR_ACTION_REPORT, result == -ENOSPC, g_strerror(-result));
}

static void pflash_wait(Pflash *s)
{
    if (s->busy)
        block_drain(s->node);
}

/* The bytes [from, to) of the memory have changed. */
static void pflash_changed(Pflash *s, uint64_t from, uint64_t to, uint8_t failed)
{
    ram_written_any(s->ram, from, to - from);
    if (!s->node)
        return;
    from &= ~(uint64_t)(BLOCK_SECTOR - 1);
    to = (to + BLOCK_SECTOR - 1) & ~(uint64_t)(BLOCK_SECTOR - 1);
    s->iov = (struct iovec){ s->ram->host + from, to - from };
    s->io = (BlockRequest){ .op = BLOCK_WRITE,
                            .offset = from,
                            .len = to - from,
                            .iov = &s->iov,
                            .n_iov = 1,
                            .done = pflash_written,
                            .opaque = s };
    s->failed = failed;
    s->busy = true;
    block_submit(s->node, &s->io);
}

/* --- operations --- */

/* Programming clears bits; only erasing sets them. */
static void pflash_program(Pflash *s, uint64_t offset, const uint8_t *data, uint64_t len)
{
    if (s->read_only) {
        s->status |= STATUS_PROGRAM_ERROR;
        return;
    }
    pflash_wait(s);
    for (uint64_t i = 0; i < len; i++)
        s->ram->host[offset + i] &= data[i];
    pflash_changed(s, offset, offset + len, STATUS_PROGRAM_ERROR);
}

static void pflash_erase(Pflash *s, uint64_t offset)
{
    uint64_t from = offset & ~((1ull << SECTOR_BITS) - 1);

    if (s->read_only) {
        s->status |= STATUS_ERASE_ERROR;
        return;
    }
    pflash_wait(s);
    memset(s->ram->host + from, 0xff, 1 << SECTOR_BITS);
    pflash_changed(s, from, from + (1 << SECTOR_BITS), STATUS_ERASE_ERROR);
}

static void pflash_buffer_begin(Pflash *s, uint64_t offset, uint32_t words)
{
    if (words > BUFFER_WORDS) {
        pflash_sequence_error(s, "number of words for the write buffer", words);
        return;
    }
    s->start = offset & ~(uint64_t)(BUFFER_SIZE - 1);
    s->left = words;
    s->low = BUFFER_SIZE;
    s->high = 0;
    memset(s->buffer, 0xff, BUFFER_SIZE); /* programming 0xff changes nothing */
    s->cycle = CYCLE_DATA;
}

static void pflash_buffer_add(Pflash *s, uint64_t offset, uint32_t value, unsigned size)
{
    uint64_t at = offset - s->start;

    if (offset < s->start || at + size > BUFFER_SIZE) {
        pflash_sequence_error(s, "offset outside the write buffer", (uint32_t)offset);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        s->buffer[at + i] = value >> i * 8;
    s->low = MIN(s->low, (uint32_t)at);
    s->high = MAX(s->high, (uint32_t)at + size);
    if (--s->left == 0)
        s->cycle = CYCLE_CONFIRM;
}

static void pflash_buffer_confirm(Pflash *s, uint8_t command)
{
    if (command != CMD_CONFIRM) {
        pflash_sequence_error(s, "write buffer is not confirmed:", command);
        return;
    }
    pflash_program(s, s->start + s->low, s->buffer + s->low, s->high - s->low);
    pflash_enter(s, CMD_READ_STATUS);
}

/* --- the command interface --- */

static void pflash_command(Pflash *s, uint8_t command)
{
    switch (command) {
    case CMD_READ_ARRAY_0:
    case CMD_READ_ARRAY:
        pflash_enter(s, CMD_READ_ARRAY);
        break;
    case CMD_READ_STATUS:
    case CMD_READ_ID:
    case CMD_QUERY:
        pflash_enter(s, command);
        break;
    case CMD_CLEAR_STATUS:
        s->status &= ~STATUS_ERRORS;
        pflash_enter(s, CMD_READ_ARRAY);
        break;
    case CMD_PROGRAM_1:
    case CMD_PROGRAM:
    case CMD_ERASE:
    case CMD_SET_LOCK:
    case CMD_BUFFER:
        s->mode = command;
        s->cycle = CYCLE_SECOND;
        break;
    default:
        guest_error("cfi.pflash01", "%s: unknown command 0x%x", s->name, command);
        pflash_enter(s, CMD_READ_ARRAY);
    }
}

/* The second store of a command. */
static void pflash_second(Pflash *s, uint64_t offset, uint32_t value, unsigned size)
{
    uint8_t command = value, data[4] = { value, value >> 8, value >> 16, value >> 24 };

    switch (s->mode) {
    case CMD_BUFFER:
        pflash_buffer_begin(s, offset, (value & 0xffff) + 1);
        return;
    case CMD_PROGRAM_1:
    case CMD_PROGRAM:
        pflash_program(s, offset, data, size);
        break;
    case CMD_ERASE:
        if (command == CMD_READ_ARRAY) {
            pflash_enter(s, CMD_READ_ARRAY);
            return;
        }
        if (command != CMD_CONFIRM) {
            pflash_sequence_error(s, "erasure is not confirmed:", command);
            return;
        }
        pflash_erase(s, offset);
        break;
    default: /* block locks: every block is unlocked, and stays so */
        if (command == CMD_READ_ARRAY) {
            pflash_enter(s, CMD_READ_ARRAY);
            return;
        }
        if (command != CMD_CONFIRM && command != CMD_LOCK) {
            pflash_sequence_error(s, "unknown lock command", command);
            return;
        }
    }
    pflash_enter(s, CMD_READ_STATUS);
}

static void pflash_store(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pflash *s = opaque;

    switch ((PflashCycle)s->cycle) {
    case CYCLE_SECOND:
        pflash_second(s, offset, value, size);
        break;
    case CYCLE_DATA:
        pflash_buffer_add(s, offset, value, size);
        break;
    case CYCLE_CONFIRM:
        pflash_buffer_confirm(s, value);
        break;
    default:
        pflash_command(s, value);
    }
    pflash_update_map(s);
}

/* Return the value that one device returns for a word. */
static uint16_t pflash_device_word(const Pflash *s, uint32_t word)
{
    static const uint8_t id[] = { 0x89, 0x18 }; /* Intel, 28F128 */

    switch (s->cycle == CYCLE_COMMAND ? s->mode : CMD_READ_STATUS) {
    case CMD_READ_ID:
        word %= ID_WORDS;
        return word < sizeof(id) ? id[word] : 0;
    case CMD_QUERY:
        return word >= QUERY_FIRST && word < QUERY_FIRST + sizeof(pflash_query)
                   ? pflash_query[word - QUERY_FIRST]
                   : 0;
    default:
        return s->status | (s->busy ? 0 : STATUS_READY);
    }
}

static uint64_t pflash_load(void *opaque, uint64_t offset, unsigned size)
{
    Pflash *s = opaque;
    uint32_t value, both;

    if (pflash_in_array_mode(s)) { /* region 0 is reached before the bank is mapped */
        memcpy(&value, s->ram->host + (offset & ~3ull), 4);
        both = GUINT32_FROM_LE(value);
    } else {
        both = pflash_device_word(s, (uint32_t)(offset >> 2)) * 0x10001u;
    }
    return both >> (offset & 3) * 8;
}

static const MemOps pflash_ops = { .read = pflash_load, .write = pflash_store };

/* --- life --- */

static const char *pflash_path(void *opaque)
{
    return ((Pflash *)opaque)->sys.dev.path;
}

static bool pflash_attach(Pflash *s, GError **err)
{
    Machine *m = s->sys.dev.machine;
    BlockNode *node = block_find(m, s->drive);

    if (!node)
        return error_set(err, ERROR_USER, "%s: there is no drive or block node named '%s'", s->name,
                         s->drive);
    if (!m->dry_run && block_size(node) != PFLASH_SIZE)
        return error_set(err, ERROR_USER,
                         "%s: drive '%s' has %" G_GUINT64_FORMAT
                         " bytes; a flash bank has %" G_GUINT64_FORMAT
                         " (truncate -s 32M FILE extends an image)",
                         s->name, s->drive, block_size(node), (uint64_t)PFLASH_SIZE);
    s->read_only = block_read_only(node);
    s->user = (BlockUser){
        .path = pflash_path,
        .opaque = s,
        .perm = BLOCK_PERM_CONSISTENT_READ | (s->read_only ? 0 : BLOCK_PERM_WRITE),
        .shared = BLOCK_PERM_CONSISTENT_READ | BLOCK_PERM_WRITE_UNCHANGED,
    };
    if (!block_attach(node, &s->user, s->name, err))
        return false;
    s->node = node;
    return true;
}

static void pflash_read_done(BlockRequest *req, int result)
{
    *(int *)req->opaque = result;
}

/* Read the contents from the drive. */
static bool pflash_fill(Pflash *s, GError **err)
{
    int result = 0;
    BlockRequest req = { .op = BLOCK_READ,
                         .len = PFLASH_SIZE,
                         .iov = &s->iov,
                         .n_iov = 1,
                         .done = pflash_read_done,
                         .opaque = &result };

    s->iov = (struct iovec){ s->ram->host, PFLASH_SIZE };
    block_submit(s->node, &req);
    block_drain(s->node);
    if (result)
        return error_set_errno(err, -result, "%s: drive '%s' cannot be read", s->name, s->drive);
    return true;
}

static bool pflash_realize(void *dev, GError **err)
{
    Pflash *s = dev;
    Machine *m = s->sys.dev.machine;

    if (s->drive && !pflash_attach(s, err))
        return false;
    s->ram = machine_ram_new(m, s->name, PFLASH_SIZE, err);
    /* At a migration target the stream provides the contents. */
    if (!s->ram || (s->node && !m->dry_run && m->state != RUN_INMIGRATE && !pflash_fill(s, err))) {
        if (s->node)
            block_detach(s->node, &s->user);
        return false;
    }
    mem_init_rom_device(&s->array, s->name, s->ram, 0, PFLASH_SIZE, &pflash_ops, s);
    mem_set_guard(&s->array, &device_guard, &s->sys.dev);
    return true;
}

static void pflash_unrealize(void *dev)
{
    Pflash *s = dev;

    mem_unmap(&s->array);
    if (s->node)
        block_detach(s->node, &s->user);
    s->node = NULL;
}

static void pflash_finalize(void *dev)
{
    mem_fini(&((Pflash *)dev)->array);
}

static void pflash_reset(void *dev, ResetKind kind)
{
    Pflash *s = dev;

    s->cycle = CYCLE_COMMAND;
    s->mode = CMD_READ_ARRAY;
    s->status = 0;
    s->left = s->start = s->low = s->high = 0;
    memset(s->buffer, 0, BUFFER_SIZE);
}

static void pflash_reset_exit(void *dev)
{
    pflash_update_map(dev);
}

/* --- saved state --- */

/* A write in flight is not saved: it completes first. */
static void pflash_pre_save(void *obj)
{
    pflash_wait(obj);
}

static bool pflash_mode_possible(const Pflash *s)
{
    static const uint8_t modes[] = { CMD_READ_ARRAY, CMD_READ_STATUS, CMD_READ_ID, CMD_QUERY };
    static const uint8_t pairs[] = { CMD_PROGRAM_1, CMD_PROGRAM, CMD_ERASE, CMD_SET_LOCK,
                                     CMD_BUFFER };

    switch ((PflashCycle)s->cycle) {
    case CYCLE_COMMAND:
        return memchr(modes, s->mode, sizeof(modes));
    case CYCLE_SECOND:
        return memchr(pairs, s->mode, sizeof(pairs));
    default:
        return s->mode == CMD_BUFFER;
    }
}

/* The members of the write buffer are used only while it is filled or confirmed. */
static bool pflash_buffer_possible(const Pflash *s)
{
    bool data = s->low < s->high && s->high <= BUFFER_SIZE;
    bool empty = s->low == BUFFER_SIZE && s->high == 0;

    if (s->cycle < CYCLE_DATA)
        return true;
    return s->start % BUFFER_SIZE == 0 && s->start < PFLASH_SIZE &&
           (s->cycle == CYCLE_DATA ? s->left >= 1 && s->left <= BUFFER_WORDS && (data || empty)
                                   : s->left == 0 && data);
}

static bool pflash_check(void *obj, GError **err)
{
    const Pflash *s = obj;

    if (!pflash_mode_possible(s))
        return error_set(err, ERROR_GUEST, "%s: command 0x%02x in cycle %u does not exist", s->name,
                         s->mode, s->cycle);
    if (!pflash_buffer_possible(s))
        return error_set(err, ERROR_GUEST,
                         "%s: a write buffer at 0x%x with the bytes 0x%x to 0x%x and room for %u "
                         "words does not exist",
                         s->name, s->start, s->low, s->high, s->left);
    return true;
}

static bool pflash_post_load(void *obj, GError **err)
{
    pflash_update_map(obj);
    return true;
}

static const VmField pflash_fields[] = {
    VM_U8(Pflash, cycle, .max = CYCLES - 1),
    VM_U8(Pflash, mode),
    VM_U8(Pflash, status, .mask = STATUS_ERRORS),
    VM_U32(Pflash, left),
    VM_U32(Pflash, start),
    VM_U32(Pflash, low),
    VM_U32(Pflash, high),
    VM_BYTES(Pflash, buffer),
};

static const VmState pflash_vmstate = {
    .name = "pflash_cfi01",
    .version = 1,
    .fields = pflash_fields,
    .n_fields = G_N_ELEMENTS(pflash_fields),
    .pre_save = pflash_pre_save,
    .check = pflash_check,
    .post_load = pflash_post_load,
};

static const PlanProp pflash_props[] = {
    PROP_BACKEND(Pflash, drive, "drive", "block", "drive or block node with the contents"),
    PROP_STR(Pflash, name, "name", "name of the memory of the bank"),
};

static const SysRegionDesc pflash_regions[] = {
    { .name = "pflash", .size = PFLASH_SIZE, .ops = &pflash_ops },
};

static const SysDeviceType pflash_type = {
    .base = {
        .name = PFLASH_TYPE,
        .doc = "CFI flash memory with the Intel command set",
        .kind = &sys_device_kind,
        .size = sizeof(Pflash),
        .props = pflash_props, .n_props = G_N_ELEMENTS(pflash_props),
        .vmstate = &pflash_vmstate,
        .internal = true,
        .realize = pflash_realize,
        .reset = pflash_reset,
        .reset_exit = pflash_reset_exit,
        .unrealize = pflash_unrealize,
        .finalize = pflash_finalize,
    },
    .regions = pflash_regions, .n_regions = G_N_ELEMENTS(pflash_regions),
};
SYS_DEVICE_TYPE(pflash_type);

void pflash_map(Device *dev, uint64_t addr)
{
    Pflash *s = (Pflash *)dev;

    g_assert(dev->type == &pflash_type.base);
    sysdev_map(dev, 0, addr);
    s->base = addr;
    s->placed = true;
    pflash_update_map(s);
}

bool pflash_has_drive(const Device *dev)
{
    return ((const Pflash *)dev)->node != NULL;
}
