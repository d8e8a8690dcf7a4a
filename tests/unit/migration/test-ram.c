/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The RAM section: a pass sends what was written since the last, both ends agree, hostile items are
 * rejected, and empty memory stays empty on the target.
 */
#include "fixture.h"

#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const StreamSection ram_start = { STREAM_START, 2, 0, 4, "ram" };
static const StreamSection ram_part = { STREAM_PART, 2, 0, 4, "ram" };
static const StreamSection ram_end = { STREAM_END, 2, 0, 4, "ram" };

/* Return the bytes of the section as the sender creates them, without framing. */
static GByteArray *strip(GByteArray *out, size_t head)
{
    g_byte_array_remove_range(out, 0, head);
    g_byte_array_set_size(out, out->len - 5);
    return out;
}

static void take(RamReceive *r, const StreamSection *s, const GByteArray *bytes, size_t piece)
{
    g_autoptr(GError) err = NULL;
    bool done = false;
    size_t at = 0, have = 0;

    while (!done) {
        ByteReader b;

        g_assert_cmpuint(have, <, bytes->len);
        have = MIN(have + piece, bytes->len);
        reader_init(&b, bytes->data + at, have - at);
        ram_receive_items(r, s, &b, &done, &err);
        g_assert_no_error(err);
        at += b.at;
    }
    g_assert_cmpuint(at, ==, bytes->len);
}

/* Pass everything of one pass to the receiver. */
static void pass(RamSend *s, RamReceive *r, size_t piece)
{
    for (;;) {
        g_autoptr(GByteArray) out = g_byte_array_new();
        ByteWriter w = { out };

        if (!ram_send_some(s, &w, 100000)) {
            return;
        }
        take(r, &ram_part, strip(out, 5), piece);
    }
}

static void test_round_trip(void)
{
    Box *a = box_new(NULL), *b = box_new(NULL);
    RamBlock *from = g_ptr_array_index(a->m->ram_blocks, 0);
    RamBlock *to = g_ptr_array_index(b->m->ram_blocks, 0);
    g_autoptr(GError) err = NULL;
    g_autoptr(GByteArray) out = g_byte_array_new();
    ByteWriter w = { out };
    RamSend *s;
    RamReceive *r = ram_receive_new(b->m, &err);

    memset(from->host + 0x3000, 1, 0x2000);
    memset(to->host + 0x8000, 9, 0x1000); /* data that the target must discard */
    s = ram_send_new(a->m, 2, &err);
    ram_send_start(s, &w);
    take(r, &ram_start, strip(out, 1 + 4 + 4 + 8), 3);
    ram_send_begin_pass(s);
    g_assert_cmpuint(ram_send_stats(s)->pass_pages, ==, from->size >> 12);
    pass(s, r, 700);
    g_assert_cmpuint(ram_send_stats(s)->remaining, ==, 0);
    g_assert_cmpmem(from->host, from->size, to->host, to->size);
    g_assert_cmpuint(ram_send_stats(s)->normal, ==, 2);
    g_assert_false(ram_receive_finish(r, &err)); /* not ended */
    g_clear_error(&err);
    /* data written meanwhile is sent in the next pass, and nothing else */
    from->host[0x9000] = 7;
    ram_written_any(from, 0x9000, 1);
    memset(from->host + 0x3000, 0, 0x1000);
    ram_written_any(from, 0x3000, 0x1000);
    ram_send_begin_pass(s);
    g_assert_cmpuint(ram_send_stats(s)->pass_pages, ==, 2);
    pass(s, r, 100000);
    g_assert_cmpmem(from->host, from->size, to->host, to->size);
    g_byte_array_set_size(out, 0);
    ram_send_end(s, &w);
    take(r, &ram_end, strip(out, 5), 100);
    g_assert_true(ram_receive_finish(r, &err));
    g_assert_cmpuint(ram_receive_pages(r), ==, (from->size >> 12) + 2);
    ram_send_free(s);
    g_assert_false(from->tracking);
    ram_receive_free(r);
    box_free(a);
    box_free(b);
}

/* Replace the RAM of a box by one with this source. */
static RamBlock *box_replace_ram(Box *b, const RamSource *source)
{
    g_autoptr(GError) err = NULL;
    RamBlock *ram;

    ram_block_free(g_ptr_array_steal_index(b->m->ram_blocks, 0));
    ram = ram_block_new("box.ram", 1 << 20, source, &err);
    g_assert_no_error(err);
    g_ptr_array_add(b->m->ram_blocks, ram);
    return ram;
}

/* A private mapping of a file, a shared one, memory that cannot be written through its descriptor,
 * and a memfd. */
static void test_other_memory(void)
{
    g_autofree char *path = temp_path("memory"), *old = g_malloc(1 << 20);
    g_autoptr(GError) err = NULL;

    memset(old, 9, 1 << 20); /* data that the target must discard */
    for (unsigned kind = 0; kind < 4; kind++) {
        Box *a = box_new(NULL), *b = box_new(NULL);
        RamBlock *from = g_ptr_array_index(a->m->ram_blocks, 0), *to;
        RamSource source = { .path = kind == 3 ? NULL : path,
                             .private_file = kind == 0,
                             .memfd = kind == 3 };
        g_autoptr(GByteArray) out = g_byte_array_new();
        ByteWriter w = { out };
        RamSend *s;
        RamReceive *r;

        g_file_set_contents(path, old, 1 << 20, NULL);
        to = box_replace_ram(b, &source);
        memset(to->host, kind == 3 ? 9 : to->host[0], to->size / 2);
        if (kind == 2) { /* a descriptor that rejects writes */
            int huge = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);

            to->fd = huge >= 0 ? dup2(huge, to->fd) : to->fd;
            close(huge);
        }
        memset(from->host + 0x3000, 1, 0x3000);
        s = ram_send_new(a->m, 2, &err);
        r = ram_receive_new(b->m, &err);
        ram_send_start(s, &w);
        take(r, &ram_start, strip(out, 1 + 4 + 4 + 8), 1000);
        ram_send_begin_pass(s);
        pass(s, r, 100000);
        g_assert_cmpmem(from->host, from->size, to->host, to->size);
        ram_send_free(s);
        ram_receive_free(r);
        box_free(a);
        box_free(b);
    }
}

/* A work unit is limited by the number of pages that it reads, not only by the size of its
 * output. */
static void test_zeroes(void)
{
    Box *a = box_new(NULL);
    RamBlock *from = g_ptr_array_index(a->m->ram_blocks, 0);
    g_autoptr(GByteArray) out = g_byte_array_new();
    ByteWriter w = { out };
    RamSend *s = ram_send_new(a->m, 2, NULL);

    memset(from->host, 1, from->size); /* no holes */
    memset(from->host, 0, from->size);
    ram_send_begin_pass(s);
    g_assert_true(ram_send_some(s, &w, 16 << 10));
    g_assert_cmpuint(ram_send_stats(s)->zero, >, 20);
    g_assert_cmpuint(ram_send_stats(s)->zero, <, 40);
    ram_send_free(s);
    box_free(a);
}

/* Return the number of pages of a block that the host has allocated. */
static unsigned allocated_pages(const RamBlock *b)
{
    unsigned char in_core[(1 << 20) / RAM_PAGE_SIZE];
    unsigned n = 0;
    struct stat st;

    if (b->fd >= 0) {
        g_assert_cmpint(fstat(b->fd, &st), ==, 0);
        return (unsigned)(st.st_blocks / (RAM_PAGE_SIZE / 512));
    }
    g_assert_cmpint(mincore(b->host, b->size, in_core), ==, 0);
    for (size_t i = 0; i < sizeof(in_core); i++) {
        n += in_core[i] & 1;
    }
    return n;
}

/* A mostly empty guest uses no memory on either side. */
static void test_holes(void)
{
    for (int memfd = 0; memfd < 2; memfd++) {
        Box *a = box_new(NULL), *b = box_new(NULL);
        RamBlock *from = box_replace_ram(a, &(RamSource){ .memfd = memfd });
        RamBlock *to = box_replace_ram(b, &(RamSource){ .memfd = memfd });
        g_autoptr(GByteArray) out = g_byte_array_new();
        ByteWriter w = { out };
        RamSend *s = ram_send_new(a->m, 2, NULL);
        RamReceive *r = ram_receive_new(b->m, NULL);

        g_assert_cmpint(from->anonymous, ==, !memfd);
        from->host[0x80000] = 1;
        ram_send_start(s, &w);
        take(r, &ram_start, strip(out, 1 + 4 + 4 + 8), 1000);
        ram_send_begin_pass(s);
        pass(s, r, 100000);
        g_assert_cmpuint(allocated_pages(from), ==, 1);
        g_assert_cmpuint(allocated_pages(to), ==, 1);
        g_assert_cmpuint(to->host[0x80000], ==, 1);
        ram_send_free(s);
        ram_receive_free(r);
        box_free(a);
        box_free(b);
    }
}

static void put_item(ByteWriter *w, uint64_t page, int fill)
{
    uint8_t bytes[RAM_PAGE_SIZE];

    memset(bytes, fill, sizeof(bytes));
    put_be64(w, page << 12 | (fill ? RAM_ITEM_PAGE : RAM_ITEM_ZERO) | RAM_ITEM_SAME_BLOCK);
    put_bytes(w, bytes, fill ? sizeof(bytes) : 1);
}

/* Pages are collected and written together: the last value of each page remains. */
static void test_order(void)
{
    static const struct {
        unsigned page;
        int fill;
    } items[] = { { 5, 1 }, { 6, 2 }, { 5, 3 }, { 6, 0 }, { 9, 4 }, { 7, 5 }, { 8, 6 },
                  { 9, 7 }, { 9, 0 }, { 9, 8 }, { 4, 9 }, { 4, 0 }, { 5, 10 } };
    static const uint8_t wanted[] = { 0, 10, 0, 5, 6, 8 }; /* from page 4 on */

    for (size_t piece = 100; piece < 1000000; piece *= 10) {
        Box *b = box_new(NULL);
        RamBlock *to = g_ptr_array_index(b->m->ram_blocks, 0);
        g_autoptr(GByteArray) list = g_byte_array_new(), bytes = g_byte_array_new();
        ByteWriter l = { list }, w = { bytes };
        RamReceive *r = ram_receive_new(b->m, NULL);

        put_be64(&l, to->size | RAM_ITEM_BLOCKS);
        put_u8(&l, strlen(to->id));
        put_bytes(&l, to->id, strlen(to->id));
        put_be64(&l, to->size);
        put_be64(&l, RAM_ITEM_END);
        take(r, &ram_start, list, 1000);
        put_be64(&w, 4ull << 12 | RAM_ITEM_ZERO);
        put_u8(&w, strlen(to->id));
        put_bytes(&w, to->id, strlen(to->id));
        put_u8(&w, 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(items); i++) {
            put_item(&w, items[i].page, items[i].fill);
        }
        put_be64(&w, RAM_ITEM_END);
        take(r, &ram_part, bytes, piece);
        for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++) {
            g_assert_cmpuint(to->host[(4 + i) * 4096 + 17], ==, wanted[i]);
            g_assert_cmpuint(to->host[(4 + i) * 4096 + 4095], ==, wanted[i]);
        }
        ram_receive_free(r);
        box_free(b);
    }
}

/* --- rejected items --- */

static void put_list(ByteWriter *w, uint64_t total, const char *name, uint64_t size)
{
    put_be64(w, total | RAM_ITEM_BLOCKS);
    put_u8(w, strlen(name));
    put_bytes(w, name, strlen(name));
    put_be64(w, size);
}

static void put_named(ByteWriter *w, uint64_t word, const char *name)
{
    put_be64(w, word);
    put_u8(w, strlen(name));
    put_bytes(w, name, strlen(name));
}

static void refused(const GByteArray *bytes, const StreamSection *s, const char *why)
{
    Box *b = box_new(NULL);
    RamReceive *r = ram_receive_new(b->m, NULL);
    g_autoptr(GError) err = NULL;
    bool done = false, ok = true;
    ByteReader reader;

    reader_init(&reader, bytes->data, bytes->len);
    while (ok && reader.at < bytes->len && !done) {
        ok = ram_receive_items(r, s, &reader, &done, &err);
    }
    if (ok) {
        ok = ram_receive_finish(r, &err);
    }
    g_assert_false(ok);
    g_assert_nonnull(strstr(err->message, why));
    ram_receive_free(r);
    box_free(b);
}

static void test_refusals(void)
{
    const uint64_t mb = 1 << 20;
    g_autoptr(GByteArray) o = g_byte_array_new();
    ByteWriter w = { o };
    StreamSection other = ram_start;

#define CASE(why, ...)                                                                             \
    do {                                                                                           \
        g_byte_array_set_size(o, 0);                                                               \
        __VA_ARGS__;                                                                               \
        refused(o, &ram_start, why);                                                               \
    } while (0)
    CASE("no RAM block 'boxram'", put_list(&w, mb, "boxram", mb));
    CASE("1048576 bytes here", put_list(&w, mb, "box.ram", mb * 2));
    CASE("larger than their total size", put_list(&w, 4096, "box.ram", mb));
    CASE("not listed", put_be64(&w, RAM_ITEM_BLOCKS));
    CASE("listed twice", put_list(&w, 2 * mb, "box.ram", mb); put_u8(&w, 7);
         put_bytes(&w, "box.ram", 7); put_be64(&w, mb));
    CASE("does not begin", put_named(&w, RAM_ITEM_ZERO, "box.ram"); put_u8(&w, 0));
    CASE("not possible at this position", put_list(&w, mb, "box.ram", mb);
         put_list(&w, mb, "box.ram", mb));
    CASE("outside block", put_list(&w, mb, "box.ram", mb);
         put_named(&w, mb | RAM_ITEM_ZERO, "box.ram"); put_u8(&w, 0));
    CASE("filled with 0x05", put_list(&w, mb, "box.ram", mb);
         put_named(&w, RAM_ITEM_ZERO, "box.ram"); put_u8(&w, 5));
    CASE("names no block", put_list(&w, mb, "box.ram", mb);
         put_be64(&w, RAM_ITEM_ZERO | RAM_ITEM_SAME_BLOCK); put_u8(&w, 0));
    CASE("invalid flags", put_list(&w, mb, "box.ram", mb); put_be64(&w, 0x40));
    CASE("invalid flags", put_list(&w, mb, "box.ram", mb);
         put_be64(&w, RAM_ITEM_ZERO | RAM_ITEM_PAGE));
    CASE("invalid flags", put_list(&w, mb, "box.ram", mb); put_be64(&w, 0x1000 | RAM_ITEM_END));
    CASE("the section did not end", put_list(&w, mb, "box.ram", mb); put_be64(&w, RAM_ITEM_END));
#undef CASE
    other.version = 5;
    refused(o, &other, "version 5");
    g_strlcpy(other.name, "rum", sizeof(other.name));
    refused(o, &other, "section rum");
}

static void test_missing_pages(void)
{
    Box *b = box_new(NULL);
    RamReceive *r = ram_receive_new(b->m, NULL);
    g_autoptr(GByteArray) o = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    ByteWriter w = { o };

    put_list(&w, 1 << 20, "box.ram", 1 << 20);
    put_be64(&w, RAM_ITEM_END);
    take(r, &ram_start, o, 1000);
    g_byte_array_set_size(o, 0);
    put_named(&w, 0x1000 | RAM_ITEM_ZERO, "box.ram");
    put_u8(&w, 0);
    put_be64(&w, RAM_ITEM_END);
    take(r, &ram_end, o, 1000);
    g_assert_false(ram_receive_finish(r, &err));
    g_assert_nonnull(strstr(err->message, "255 pages of block box.ram"));
    ram_receive_free(r);
    box_free(b);
}

static void test_is_zero(void)
{
    static uint64_t page[512];

    g_assert_true(ram_is_zero(page, sizeof(page)));
    for (int i = 0; i < 512; i++) {
        page[i] = UINT64_C(1) << i % 64;
        g_assert_false(ram_is_zero(page, sizeof(page)));
        page[i] = 0;
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/migration/ram/round-trip", test_round_trip);
    g_test_add_func("/migration/ram/other-memory", test_other_memory);
    g_test_add_func("/migration/ram/zeroes", test_zeroes);
    g_test_add_func("/migration/ram/holes", test_holes);
    g_test_add_func("/migration/ram/order", test_order);
    g_test_add_func("/migration/ram/refusals", test_refusals);
    g_test_add_func("/migration/ram/missing-pages", test_missing_pages);
    g_test_add_func("/migration/ram/is-zero", test_is_zero);
    return g_test_run();
}
