/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random page tables: for each case, tables with legal and illegal entries of all levels, then one
 * load, store, AMO or fetch as S or U mode; the trap or the value, and all entries afterwards.
 */
#include "runtime.h"

#define POOL              0x80800000ul /* tables, then data; mapped whole by one 2 MiB page */
#define TABLES            8
#define DATA              0x80900000ul
#define POOL_END          0x80c00000ul
#define PAGE              4096ul
#define EBREAKS           0x9002900290029002ul
#define N_INDICES         11
#define AMO               11
#define FETCH             13
#define FIRST_SIDE_EFFECT 7 /* kinds from here to FETCH write */

#define CAUSE_BREAKPOINT   3
#define CAUSE_LOAD_ACCESS  5
#define CAUSE_STORE_ACCESS 7

#define PTE_V     1ul
#define PTE_N     (1ul << 63)
#define PTE_PLAIN (~0ul >> 10) /* what stands below the reserved bits */
#define PTE_RWX   (7ul << 1)
#define MPRV      (1ul << 17)
#define SUM       (1ul << 18)
#define MXR       (1ul << 19)
#define MPP_S     (1ul << 11)
#define ADUE      (1ul << 61)
#define PBMTE     (1ul << 62)

/* Made by pagetables for each program. */
extern const u32 first_case, n_cases, per_line, dump_from;
extern const u32 reserved_bits; /* entries may have bits that are reserved; otherwise N and PBMT */
extern const u64 seed;

void probe(u64 *result, u64 va, u64 value, u64 kind, u64 status);

/*
 * What indices a walk can use at each level, and all of them. Not 0 and 511: a store across a page
 * edge may hit these, and whether it sees its own change of its translation is open.
 */
static const u32 vpn_0[] = { 1, 2, 16, 255, 256, 510 }, vpn_1[] = { 4, 5 }, vpn_2[] = { 2, 3 },
                 vpn_3[] = { 1, 510 };
static const u32 indices[N_INDICES] = { 1, 2, 3, 4, 5, 16, 255, 256, 258, 259, 510 };
static const u32 offsets[] = { 0x900, 0x908, 0xff8, 0xffc, 0xfff, 0x905, 0x902, 0x000 };
static const u32 watched[] = { 0x000, 0x900, 0x908, 0xff8 };

static u64 random_state, checksum;
static int dumping;

static u64 next(void)
{
    u64 z = random_state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static u64 below(u64 limit)
{
    return (next() >> 16) % limit;
}

static void note(u64 word)
{
    if (dumping) {
        put_word(word, ' ');
    }
    checksum = (checksum ^ word) * 0x9e3779b97f4a7c15;
    checksum ^= checksum >> 29;
}

static u64 *entry(u32 table, u32 index)
{
    return (u64 *)(POOL + table * PAGE) + index;
}

/*
 * Page numbers for leaves of each level: aligned ones that map the pool, misaligned ones and ones
 * where there is no memory. None lets a store reach the program.
 */
static u64 leaf_ppn(int level)
{
    static const u64 special[4][4] = {
        { 0x80800, (DATA >> 12) + 8, 0xc0800, 0x00800 },
        { 0x80800, 0x80800, 0x80801, 0xc0800 },
        { 0x80000, 0x80000, 0x80800, 0xc0000 },
        { 0, 0, 0x80000, 0x40 },
    };

    if (level == 0 && below(2)) {
        return (DATA >> 12) + below(16);
    }
    return special[level][below(4)];
}

/*
 * QEMU 7.2 looks at the reserved bits only without the extensions that define their neighbours,
 * so a program has either. Left out: the reserved PBMT 3, which QEMU accepts.
 */
static u64 rare_bits(void)
{
    if (below(12)) {
        return 0;
    }
    return reserved_bits ? 1ul << (54 + below(9)) : (1 + below(2)) << 61;
}

/*
 * A leaf always has a right, since QEMU gives page faults for tables where there is no memory, and
 * an N that is right, since QEMU updates A and D of one that is not before it faults.
 */
static u64 make_leaf(int level)
{
    u64 pte = PTE_V | rare_bits() | (below(4) ? PTE_RWX : (1 + below(7)) << 1);

    if (level == 0 && !reserved_bits && below(6) == 0) {
        pte |= PTE_N | ((DATA >> 12) + 8) << 10;
    } else {
        pte |= leaf_ppn(level) << 10;
    }
    pte |= next() & 0x330;                          /* U, G, RSW */
    return pte | (below(4) ? 0xc0 : next() & 0xc0); /* A, D */
}

/* An entry of a table of this level, whose pointers go to the tables first_below and later. */
static u64 make_entry(int level, u32 first_below, u32 n_below)
{
    u64 kind = below(16);

    if (kind == 0) {
        return next() & (PTE_PLAIN & ~PTE_V);
    }
    if (level == 0 ? kind == 1 : kind < 11) {
        u64 pte = PTE_V | rare_bits() | ((POOL >> 12) + first_below + below(n_below)) << 10;

        return below(12) ? pte : pte | (next() & 0x3f0);
    }
    return make_leaf(level);
}

static void make_table(u32 table, int level, u32 first_below, u32 n_below)
{
    for (u32 i = 0; i < N_INDICES; i++) {
        *entry(table, indices[i]) = make_entry(level, first_below, n_below);
    }
}

/* Table 0 is the root; 1 and 2 are below it in Sv48 only, 3 and 4 below those, then the rest. */
static void make_tables(int sv48)
{
    make_table(0, sv48 ? 3 : 2, sv48 ? 1 : 3, 2);
    make_table(1, 2, 3, 2);
    make_table(2, 2, 3, 2);
    make_table(3, 1, 5, 3);
    make_table(4, 1, 5, 3);
    for (u32 t = 5; t < TABLES; t++) {
        make_table(t, 0, 0, TABLES);
    }
}

static u64 choose_va(int sv48, u64 kind)
{
    u64 va = (u64)vpn_0[below(6)] << 12 | (u64)vpn_1[below(2)] << 21 | (u64)vpn_2[below(2)] << 30;

    va |= sv48 ? (u64)vpn_3[below(2)] << 39 : below(3) ? 0 : 1ul << 38;
    va = (u64)((long)(va << (sv48 ? 16 : 25)) >> (sv48 ? 16 : 25));
    if (below(32) == 0) {
        va ^= 1ul << ((sv48 ? 48 : 39) + below(15)); /* not canonical */
    }
    if (kind == FETCH) {
        return va | 0x900;
    }
    return va | offsets[below(kind >= 11 ? 3 : 8)];
}

/* A store that went through left its mark somewhere; the entries count separately. */
static void note_memory(void)
{
    for (u64 page = POOL + TABLES * PAGE; page < POOL_END; page += PAGE) {
        for (u32 i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
            u64 *p = (u64 *)(page + watched[i]);

            if (*p != EBREAKS) {
                note((u64)p);
                note(*p);
                *p = EBREAKS;
            }
        }
    }
    for (u32 t = 0; t < TABLES; t++) {
        *(u64 *)(POOL + t * PAGE + 0x900) = EBREAKS;
        *(u64 *)(POOL + t * PAGE + 0x908) = EBREAKS;
    }
}

static void run_case(u32 number)
{
    u64 result[4], status, kind, va;

    random_state = seed ^ (u64)number << 24;
    int sv48 = below(2);

    kind = below(FETCH + 1);
    va = choose_va(sv48, kind);
    make_tables(sv48);
    status = (below(2) ? SUM : 0) | (below(2) ? MXR : 0) | (below(2) ? MPP_S : 0);
    __asm__ volatile("csrw satp, %0; sfence.vma" ::"r"((sv48 ? 9ul : 8ul) << 60 | POOL >> 12)
                     : "memory");
    probe(result, va, next(), kind, status | (kind == FETCH ? 0 : MPRV));
    __asm__ volatile("csrw satp, zero; sfence.vma" ::: "memory");
    note(va);
    note(kind | status);
    if (result[0] == CAUSE_BREAKPOINT) {
        result[1] = 0; /* the manual leaves zero and the address of ebreak open */
    }
    if (kind == AMO && result[0] == CAUSE_LOAD_ACCESS) {
        result[0] = CAUSE_STORE_ACCESS; /* QEMU 7.2 forgets that it was an AMO */
    }
    note(result[0]);
    note(result[1] & ~7ul); /* of a misaligned access QEMU 7.2 gives the aligned address */
    note(result[2]);
    note(result[3]);
    for (u32 t = 0; t < TABLES; t++) {
        for (u32 i = 0; i < N_INDICES; i++) {
            note(*entry(t, indices[i]));
        }
    }
    if (kind >= FIRST_SIDE_EFFECT && kind != FETCH) {
        note_memory();
    }
}

void test_main(void)
{
    __asm__ volatile("csrw pmpaddr0, %0; csrw pmpcfg0, %1" ::"r"(-1ul), "r"(0x1ful));
    __asm__ volatile("csrs 0x30a, %0" ::"r"(ADUE | (reserved_bits ? 0 : PBMTE))); /* menvcfg */
    for (u64 *p = (u64 *)POOL; p < (u64 *)POOL_END; p++) {
        *p = EBREAKS;
    }
    for (u32 i = 0; i < n_cases; i++) {
        dumping = i >= dump_from;
        run_case(first_case + i);
        if (dumping) {
            put_text("\n");
        } else if ((i + 1) % per_line == 0) {
            put_word(checksum, '\n');
            checksum = 0;
        }
    }
    put_text("end\n");
    flush_text();
}
