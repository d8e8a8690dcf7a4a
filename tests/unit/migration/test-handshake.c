/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The description at the start of a stream: what is rejected when it is read, and every
 * incompatibility that is found when it is checked.
 */
#include "fixture.h"

static struct json_object *parts; /* of the text parsed last */

static PlanMachine *parse(const char *text, const char *why)
{
    g_autoptr(GError) err = NULL;
    PlanMachine *plan;

    json_object_put(parts);
    plan = handshake_parse((const uint8_t *)text, strlen(text), &catalog, &parts, &err);

    if (why) {
        g_assert_null(plan);
        g_assert_nonnull(strstr(err->message, why));
    } else {
        g_assert_no_error(err);
    }
    return plan;
}

static char *text_of(const char *const *devices)
{
    Box *b = box_new(devices);
    char *text = handshake_text(b->mig);

    box_free(b);
    return text;
}

static void test_parse(void)
{
    static const char *const devices[] = { "widget,id=w0,size=9", NULL };
    g_autofree char *text = text_of(devices), *nested = g_strnfill(100000, '[');
    g_autoptr(PlanMachine) plan = parse(text, NULL);

    g_assert_cmpuint(plan->devices->len, ==, 1);
    g_assert_cmpuint(plan->cpus, ==, 2);
    parse("", "JSON");
    parse("[]", "JSON");
    parse("{} x", "JSON");
    parse(nested, "JSON");
    parse("{}", "profile of the stream is ''");
    parse("{\"profile\":\"other-2\",\"description\":{}}", "profile of the stream is 'other-2'");
    parse("{\"profile\":\"" PROFILE "\"}", "a description and parts");
    parse("{\"profile\":\"" PROFILE "\",\"description\":{},\"parts\":[],\"more\":1}", "and parts");
    parse("{\"profile\":\"" PROFILE
          "\",\"description\":{\"host\":{\"d\":\"/etc/passwd\"}},\"parts\":[]}",
          "host of the source");
    parse("{\"profile\":\"" PROFILE "\",\"description\":{},\"parts\":[]}", "");
}

/* Repeat the text with %u n times, joined by commas, in place of %s in the frame. */
static char *many(const char *frame, const char *each, unsigned n)
{
    g_autoptr(GString) out = g_string_new(NULL);

    for (unsigned i = 0; i < n; i++) {
        g_autofree char *number = g_strdup_printf("%u", i);
        GString *one = g_string_new(each);

        g_string_replace(one, "%u", number, 0);
        g_string_append_printf(out, "%s%s", i ? "," : "", one->str);
        g_string_free(one, TRUE);
    }
    GString *text = g_string_new(frame);

    g_string_replace(text, "%s", out->str, 0);
    return g_string_free(text, FALSE);
}

/* Hundreds of thousands of elements of any type are rejected, or checked, in linear time. */
static void test_many(void)
{
    static const char head[] =
        "{\"profile\":\"" PROFILE "\",\"description\":"
        "{\"backplane-machine\":1,\"guest\":{\"machine\":\"board\",\"ram\":1,";
    g_autofree char *props = g_strconcat(
        head, "\"devices\":[{\"type\":\"widget\",\"properties\":{%s}}]}},\"parts\":[]}", NULL);
    g_autofree char *list_of_parts = g_strconcat(head, "\"devices\":[]}},\"parts\":[%s]}", NULL);
    g_autofree char *devices = g_strconcat(head, "\"devices\":[%s]}},\"parts\":[]}", NULL);
    g_autofree char *one = many(props, "\"p%u\":1", 300000);
    g_autofree char *two =
        many(list_of_parts, "{\"kind\":\"block\",\"id\":\"d%u\",\"size\":1}", 300000);
    g_autofree char *three = many(devices, "{\"type\":\"nosuch\",\"id\":\"d%u\"}", 60000);
    MigrationOffer offer = { .max_devices = 0 };
    gint64 start = g_get_monotonic_time();
    g_autoptr(PlanMachine) plan = NULL;
    struct json_object *list;

    parse(one, "at most 1024");
    parse(two, "more than 140000 parts");
    plan = parse(three, NULL);
    list = handshake_judge(plan, parts, &offer, &catalog);
    g_assert_cmpuint(json_object_array_length(list), ==, 10000);
    json_object_put(list);
    g_test_message("%d ms", (int)((g_get_monotonic_time() - start) / 1000));
}

static struct json_object *compare(const char *text, const MigrationOffer *offer)
{
    g_autoptr(PlanMachine) plan = parse(text, NULL);

    return handshake_judge(plan, parts, offer, &catalog);
}

static void check(const char *text, const MigrationOffer *offer, unsigned n, const char *what)
{
    struct json_object *list = compare(text, offer);
    g_autofree char *message = handshake_sentence(list);

    g_assert_cmpuint(json_object_array_length(list), ==, n);
    g_assert_true(!what || strstr(message, what));
    json_object_put(list);
}

static void test_compare(void)
{
    static const char *const devices[] = { "widget,id=w0,drive=d0", "widget,id=w1,drive=d1", NULL };
    g_autofree char *text = text_of(devices), *plain = text_of(NULL);
    g_autoptr(PlanMachine) own = plan_machine_new();
    MigrationOffer offer = { .own = own };

    check(plain, &offer, 0, NULL);
    check(text, &offer, 2, "w1 drive: required a block with the id 'd1', available none");
    plan_machine_add_host(own, plan_host_part_parse("drive", "id=d0,if=none", NULL), NULL);
    check(text, &offer, 1, "d1");
    plan_machine_add_host(own, plan_host_part_parse("drive", "id=d1,if=none", NULL), NULL);
    check(text, &offer, 0, NULL);
    offer.max_ram = 4096;
    offer.max_cpus = 1;
    check(text, &offer, 2, "machine cpus: required 2, available at most 1");
    offer = (MigrationOffer){ .own = own, .max_devices = 1 };
    check(text, &offer, 1, "devices");
    offer = (MigrationOffer){ .own = own, .machine = "none" };
    check(text, &offer, 1, "required box-1, available none");
}

static void test_unknown(void)
{
    static const char *const devices[] = { "widget,id=w0", NULL };
    g_autofree char *text = text_of(devices);
    g_auto(GStrv) type = g_strsplit(text, "\"widget\"", -1);
    g_autofree char *other = g_strjoinv("\"gadget\"", type);
    MigrationOffer offer = { 0 };

    check(other, &offer, 1, "w0 type: required gadget, available none");
}

static void test_fixed(void)
{
    static const char *const eight[] = { "widget,id=w0,size=8", NULL };
    static const char *const nine[] = { "widget,id=w0,size=9", NULL };
    g_autofree char *text = text_of(eight);
    Box *same = box_new(eight), *different = box_new(nine);
    MigrationOffer offer = { .own = same->plan, .fixed = true };

    check(text, &offer, 0, NULL);
    offer.own = different->plan;
    check(text, &offer, 1, "w0 size: required 8, available 9");
    box_free(same);
    box_free(different);
}

static void test_sizes(void)
{
    static const char *const disk[] = { "widget,id=w0,drive=d0", NULL };
    Box *a = box_new(disk), *b = box_empty();
    g_autofree char *text = NULL;
    MigrationOffer offer = { .own = b->own, .part_size = part_size, .opaque = b };

    a->disk_size = 1000;
    text = handshake_text(a->mig);
    plan_machine_add_host(b->own, plan_host_part_parse("drive", "id=d0,if=none", NULL), NULL);
    b->disk_size = 1000;
    check(text, &offer, 0, NULL);
    b->disk_size = 2000;
    check(text, &offer, 1, "d0 size: required 1000, available 2000");
    box_free(a);
    box_free(b);
}

/* A target whose command line describes the devices may give the disks other ids: the sizes are
 * compared device by device. */
static void test_other_ids(void)
{
    static const char *const source[] = { "widget,id=w0,drive=d0", "widget,id=w1,drive=d1", NULL };
    static const char *const target[] = { "widget,id=w0,drive=d1", "widget,id=w1,drive=d0", NULL };
    Box *a = box_new(source), *b = box_new(target);
    g_autofree char *text = NULL;
    MigrationOffer offer = { .own = b->plan, .fixed = true, .part_size = part_size, .opaque = b };

    a->disk_size = b->disk_size = 1000;
    a->large_disk = "d1";
    text = handshake_text(a->mig);
    b->large_disk = "d0";
    check(text, &offer, 0, NULL);
    b->large_disk = "d1";
    check(text, &offer, 2, "d1 size: required 1000, available 2000");
    box_free(a);
    box_free(b);
}

/* A missing host part does not hide other differences. */
static void test_whole_list(void)
{
    static const char *const eight[] = { "widget,id=w0,size=8,drive=d0", NULL };
    static const char *const nine[] = { "widget,id=w0,size=9", NULL };
    g_autofree char *text = text_of(eight);
    Box *here = box_new(nine);
    MigrationOffer offer = { .own = here->plan, .fixed = true };
    struct json_object *list = compare(text, &offer);

    g_assert_cmpuint(json_object_array_length(list), ==, 2); /* the drive is listed once */
    json_object_put(list);
    check(text, &offer, 2, "w0 drive: required d0, available none");
    check(text, &offer, 2, "w0 size: required 8, available 9");
    box_free(here);
}

static void test_more_cpus(void)
{
    g_autofree char *text = text_of(NULL), *nine = NULL;
    g_auto(GStrv) cut = g_strsplit(text, "\"cpus\":2", -1);
    MigrationOffer offer = { 0 };

    nine = g_strjoinv("\"cpus\":9", cut);
    check(nine, &offer, 1, "machine cpus: required 9, available at most 8");
}

/* A hand-over record that is not visible here, and invalid tokens. */
static void test_record(void)
{
    Box *a = box_new(NULL);
    g_autofree char *text = NULL, *bad = NULL;
    MigrationOffer offer = { 0 };

    strcpy(a->mig->record, "0123456789abcdef0123456789abcdef");
    text = handshake_text(a->mig);
    a->mig->record[0] = '\0';
    check(text, &offer, 1,
          "machine handover-folder: required the folder that the source uses, available");
    offer.handover = g_get_tmp_dir();
    check(text, &offer, 1, "where there is no record 0123456789abcdef");
    g_auto(GStrv) cut = g_strsplit(text, "0123456789abcdef0123456789abcdef", -1);
    bad = g_strjoinv("../../../../../../../../etc/passw", cut);
    check(bad, &offer, 1, "available /");
    box_free(a);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/migration/handshake/parse", test_parse);
    g_test_add_func("/migration/handshake/compare", test_compare);
    g_test_add_func("/migration/handshake/unknown", test_unknown);
    g_test_add_func("/migration/handshake/fixed", test_fixed);
    g_test_add_func("/migration/handshake/sizes", test_sizes);
    g_test_add_func("/migration/handshake/other-ids", test_other_ids);
    g_test_add_func("/migration/handshake/whole-list", test_whole_list);
    g_test_add_func("/migration/handshake/more-cpus", test_more_cpus);
    g_test_add_func("/migration/handshake/record", test_record);
    g_test_add_func("/migration/handshake/many", test_many);
    return g_test_run();
}
