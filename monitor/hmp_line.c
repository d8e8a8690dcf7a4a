/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor's line editor (contract in hmp_line_internal.h).
 */
#include "hmp_line_internal.h"

#include <string.h>

void hmp_line_init(HmpLine *l, HmpCompleter *complete)
{
    *l = (HmpLine){
        .text = g_string_new(NULL), .echo = g_string_new(NULL), .recall = -1, .complete = complete
    };
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
    l->cursor = 0;
    l->escape = 0;
    l->recall = -1;
}

/* --- the cursor and the text --- */

static void hmp_line_move(HmpLine *l, size_t to)
{
    if (to < l->cursor) {
        g_string_append_printf(l->echo, "\033[%zuD", l->cursor - to);
    } else if (to > l->cursor) {
        g_string_append_printf(l->echo, "\033[%zuC", to - l->cursor);
    }
    l->cursor = to;
}

/* Write the text from the cursor to the end of the line again, and erase what follows it. */
static void hmp_line_redraw_tail(HmpLine *l)
{
    size_t at = l->cursor;

    g_string_append(l->echo, l->text->str + at);
    g_string_append(l->echo, "\033[K");
    l->cursor = l->text->len;
    hmp_line_move(l, at);
}

/* Insert text at the cursor, as far as the line has room. */
static void hmp_line_insert(HmpLine *l, const char *text, size_t len)
{
    len = MIN(len, HMP_LINE_MAX - l->text->len);
    g_string_insert_len(l->text, (gssize)l->cursor, text, (gssize)len);
    g_string_append_len(l->echo, text, (gssize)len);
    l->cursor += len;
    if (len > 0 && l->cursor < l->text->len) {
        hmp_line_redraw_tail(l);
    }
}

/* Delete the text between two offsets, and move the cursor there. */
static void hmp_line_delete(HmpLine *l, size_t from, size_t to)
{
    bool at_end = l->cursor == l->text->len && to == l->cursor;

    if (from == to) {
        return;
    }
    g_string_erase(l->text, (gssize)from, (gssize)(to - from));
    if (at_end) { /* works on a terminal without escape sequences */
        for (size_t i = from; i < to; i++) {
            g_string_append(l->echo, "\b \b");
        }
        l->cursor = from;
    } else {
        hmp_line_move(l, from);
        hmp_line_redraw_tail(l);
    }
}

/* Return the offset at which the word before the cursor begins. */
static size_t hmp_line_word(const HmpLine *l)
{
    size_t at = l->cursor;

    while (at > 0 && l->text->str[at - 1] == ' ') {
        at--;
    }
    while (at > 0 && l->text->str[at - 1] != ' ') {
        at--;
    }
    return at;
}

/* --- history --- */

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
    hmp_line_move(l, l->text->len);
    hmp_line_delete(l, 0, l->text->len);
    if (to >= 0) {
        const char *line = g_queue_peek_nth(&l->history, (guint)to);

        hmp_line_insert(l, line, strlen(line));
    }
}

/* --- completion --- */

/* Return the length of the text that all words begin with. */
static size_t hmp_line_common(const GPtrArray *words)
{
    const char *first = words->pdata[0];
    const char *last = words->pdata[words->len - 1]; /* sorted: these two differ most */
    size_t n = 0;

    while (first[n] && first[n] == last[n]) {
        n++;
    }
    return n;
}

/* List the words in columns, and show the prompt and the line again. */
static void hmp_line_list(HmpLine *l, const GPtrArray *words)
{
    size_t width = 8, column = 0, at = l->cursor;

    for (guint i = 0; i < words->len; i++) {
        width = MAX(width, strlen(words->pdata[i]));
    }
    width += 2;
    for (guint i = 0; i < words->len; i++, column += width) {
        if (i == 0 || column + width > HMP_COLUMNS) {
            g_string_append(l->echo, "\r\n");
            column = 0;
        }
        g_string_append_printf(l->echo, "%-*s", (int)width, (const char *)words->pdata[i]);
    }
    g_string_append_printf(l->echo, "\r\n%s%s", HMP_PROMPT, l->text->str);
    l->cursor = l->text->len;
    hmp_line_move(l, at);
}

static void hmp_line_complete(HmpLine *l)
{
    g_autofree char *before = g_strndup(l->text->str, l->cursor);
    g_autoptr(GPtrArray) words = NULL;
    size_t start = 0, typed, common;

    words = l->complete ? l->complete(before, &start) : NULL;
    if (!words || words->len == 0) {
        return;
    }
    typed = l->cursor - start;
    common = hmp_line_common(words);
    if (common > typed) {
        hmp_line_insert(l, (const char *)words->pdata[0] + typed, common - typed);
    }
    if (words->len == 1) {
        hmp_line_insert(l, " ", 1);
    } else if (common <= typed) {
        hmp_line_list(l, words);
    }
}

/* --- keys --- */

typedef enum HmpKey {
    KEY_HOME,
    KEY_END,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_UP,
    KEY_DOWN,
    KEY_BACKSPACE,
    KEY_DELETE,
    KEY_KILL_START,
    KEY_KILL_END,
    KEY_KILL_WORD,
    KEY_TAB,
} HmpKey;

/* Control characters. */
static const struct HmpControl {
    char c;
    HmpKey key;
} hmp_controls[] = {
    { 0x01, KEY_HOME },       /* Ctrl-A */
    { 0x02, KEY_LEFT },       /* Ctrl-B */
    { 0x04, KEY_DELETE },     /* Ctrl-D */
    { 0x05, KEY_END },        /* Ctrl-E */
    { 0x06, KEY_RIGHT },      /* Ctrl-F */
    { '\b', KEY_BACKSPACE },  /* Ctrl-H */
    { '\t', KEY_TAB },        /* Ctrl-I */
    { 0x0b, KEY_KILL_END },   /* Ctrl-K */
    { 0x0e, KEY_DOWN },       /* Ctrl-N */
    { 0x10, KEY_UP },         /* Ctrl-P */
    { 0x15, KEY_KILL_START }, /* Ctrl-U */
    { 0x17, KEY_KILL_WORD },  /* Ctrl-W */
    { 0x7f, KEY_BACKSPACE },
};

/* The last bytes of escape sequences: ESC [ A or ESC O A, and ESC [ 3 ~ with a digit. */
static const struct HmpSequence {
    char digit, last;
    HmpKey key;
} hmp_sequences[] = {
    { 0, 'A', KEY_UP },    { 0, 'B', KEY_DOWN },   { 0, 'C', KEY_RIGHT },  { 0, 'D', KEY_LEFT },
    { 0, 'F', KEY_END },   { 0, 'H', KEY_HOME },   { '1', '~', KEY_HOME }, { '3', '~', KEY_DELETE },
    { '4', '~', KEY_END }, { '7', '~', KEY_HOME }, { '8', '~', KEY_END },
};

static void hmp_line_key(HmpLine *l, HmpKey key)
{
    size_t at = l->cursor, end = l->text->len;

    switch (key) {
    case KEY_HOME:
        hmp_line_move(l, 0);
        break;
    case KEY_END:
        hmp_line_move(l, end);
        break;
    case KEY_LEFT:
        hmp_line_move(l, at > 0 ? at - 1 : 0);
        break;
    case KEY_RIGHT:
        hmp_line_move(l, MIN(at + 1, end));
        break;
    case KEY_UP:
        hmp_line_recall(l, 1);
        break;
    case KEY_DOWN:
        hmp_line_recall(l, -1);
        break;
    case KEY_BACKSPACE:
        hmp_line_delete(l, at > 0 ? at - 1 : 0, at);
        break;
    case KEY_DELETE:
        hmp_line_delete(l, at, MIN(at + 1, end));
        break;
    case KEY_KILL_START:
        hmp_line_delete(l, 0, at);
        break;
    case KEY_KILL_END:
        hmp_line_delete(l, at, end);
        break;
    case KEY_KILL_WORD:
        hmp_line_delete(l, hmp_line_word(l), at);
        break;
    case KEY_TAB:
        hmp_line_complete(l);
        break;
    }
}

static void hmp_line_end_sequence(HmpLine *l, char last)
{
    l->escape = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(hmp_sequences); i++) {
        if (hmp_sequences[i].last == last && hmp_sequences[i].digit == l->parameter) {
            hmp_line_key(l, hmp_sequences[i].key);
        }
    }
}

/* Process a byte of an escape sequence. Return true if the byte is part of one. A sequence that the
 * editor does not have is ignored. */
static bool hmp_line_escape(HmpLine *l, char c)
{
    if (c == 0x1b) {
        l->escape = 1;
        l->parameter = 0;
        return true;
    }
    if (l->escape == 0 || (guint8)c < 0x20) { /* a control character ends a sequence */
        l->escape = 0;
        return false;
    }
    if (l->escape == 1) {
        l->escape = c == '[' || c == 'O' ? 2 : 0;
        return l->escape == 2;
    }
    if (g_ascii_isdigit(c) || c == ';') {
        l->parameter = l->parameter ? '?' : c; /* the keys have one digit */
        return true;
    }
    hmp_line_end_sequence(l, c);
    return true;
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
    if (hmp_line_escape(l, c)) {
        return NULL;
    }
    if (c == '\n' || c == '\r') {
        return hmp_line_enter(l);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(hmp_controls); i++) {
        if (hmp_controls[i].c == c) {
            hmp_line_key(l, hmp_controls[i].key);
            return NULL;
        }
    }
    if ((guint8)c >= 0x20) {
        hmp_line_insert(l, &c, 1);
    }
    return NULL;
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
