/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line editor of the human monitor: echo, a cursor, deletion, completion, and a history. The
 * table in hmp_line.c lists the keys.
 */
#ifndef MONITOR_HMP_LINE_INTERNAL_H
#define MONITOR_HMP_LINE_INTERNAL_H

#include <glib.h>
#include <stdbool.h>

#define HMP_LINE_MAX 4095
#define HMP_HISTORY  32
#define HMP_COLUMNS  80 /* assumed width of the terminal */
#define HMP_PROMPT   "(qemu) "
#define HMP_BANNER                                                                                 \
    "Backplane " BACKPLANE_VERSION " monitor - type 'help' for more information\r\n" HMP_PROMPT

/* Return the possible words (char*, sorted, each once) for the end of @text, or NULL if there are
 * none. *start is the offset in @text at which the word begins. */
typedef GPtrArray *HmpCompleter(const char *text, size_t *start);

typedef struct HmpLine {
    GString *text, *echo;   /* the unfinished line; text to send, which the caller clears */
    char *entered;          /* the last complete line */
    GQueue history;         /* char*, newest first */
    int recall;             /* index in history of the recalled line; -1: none */
    size_t cursor;          /* offset in text, at most its length */
    unsigned escape;        /* bytes of the current escape sequence so far */
    char parameter;         /* the digit of the current escape sequence; 0: none */
    HmpCompleter *complete; /* called for Tab; NULL: Tab is ignored */
} HmpLine;

/* Initialize an editor; hmp_line_clear() frees its memory. @complete may be NULL. */
void hmp_line_init(HmpLine *l, HmpCompleter *complete);
void hmp_line_clear(HmpLine *l);
/* Discard the unfinished line, for example because another client connected. */
void hmp_line_reset(HmpLine *l);
/* Process one typed byte. Return the complete line if the byte is Enter, valid until the next call;
 * otherwise NULL. */
const char *hmp_line_feed(HmpLine *l, char c);
/* The completer of command names (hmp_complete.c). Never NULL; may be empty. Free with
 * g_ptr_array_unref(). Any thread. */
GPtrArray *hmp_complete(const char *text, size_t *start);
/* Append text with each newline as CR LF. */
void hmp_emit_lines(GString *out, const char *text);

#endif
