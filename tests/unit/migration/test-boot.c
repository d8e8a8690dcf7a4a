/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot images in a stream: they arrive as sent, an identical file of the target is used instead,
 * and pieces that are damaged, out of order or not requested are rejected.
 */
#include "fixture.h"
#include "tests/lib/ok.h"

static BootImages *images_of(const char *set, const char *kernel, const char *initrd)
{
    const char *const texts[BOOT_ROLES] = { [BOOT_KERNEL] = kernel, [BOOT_INITRD] = initrd };
    BootImages *b = boot_images_new();

    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        g_autofree char *name = g_strconcat(set, boot_role_name(role), NULL);
        g_autofree char *path = temp_path(name);

        if (texts[role]) {
            g_file_set_contents(path, texts[role], -1, NULL);
            ASSERT_OK(boot_images_open(b, role, path, &failure));
        }
    }
    return b;
}

static PlanMachine *describe(BootImages *b)
{
    PlanMachine *m = plan_machine_new();

    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        if (b->image[role].fd >= 0) {
            PlanBootImage *p = plan_add_boot(m, boot_role_name(role));

            ASSERT_OK(boot_images_hash(b, role, &failure));
            p->size = b->image[role].size;
            p->sha256 = g_strdup(b->image[role].sha256);
        }
    }
    return m;
}

/* Return the record of the section at the end of out, and empty out. */
static GBytes *take_record(GByteArray *out, StreamSection *s)
{
    ByteReader r;
    GBytes *record;
    uint8_t len;
    uint32_t size;

    reader_init(&r, out->data, out->len);
    s->kind = get_u8(&r);
    s->id = get_be32(&r);
    len = get_u8(&r);
    get_bytes(&r, s->name, len);
    s->name[len] = 0;
    s->instance = get_be32(&r);
    s->version = get_be32(&r);
    size = get_be32(&r);
    record = g_bytes_new(get_view(&r, size), size);
    g_byte_array_set_size(out, 0);
    return record;
}

/* Pass each piece, changed by `change`, to the receiver. The first error is stored in *err. */
static void transfer(BootImages *from, unsigned roles, BootReceive *to,
                     void (*change)(uint8_t *record), GError **err)
{
    BootSend send = { .images = from, .roles = roles };
    g_autoptr(GByteArray) out = g_byte_array_new();
    ByteWriter w = { out };
    uint32_t id = 3;
    bool ok = true;

    while (ok && boot_send_some(&send, &w, &id, NULL, err) > 0) {
        StreamSection s;
        g_autoptr(GBytes) record = take_record(out, &s);
        g_autofree uint8_t *copy =
            g_memdup2(g_bytes_get_data(record, NULL), g_bytes_get_size(record));

        g_assert_cmpstr(s.name, ==, BOOT_SECTION);
        g_assert_cmpuint(s.instance, ==, id - 4);
        if (change) {
            change(copy);
        }
        ok = boot_receive_piece(to, &s, copy, g_bytes_get_size(record), err);
    }
}

static void check_text(const BootImages *b, BootRole role, const char *text)
{
    size_t len = strlen(text);
    g_autofree char *got = g_malloc(len);

    g_assert_cmpuint(b->image[role].size, ==, len);
    g_assert_true(boot_image_read(&b->image[role], got, len, 0));
    g_assert_cmpmem(got, len, text, len);
}

static void test_round_trip(void)
{
    g_autofree char *big = g_strnfill((5 << 20) / 2, 'k');
    g_autoptr(BootImages) from = images_of("from", big, "initrd"), got = NULL;
    g_autoptr(PlanMachine) wanted = describe(from);
    g_autoptr(GError) err = NULL;
    BootReceive *r = boot_receive_new(wanted, NULL, true, &err);

    g_assert_cmphex(boot_receive_needed(r), ==, 1 << BOOT_KERNEL | 1 << BOOT_INITRD);
    transfer(from, boot_receive_needed(r), r, NULL, &err);
    g_assert_no_error(err);
    got = boot_receive_finish(r, &err);
    g_assert_no_error(err);
    check_text(got, BOOT_KERNEL, big);
    check_text(got, BOOT_INITRD, "initrd");
    g_assert_cmpint(got->image[BOOT_FIRMWARE].fd, <, 0);
    g_assert_null(got->image[BOOT_KERNEL].path);
    g_assert_cmpstr(got->image[BOOT_KERNEL].sha256, ==, from->image[BOOT_KERNEL].sha256);
    boot_receive_free(r);
}

/* The target has the file and requests nothing. On a one-way channel the file is still sent. */
static void test_own(void)
{
    g_autoptr(BootImages) from = images_of("from", "kernel", "initrd");
    g_autoptr(PlanMachine) wanted = describe(from);

    for (unsigned two_way = 0; two_way < 2; two_way++) {
        g_autoptr(BootImages) own = images_of("own", "kernel", "another"), got = NULL;
        g_autoptr(GError) err = NULL;
        BootReceive *r = boot_receive_new(wanted, own, two_way, &err);

        g_assert_cmphex(boot_receive_needed(r), ==,
                        1 << BOOT_INITRD | (two_way ? 0 : 1 << BOOT_KERNEL));
        transfer(from, boot_receive_needed(r), r, NULL, &err);
        got = boot_receive_finish(r, &err);
        g_assert_no_error(err);
        g_assert_cmpstr(got->image[BOOT_KERNEL].path, ==, own->image[BOOT_KERNEL].path);
        check_text(got, BOOT_INITRD, "initrd");
        boot_receive_free(r);
    }
}

static void damage(uint8_t *record)
{
    record[9] ^= 1;
}

static void other_role(uint8_t *record)
{
    record[0] = BOOT_DTB;
}

static void no_role(uint8_t *record)
{
    record[0] = 200;
}

static void skip(uint8_t *record)
{
    record[8]++;
}

static void far_away(uint8_t *record)
{
    record[1] = 0xff;
}

static void test_refusals(void)
{
    static const struct {
        void (*change)(uint8_t *record);
        const char *why;
    } cases[] = {
        { damage, "its file was changed while the guest ran" },
        { other_role, "an image of role 3 was not requested" },
        { no_role, "an image of role 200 was not requested" },
        { skip, "is not the next one" },
        { far_away, "is not the next one" },
    };
    g_autoptr(BootImages) from = images_of("from", "kernel", NULL);
    g_autoptr(PlanMachine) wanted = describe(from);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) err = NULL;
        BootReceive *r = boot_receive_new(wanted, NULL, true, NULL);

        transfer(from, 1 << BOOT_KERNEL, r, cases[i].change, &err);
        g_assert_nonnull(err);
        if (!strstr(err->message, cases[i].why)) {
            g_error("%s instead of %s", err->message, cases[i].why);
        }
        boot_receive_free(r);
    }
}

static void test_incomplete(void)
{
    g_autoptr(BootImages) from = images_of("from", "kernel", "initrd");
    g_autoptr(PlanMachine) wanted = describe(from);
    g_autoptr(GError) err = NULL;
    BootReceive *r = boot_receive_new(wanted, NULL, true, NULL);

    transfer(from, 1 << BOOT_KERNEL, r, NULL, &err);
    g_assert_no_error(err);
    g_assert_null(boot_receive_finish(r, &err));
    g_assert_nonnull(strstr(err->message, "0 of 6 bytes of the initrd"));
    boot_receive_free(r);
}

/* The source's file was truncated. */
static void test_shorter(void)
{
    g_autoptr(BootImages) from = images_of("from", "kernel", NULL);
    g_autoptr(PlanMachine) wanted = describe(from);
    g_autoptr(GError) err = NULL;
    BootReceive *r = boot_receive_new(wanted, NULL, true, NULL);

    g_assert_cmpint(truncate(from->image[BOOT_KERNEL].path, 2), ==, 0);
    transfer(from, 1 << BOOT_KERNEL, r, NULL, &err);
    g_assert_nonnull(strstr(err->message, "cannot be read again: the file became shorter"));
    boot_receive_free(r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/migration/boot/round-trip", test_round_trip);
    g_test_add_func("/migration/boot/own", test_own);
    g_test_add_func("/migration/boot/refusals", test_refusals);
    g_test_add_func("/migration/boot/incomplete", test_incomplete);
    g_test_add_func("/migration/boot/shorter", test_shorter);
    return g_test_run();
}
