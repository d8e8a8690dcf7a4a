/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line editor of the human monitor: the line that each sequence of keys produces, the text that
 * the terminal then shows, and completion. Random keys leave the cursor in the line and the
 * terminal equal to it.
 */
#include "../../../monitor/hmp_line_internal.h"

#include <string.h>

/* A one-line terminal that interprets what the editor writes. */
typedef struct Screen {
    GString *row;
    size_t column;
} Screen;

static void screen_put(Screen *s, char c)
{
    if (s->column < s->row->len) {
        s->row->str[s->column] = c;
    } else {
        g_string_append_c(s->row, c);
    }
    s->column++;
}

static void screen_show(Screen *s, const char *text)
{
    for (; *text; text++) {
        if (*text == '\r') {
            s->column = 0;
        } else if (*text == '\n') {
            g_string_truncate(s->row, 0);
        } else if (*text == '\b') {
            g_assert_cmpuint(s->column, >, 0);
            s->column--;
        } else if (*text == '\033') {
            char *end;
            size_t n = strtoul(text + 2, &end, 10);

            g_assert_true(text[1] == '[' && strchr("CDK", *end));
            g_assert_true(*end != 'D' || n <= s->column);
            s->column += *end == 'C' ? n : 0;
            s->column -= *end == 'D' ? n : 0;
            if (*end == 'K') {
                g_string_truncate(s->row, s->column);
            }
            text = end;
        } else {
            screen_put(s, *text);
        }
    }
}

/* Assert that the terminal shows the unfinished line, and its cursor is that of the editor. */
static void screen_check(const Screen *s, const HmpLine *l)
{
    bool prompt = g_str_has_prefix(s->row->str, HMP_PROMPT);
    size_t left = prompt ? strlen(HMP_PROMPT) : 0;
    const char *shown = s->row->str + left;

    g_assert_cmpuint(l->cursor, <=, l->text->len);
    g_assert_cmpuint(l->text->len, <=, HMP_LINE_MAX);
    g_assert_true(g_str_has_prefix(shown, l->text->str));
    g_assert_cmpuint(strspn(shown + l->text->len, " "), ==, strlen(shown + l->text->len));
    g_assert_cmpuint(s->column - left, ==, l->cursor);
}

/* Keys, and the line that Enter then gives. */
static const struct {
    const char *keys, *line;
} edits[] = {
    { "abc", "abc" },
    { "abc\x7f", "ab" },
    { "abc\b\b\b\b", "" },
    { "abc\x15", "" },
    { "bc\x01"
      "a",
      "abc" },
    { "bc\x01"
      "a\x05"
      "d",
      "abcd" },
    { "abcdef\033[D\033[DX", "abcdXef" },
    { "abcdef\033OD\033OD\x7f", "abcef" },
    { "abcdef\033[D\033[3~", "abcde" },
    { "abc\033[H\033[3~\033[Fd", "bcd" },
    { "abc\033[1~x\033[4~y", "xabcy" },
    { "abc\x02\x02\x04", "ac" },
    { "abc\x01\x06\x0b", "a" },
    { "abc\x02\x15", "c" },
    { "abc def  \x17x", "abc x" },
    { "abc def\x01\x17x", "xabc def" },
    { "a\033[5~b\033[1;5Cc\033xd", "abcxd" }, /* unknown sequences; ESC before other text */
    { "a\033\tb", "ab" },
    { "\033[D\033[C\x04\x02\x06\x0b\x17", "" },
};

static void test_edit(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(edits); i++) {
        HmpLine l;

        hmp_line_init(&l, NULL);
        for (const char *k = edits[i].keys; *k; k++) {
            g_assert_null(hmp_line_feed(&l, *k));
        }
        g_assert_cmpstr(hmp_line_feed(&l, '\r'), ==, edits[i].line);
        hmp_line_clear(&l);
    }
}

static void test_history(void)
{
    static const char keys[] = "one\rtwo\r\033[A\033[A\x10\x0e";
    HmpLine l;

    hmp_line_init(&l, NULL);
    for (const char *k = keys; *k; k++) {
        hmp_line_feed(&l, *k);
    }
    g_assert_cmpstr(l.text->str, ==, "two");
    hmp_line_feed(&l, 0x01); /* the recalled line can be edited */
    hmp_line_feed(&l, 'x');
    g_assert_cmpstr(hmp_line_feed(&l, '\r'), ==, "xtwo");
    hmp_line_clear(&l);
}

/* Keys, the line, and a part of what the terminal receives. */
static const struct {
    const char *keys, *line, *echo;
} completions[] = {
    { "inf\t", "info ", "" },
    { "  info   statu\t", "  info   status ", "" },
    { "info bl\t", "info block", "" },
    { "info bl\t\t", "info block", "\r\nblock       blockstats  \r\n" HMP_PROMPT "info block" },
    { "help inf\t statu\t", "help info  status ", "" },
    { "device_d\t", "device_del ", "" },
    { "device_d\tx\t", "device_del x", "" },
    { "nosuch\t", "nosuch", "" },
    { "statu\x01inf\t", "info statu", "" },
    { "info status \t", "info status ", "" },
};

static void test_complete(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(completions); i++) {
        HmpLine l;

        hmp_line_init(&l, hmp_complete);
        for (const char *k = completions[i].keys; *k; k++) {
            hmp_line_feed(&l, *k);
        }
        g_assert_cmpstr(l.text->str, ==, completions[i].line);
        g_assert_nonnull(strstr(l.echo->str, completions[i].echo));
        hmp_line_clear(&l);
    }
}

/* The candidates are sorted, and each appears once. */
static void test_sorted(void)
{
    static const char *const texts[] = { "", "info ", "help ", "s", "i" };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        size_t start;
        g_autoptr(GPtrArray) words = hmp_complete(texts[i], &start);

        g_assert_cmpuint(words->len, >, 0);
        for (guint w = 1; w < words->len; w++) {
            g_assert_cmpstr(words->pdata[w - 1], <, words->pdata[w]);
        }
    }
}

static void test_full(void)
{
    HmpLine l;

    hmp_line_init(&l, hmp_complete);
    for (unsigned i = 0; i < HMP_LINE_MAX + 10; i++) {
        hmp_line_feed(&l, ' ');
    }
    hmp_line_feed(&l, '\t');
    hmp_line_feed(&l, 0x01);
    hmp_line_feed(&l, 'x');
    g_assert_cmpuint(l.text->len, ==, HMP_LINE_MAX);
    g_assert_cmpuint(strspn(l.text->str, " "), ==, HMP_LINE_MAX);
    hmp_line_clear(&l);
}

static void test_random(void)
{
    static const char keys[] =
        "infohelpstadev_ \t\t\t\b\x7f\x01\x02\x04\x05\x06\x0b\x0e\x10\x15\x17"
        "\033\033[[OABCDHF134;~\r";
    Screen s = { .row = g_string_new(NULL) };
    HmpLine l;

    hmp_line_init(&l, hmp_complete);
    for (unsigned i = 0; i < 20000; i++) {
        bool entered = hmp_line_feed(&l, keys[g_test_rand_int_range(0, sizeof(keys) - 1)]) != NULL;

        screen_show(&s, l.echo->str);
        g_string_truncate(l.echo, 0);
        if (entered) {
            g_string_truncate(s.row, 0);
            s.column = 0;
        }
        screen_check(&s, &l);
    }
    hmp_line_clear(&l);
    g_string_free(s.row, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hmp_line/edit", test_edit);
    g_test_add_func("/hmp_line/history", test_history);
    g_test_add_func("/hmp_line/complete", test_complete);
    g_test_add_func("/hmp_line/sorted", test_sorted);
    g_test_add_func("/hmp_line/full", test_full);
    g_test_add_func("/hmp_line/random", test_random);
    return g_test_run();
}
