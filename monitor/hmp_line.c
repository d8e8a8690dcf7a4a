/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor's line editor (contract in hmp_line_internal.h).
 */
#include "hmp_line_internal.h"

#include <string.h>

void hmp_line_init(HmpLine *l)
{
    *l = (HmpLine){ .text = g_string_new(NULL), .echo = g_string_new(NULL), .recall = -1 };
    g_queue_init(&l->history);
}

void hmp_line_clear(HmpLine *l)
{
    g_string_free(l->text, TRUE);
    g_string_free(l->echo, TRUE);
    g_free(l->entered);
    g_queue_clear_full(&l->history, g_free);
}

void hmp_line_reset(HmpLine *l)
{
    g_string_truncate(l->text, 0);
    l->escape = 0;
    l->recall = -1;
}

/* Erase the last @n characters of the line, and on the terminal. */
static void hmp_line_erase(HmpLine *l, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        g_string_append(l->echo, "\b \b");
    }
    g_string_truncate(l->text, l->text->len - n);
}

static void hmp_line_remember(HmpLine *l, const char *line)
{
    const char *newest = g_queue_peek_head(&l->history);

    if (*line && (!newest || strcmp(newest, line) != 0)) {
        g_queue_push_head(&l->history, g_strdup(line));
    }
    if (l->history.length > HMP_HISTORY) {
        g_free(g_queue_pop_tail(&l->history));
    }
}

static void hmp_line_recall(HmpLine *l, int step)
{
    int to = CLAMP(l->recall + step, -1, (int)l->history.length - 1);

    l->recall = to;
    hmp_line_erase(l, l->text->len);
    if (to >= 0) {
        g_string_append(l->text, g_queue_peek_nth(&l->history, (guint)to));
        g_string_append(l->echo, l->text->str);
    }
}

/* Process a byte of an escape sequence (ESC [ A for the up arrow). Return true if the byte is part
 * of one. */
static bool hmp_line_arrow_key(HmpLine *l, char c)
{
    if (c == 0x1b) {
        l->escape = 1;
        return true;
    }
    if (l->escape == 1) {
        l->escape = c == '[' ? 2 : 0;
        return l->escape == 2;
    }
    if (l->escape == 2) {
        l->escape = 0;
        if (c == 'A' || c == 'B') {
            hmp_line_recall(l, c == 'A' ? 1 : -1);
        }
        return true;
    }
    return false;
}

static const char *hmp_line_enter(HmpLine *l)
{
    g_string_append(l->echo, "\r\n");
    g_free(l->entered);
    l->entered = g_strdup(l->text->str);
    hmp_line_remember(l, l->entered);
    hmp_line_reset(l);
    return l->entered;
}

const char *hmp_line_feed(HmpLine *l, char c)
{
    if (hmp_line_arrow_key(l, c)) {
        return NULL;
    }
    switch (c) {
    case '\n':
    case '\r':
        return hmp_line_enter(l);
    case '\b':
    case 0x7f:
        hmp_line_erase(l, MIN(1, l->text->len));
        return NULL;
    case 0x15: /* Ctrl-U */
        hmp_line_erase(l, l->text->len);
        return NULL;
    default:
        if ((guint8)c >= 0x20 && l->text->len < HMP_LINE_MAX) {
            g_string_append_c(l->text, c);
            g_string_append_c(l->echo, c);
        }
        return NULL;
    }
}

void hmp_emit_lines(GString *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n') {
            g_string_append_c(out, '\r');
        }
        g_string_append_c(out, *text);
    }
}
