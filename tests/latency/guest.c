/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that tries to block its machine. In machine mode, without an operating system, it finds
 * the functions of bus 0 and the devices in virtio-mmio slots, and then endlessly submits random
 * and plausible work of any size to virtio queues, notifies, resets, points DMA and messages at
 * registers, and writes random values to registers and configuration space. Freestanding, RV64IMA,
 * linked to the start of RAM; SEED is its random seed.
 *
 * The word at RAM + 8 counts its rounds.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define RAM_BASE 0x80000000ul
#define RAM_SIZE (256ul << 20)
#define ECAM     0x30000000ul
#define UART     0x10000000ul
#define PIO      0x3000000ul
#define MMIO     0x10001000ul           /* eight virtio-mmio slots, 4 KiB each */
#define RINGS    (RAM_BASE + 0x1000000) /* 128 KiB for each queue */
#define TABLES   (RAM_BASE + 0x2000000) /* indirect tables, 16 KiB each */
#define HEADERS  (RAM_BASE + 0x3000000) /* headers at the start of plausible chains */
#define FRAME    (RAM_BASE + 0x3100000)
#define DATA     (RAM_BASE + 0x4000000)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { MAX_FUNCTIONS = 40, MAX_QUEUES = 64, MHZ = 10 };

typedef struct Function {
    u64 cfg;  /* address of its configuration space, or of its virtio-mmio slot */
    u64 mmio; /* address of the registers of a device in a virtio-mmio slot, otherwise 0 */
    u16 vendor, device;
    u64 bar[6], bar_size[6];
    u64 common, notify, config; /* virtio, modern */
    u32 notify_step;
    u8 class_id; /* virtio: 1 net, 2 blk, 3 serial, 4 rng, 8 scsi; 0: another */
    u16 queues;
    u16 avail[MAX_QUEUES], size[MAX_QUEUES];
} Function;

static Function functions[MAX_FUNCTIONS];
static unsigned n_functions;
static u64 rng_state = SEED;

/* --- the entry: a stack, and traps that skip the faulting instruction --- */

__asm__(".section .entry, \"ax\"\n"
        ".globl _start\n"
        "_start: j 1f\n"
        ".balign 8\n"
        ".globl rounds\n"
        "rounds: .dword 0\n"
        "1: la sp, stack_top\n"
        "la t0, 2f\n"
        "csrw mtvec, t0\n"
        "j main\n"
        ".balign 4\n"
        "2: csrw mscratch, t0\n"
        "csrr t0, mepc\n"
        "addi t0, t0, 4\n"
        "csrw mepc, t0\n"
        "csrr t0, mscratch\n"
        "mret\n"
        ".section .bss\n"
        ".balign 16\n"
        ".space 65536\n"
        "stack_top:\n"
        ".text\n");
extern volatile u64 rounds;

/* --- helpers --- */

static u64 now(void)
{
    u64 t;

    __asm__ volatile("csrr %0, time" : "=r"(t));
    return t;
}

static u64 rnd(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

static u64 below(u64 n)
{
    return (rnd() >> 8) % n;
}

static int one_in(u64 n)
{
    return below(n) == 0;
}

static void w8(u64 a, u64 v)
{
    *(volatile u8 *)a = v;
}

static void w16(u64 a, u64 v)
{
    *(volatile u16 *)a = v;
}

static void w32(u64 a, u64 v)
{
    *(volatile u32 *)a = v;
}

static void w64(u64 a, u64 v)
{
    *(volatile u64 *)a = v;
}

static u64 r8(u64 a)
{
    return *(volatile u8 *)a;
}

static u64 r16(u64 a)
{
    return *(volatile u16 *)a;
}

static u64 r32(u64 a)
{
    return *(volatile u32 *)a;
}

static void w_any(u64 a, u64 v)
{
    switch (below(4)) {
    case 0:
        w8(a, v);
        break;
    case 1:
        w16(a & ~1ul, v);
        break;
    case 2:
        w32(a & ~3ul, v);
        break;
    default:
        w64(a & ~7ul, v);
        break;
    }
}

static void wait_us(u64 us)
{
    u64 end = now() + us * MHZ;

    while (now() < end) {
    }
}

/* --- finding functions --- */

static u64 next_mem = 0x40000000, next_io = 0x1000, next_mem64 = 0x400000000;

static u64 claim(u64 *next, u64 size)
{
    u64 at = (*next + size - 1) & ~(size - 1);

    *next = at + size;
    return at;
}

/* Returns how many registers the BAR has. */
static unsigned place_bar(Function *f, unsigned i)
{
    u64 reg = f->cfg + 0x10 + 4 * i, low, size, at;
    int io, wide;

    low = r32(reg);
    io = low & 1;
    wide = !io && (low & 6) == 4;
    w32(reg, 0xffffffff);
    size = r32(reg) & (io ? ~3ul : ~15ul);
    if (wide) {
        w32(reg + 4, 0xffffffff);
        size |= r32(reg + 4) << 32;
    } else {
        size |= 0xffffffff00000000;
    }
    size = ~size + 1;
    if (io) {
        size &= 0xffff;
    }
    if (size == 0) {
        return 1;
    }
    at = claim(io ? &next_io : wide ? &next_mem64 : &next_mem, size);
    w32(reg, at);
    if (wide) {
        w32(reg + 4, at >> 32);
    }
    f->bar[i] = io ? PIO + at : at;
    f->bar_size[i] = size;
    return wide ? 2 : 1;
}

static void find_virtio(Function *f)
{
    u8 at = r8(f->cfg + 0x34);

    for (unsigned i = 0; at && i < 48; i++, at = r8(f->cfg + at + 1)) {
        u64 cap = f->cfg + at, where;

        if (r8(cap) != 9 || r8(cap + 4) > 5) {
            continue;
        }
        where = f->bar[r8(cap + 4)] + r32(cap + 8);
        switch (r8(cap + 3)) {
        case 1:
            f->common = where;
            break;
        case 2:
            f->notify = where;
            f->notify_step = r32(cap + 16);
            break;
        case 4:
            f->config = where;
            break;
        }
    }
    f->class_id = f->device >= 0x1040 ? f->device - 0x1040 : r16(f->cfg + 0x2e);
}

static void find_slots(void)
{
    for (u64 at = MMIO; at < MMIO + 8 * 0x1000 && n_functions < MAX_FUNCTIONS; at += 0x1000) {
        if (r32(at) == 0x74726976 && r32(at + 4) == 2 && r32(at + 8)) {
            Function *f = &functions[n_functions++];

            f->cfg = f->mmio = f->bar[0] = at;
            f->bar_size[0] = 0x200;
            f->config = at + 0x100;
            f->common = f->notify = 0;
            f->vendor = 0x1af4;
            f->class_id = r32(at + 8);
            f->queues = MAX_QUEUES;
        }
    }
}

static void find_functions(void)
{
    find_slots();
    for (unsigned slot = 0; slot < 32 && n_functions < MAX_FUNCTIONS; slot++) {
        Function *f = &functions[n_functions];

        f->cfg = ECAM + (slot << 15);
        f->mmio = 0;
        f->vendor = r16(f->cfg);
        f->device = r16(f->cfg + 2);
        if (f->vendor == 0xffff) {
            continue;
        }
        for (unsigned i = 0; i < (r8(f->cfg + 0x0e) & 0x7f ? 2 : 6);) {
            i += place_bar(f, i);
        }
        if (r8(f->cfg + 0x0e) & 0x7f) { /* a bridge: buses behind it, and one function there */
            w32(f->cfg + 0x18, (slot + 4) << 16 | (slot + 1) << 8);
        }
        w16(f->cfg + 4, 7);
        if (f->vendor == 0x1af4) {
            find_virtio(f);
        }
        n_functions++;
    }
}

/* Return a random address: in RAM, in registers of a function, or unmapped. */
static u64 wild(void)
{
    const Function *f = &functions[below(n_functions)];
    unsigned i = below(6);

    switch (below(6)) {
    case 0:
        return rnd();
    case 1:
        return UART + below(8);
    case 2:
        return f->cfg + below(0x1000);
    case 3:
        return f->notify ? f->notify : RAM_BASE + below(RAM_SIZE);
    default:
        return f->bar_size[i] ? f->bar[i] + below(f->bar_size[i]) : DATA;
    }
}

/* --- chains --- */

static u32 some_length(void)
{
    static const u32 lengths[] = { 1,    4,     16,      64,      512,        1514,
                                   4096, 65536, 1 << 20, 8 << 20, 128u << 20, 0 };
    u32 len = lengths[below(COUNT(lengths))];

    return one_in(4) ? len + below(100) : len;
}

static void put_desc(u64 at, u64 addr, u32 len, u16 flags, u16 next)
{
    w64(at, addr);
    w32(at + 8, len);
    w16(at + 12, flags);
    w16(at + 14, next);
}

static u64 data_at(u32 len)
{
    return DATA + (len < (128u << 20) ? below((128ul << 20) - len) : 0);
}

/* A TCP frame to the gateway of a user network, to be split into segments. */
static void make_frame(void)
{
    static const u8 head[] = { 0x52, 0x55, 10,   0,    2,    2,    0x52, 0x54, 0,  0x12, 0x34,
                               0x56, 8,    0,    0x45, 0,    0xfe, 0,    0,    1,  0,    0,
                               64,   6,    0,    0,    10,   0,    2,    15,   10, 0,    2,
                               2,    0x10, 0,    0x10, 1,    0,    0,    0,    1,  0,    0,
                               0,    0,    0x50, 2,    0xff, 0xff, 0,    0,    0,  0 };

    for (unsigned i = 0; i < sizeof(head); i++) {
        w8(FRAME + i, head[i]);
    }
}

/* The last SCSI command has data for the device. */
static int scsi_out;

/* A SCSI command for one of the units, most of them transfers near the start of the disk. */
static u32 make_scsi_command(u64 at)
{
    static const u8 ops[] = {
        0x28, 0x28, 0x2a, 0x2a, 0x88, 0x8a, 0x35, 0x93, 0x42, 0x12, 0x2f, 0xa0
    };
    u8 op = ops[below(COUNT(ops))];
    unsigned sixteen = op >> 5 == 4;

    for (unsigned i = 0; i < 51; i++) {
        w8(at + i, 0);
    }
    w8(at, 1);
    w8(at + 1, below(3));
    w64(at + 8, below(64));
    w8(at + 19, op);
    w8(at + 20, op == 0x2f ? 2 : op == 0x93 ? below(2) * 8 : 0);
    w8(at + 19 + (sixteen ? 8 : 4), below(256));
    w8(at + 19 + (sixteen ? 12 : 7), below(16));
    w8(at + 19 + (sixteen ? 13 : 8), rnd());
    scsi_out = op == 0x2a || op == 0x8a || op == 0x93 || op == 0x42 || op == 0x2f;
    return 51;
}

static u32 make_task_management(u64 at)
{
    w32(at, one_in(10) ? below(4) : 0);
    w32(at + 4, below(9));
    w32(at + 8, 1 | below(3) << 8);
    w32(at + 12, 0);
    w64(at + 16, below(64));
    return 24;
}

/* Entry i of a chain of a SCSI controller: command, data, response and data. */
static u64 plausible_scsi(unsigned q, unsigned i, u64 head, u32 *len, int *write)
{
    unsigned response = q >= 2 && scsi_out ? 2 : 1;

    *write = q == 1 || i >= response;
    if (q != 1 && i == 0) {
        *len = q == 0 ? make_task_management(head) : make_scsi_command(head);
        return head;
    }
    *len = q == 1 ? 16 : i == response ? 108 : 512u << below(12);
    return data_at(*len);
}

/* Create the first segment of a chain that a device of this class processes. Returns its length. */
static u32 make_header(const Function *f, u64 at)
{
    static const u8 types[] = { 0, 1, 0, 1, 4, 8, 11, 13, 0 };
    static const u16 gso[] = { 0, 1, 8, 47, 48, 88, 536, 1460, 9000 };

    if (f->class_id == 2) {
        w32(at, types[below(COUNT(types))]);
        w32(at + 4, 0);
        w64(at + 8, one_in(8) ? rnd() : below(1024));
        return 16;
    }
    if (f->class_id == 1) {
        w64(at, 0);
        w32(at + 8, 0);
        if (!one_in(3)) {
            w8(at, 1);
            w8(at + 1, one_in(5) ? rnd() : 1);
            w16(at + 4, gso[below(COUNT(gso))]);
            w16(at + 6, 34);
            w16(at + 8, 16);
        }
        return 12;
    }
    if (f->class_id == 3) {
        w32(at, below(4));
        w16(at + 4, below(8));
        w16(at + 6, below(2));
        return 8;
    }
    return 0;
}

/* Entry i of n of a plausible chain of queue q: its address, length and direction. */
static u64 plausible(const Function *f, unsigned q, unsigned i, unsigned n, u32 *len, int *write)
{
    u64 head = HEADERS + below(1024) * 64;

    if (f->class_id == 8) {
        return plausible_scsi(q, i, head, len, write);
    }
    *write = f->class_id == 4 || (f->class_id == 1 && !(q & 1)) ||
             (f->class_id == 3 && (q == 0 || (q > 3 && !(q & 1))));
    if (i == 0 && !*write && (f->class_id != 3 || q == 3)) {
        *len = make_header(f, head);
        return head;
    }
    if (f->class_id == 2) {
        *write = i + 1 == n || one_in(2);
        *len = i + 1 == n ? 1 : 512u << below(12);
        return data_at(*len);
    }
    if (f->class_id == 1 && (q & 1)) {
        *len = i == 1 ? 65054 - 54 * below(2) : 1;
        return FRAME;
    }
    *len = some_length();
    return data_at(*len);
}

/* True if the chains of the queue being filled are well-formed: a device stops at a malformed
 * one. */
static int orderly;

/* Write n entries at `table`, from number `first` on, modulo `size`. */
static void make_chain(const Function *f, unsigned q, u64 table, unsigned first, unsigned n,
                       unsigned size)
{
    int was_write = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned at = (first + i) % size;
        u32 len = some_length();
        u64 addr = data_at(len);
        int write = one_in(2);

        if (orderly) {
            addr = plausible(f, q, i, n, &len, &write);
            write |= was_write;
            was_write = write;
        } else if (one_in(20)) {
            addr = wild();
        }
        put_desc(table + 16 * at, addr, len, (i + 1 < n ? 1 : 0) | (write ? 2 : 0),
                 !orderly && one_in(200) ? rnd() : (first + i + 1) % size);
    }
}

static void fill_queue(Function *f, unsigned q, u64 desc, u64 driver)
{
    unsigned size = f->size[q], chain = 1 + below(one_in(4) ? 64 : 4);
    int indirect = one_in(3);

    orderly = !one_in(5);
    for (unsigned i = 0; i < size; i += indirect ? 1 : chain) {
        if (indirect) {
            unsigned n = 1 + below(one_in(8) ? 1024 : 20);
            u64 table = TABLES + below(512) * 16384;

            if (i < 8 || one_in(16)) {
                make_chain(f, q, table, 0, n, 1024);
            }
            put_desc(desc + 16 * i, table, 16 * n, 4, 0);
        } else {
            make_chain(f, q, desc, i, chain < size - i ? chain : size - i, size);
        }
        w16(driver + 4 + 2 * (i / (indirect ? 1 : chain) % size), i);
    }
    if (!orderly && one_in(2)) {
        w16(driver + 4 + 2 * below(size), rnd());
    }
}

/* --- virtio --- */

static void w64_halves(u64 at, u64 v)
{
    w32(at, v);
    w32(at + 4, v >> 32);
}

/* Select a queue. Return its largest size, or 0 if it does not exist. */
static u16 select_queue(Function *f, unsigned q)
{
    if (f->mmio) {
        w32(f->mmio + 0x30, q);
        return r32(f->mmio + 0x34);
    }
    w16(f->common + 0x16, q);
    return r16(f->common + 0x18);
}

/* Enable the selected queue. */
static void enable_queue(Function *f, unsigned q, u64 desc, u64 driver, u64 device)
{
    if (f->mmio) {
        w32(f->mmio + 0x38, f->size[q]);
        w64_halves(f->mmio + 0x80, desc);
        w64_halves(f->mmio + 0x90, driver);
        w64_halves(f->mmio + 0xa0, device);
        w32(f->mmio + 0x44, 1);
        return;
    }
    w16(f->common + 0x18, f->size[q]);
    w64(f->common + 0x20, desc);
    w64(f->common + 0x28, driver);
    w64(f->common + 0x30, device);
    w16(f->common + 0x1a, one_in(2) ? q + 1 : 0xffff);
    w16(f->common + 0x1c, 1);
}

static void set_queue(Function *f, unsigned q)
{
    u64 desc = RINGS + q * 0x20000, driver = desc + 0x8000, device = desc + 0x10000;
    u16 size = select_queue(f, q);

    if (size == 0) {
        return;
    }
    while (size > 2 && one_in(4)) {
        size /= 2;
    }
    f->size[q] = size;
    f->avail[q] = 0;
    for (unsigned i = 0; i < 8; i++) {
        w64(driver + 8 * i, 0);
    }
    fill_queue(f, q, desc, driver);
    w16(driver, 0);
    w16(driver + 2, 0);
    enable_queue(f, q, one_in(40) ? wild() & ~15ul : desc, one_in(40) ? wild() & ~15ul : driver,
                 one_in(40) ? wild() & ~15ul : device);
}

static void set_msix(Function *f)
{
    u8 at = r8(f->cfg + 0x34);

    for (unsigned i = 0; at && i < 48; i++, at = r8(f->cfg + at + 1)) {
        if (r8(f->cfg + at) != 0x11 || !f->bar[1]) {
            continue;
        }
        for (unsigned n = 0; n < 8; n++) {
            u64 to = one_in(2) ? wild() & ~3ul : RAM_BASE + 0x800000;

            w32(f->bar[1] + 16 * n, to);
            w32(f->bar[1] + 16 * n + 4, to >> 32);
            w32(f->bar[1] + 16 * n + 8, below(4));
            w32(f->bar[1] + 16 * n + 12, 0);
        }
        w16(f->cfg + at + 2, one_in(2) ? 0x8000 : 0);
    }
}

static void set_status(Function *f, u8 status)
{
    if (f->mmio) {
        w32(f->mmio + 0x70, status);
    } else {
        w8(f->common + 0x14, status);
    }
}

/* Accept offered features: a random part of the low half at times, and no packed rings. */
static void accept_features(Function *f)
{
    u64 select = f->mmio ? f->mmio + 0x14 : f->common;
    u64 offered = f->mmio ? f->mmio + 0x10 : f->common + 4;
    u64 select_driver = f->mmio ? f->mmio + 0x24 : f->common + 8;
    u64 accepted = f->mmio ? f->mmio + 0x20 : f->common + 12;
    u64 low, high;

    w32(select, 0);
    low = r32(offered);
    w32(select, 1);
    high = r32(offered) & ~4ul;
    w32(select_driver, 0);
    w32(accepted, one_in(3) ? low & rnd() : low);
    w32(select_driver, 1);
    w32(accepted, high);
}

static void start_virtio(Function *f)
{
    set_status(f, 0);
    set_status(f, 3);
    accept_features(f);
    set_status(f, 11);
    if (!f->mmio) {
        set_msix(f);
        f->queues = r16(f->common + 0x12);
    }
    for (unsigned q = 0; q < f->queues && q < MAX_QUEUES; q++) {
        if (q < 8 || one_in(4)) {
            set_queue(f, q);
        }
    }
    set_status(f, 15);
}

static void offer_and_kick(Function *f)
{
    unsigned q = below(f->queues ? f->queues : 1);
    u64 driver = RINGS + q * 0x20000 + 0x8000;

    if (q >= MAX_QUEUES || !f->size[q]) {
        return;
    }
    f->avail[q] += one_in(4) ? 1 + below(f->size[q]) : f->size[q];
    w16(driver + 2, f->avail[q]);
    for (unsigned i = 0; i < 1 + below(4); i++) {
        if (f->mmio) {
            w32(f->mmio + 0x50, q);
        } else {
            w16(f->notify + q * f->notify_step, q);
        }
    }
}

static void attack_virtio(Function *f)
{
    unsigned kicks = one_in(4) ? 200 : below(10);

    if (!f->common && !f->mmio) {
        return;
    }
    start_virtio(f);
    for (unsigned i = 0; i < kicks; i++) {
        offer_and_kick(f);
        if (one_in(8)) {
            wait_us(below(2000));
        }
        if (one_in(50) && f->config) {
            w_any(f->config + below(64), rnd());
        }
        if (one_in(100)) {
            w16(f->cfg + 4, one_in(2) ? 3 : 7);
        }
    }
    w16(f->cfg + 4, 7);
    wait_us(one_in(8) ? 20000 : below(1000));
}

/* --- other devices --- */

static void attack_edu(Function *f)
{
    w64(f->bar[0] + 0x80, one_in(2) ? wild() : 0x40000);
    w64(f->bar[0] + 0x88, one_in(2) ? wild() : 0x40000);
    w64(f->bar[0] + 0x90, one_in(4) ? rnd() : 4096);
    w64(f->bar[0] + 0x98, 1 | (one_in(2) ? 2 : 0) | (one_in(2) ? 4 : 0));
    w32(f->bar[0] + 8, rnd());
}

static void attack_registers(Function *f)
{
    unsigned i = below(6);

    for (unsigned n = below(200); f->bar_size[i] && n > 0; n--) {
        u64 at = f->bar[i] + below(f->bar_size[i] < 8192 ? f->bar_size[i] : 8192);

        if (one_in(4)) {
            r8(at);
        } else {
            w_any(at, one_in(2) ? rnd() : below(4));
        }
    }
}

static void attack_config(Function *f)
{
    for (unsigned n = below(100); n > 0; n--) {
        u64 at = below(one_in(4) ? 4096 : 256);

        if (at >= 4 && at < 0x28 && !one_in(50)) {
            continue;
        }
        w_any(f->cfg + at, one_in(2) ? rnd() : 1ul << below(32));
    }
    w16(f->cfg + 4, 7);
}

static void attack_board(void)
{
    static const u64 places[] = { UART,      0x101000,   0xc000000, 0xd000000,
                                  0x2000000, 0x24000000, 0x28000000 };
    unsigned i = below(COUNT(places));

    for (unsigned n = below(1000); n > 0; n--) {
        w_any(places[i] + below(i == 0 ? 8 : i == 1 ? 32 : 0x4000), rnd());
    }
}

void main(void)
{
    find_functions();
    make_frame();
    for (;;) {
        Function *f = &functions[below(n_functions)];

        rounds++;
        if (f->vendor == 0x1af4 && !one_in(4)) {
            attack_virtio(f);
        } else if (f->vendor == 0x1234 && !one_in(3)) {
            attack_edu(f);
        } else if (one_in(4)) {
            attack_config(f);
        } else if (one_in(4)) {
            attack_board();
        } else {
            attack_registers(f);
        }
        if (one_in(300)) { /* config space may contain arbitrary values by now */
            n_functions = 0;
            next_mem = 0x40000000, next_io = 0x1000, next_mem64 = 0x400000000;
            find_functions();
        }
    }
}
